"""How a job and its items look to a client; used by the job routes and the event stream."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from pydantic import BaseModel, Field

from opal.database.jobs import Job
from opal.items.item import Item
from opal.items.states import TERMINAL, ItemState, JobStatus, job_status


class ItemError(BaseModel):
    """Why an item failed; `code` is stable."""

    code: str = Field(examples=["image_truncated"])
    message: str = Field(examples=["The photo ends before its pixels do."])


class ItemView(BaseModel):
    """One photo of a job."""

    id: str = Field(examples=["item_3b0c5c0e9a1f4d5e6a7b8c9d"])
    filename: str = Field(examples=["mug.jpg"])
    sku: str | None = Field(examples=["MUG-01"])
    state: ItemState
    error: ItemError | None = None
    photo: dict[str, Any] | None = Field(
        default=None, description="The uploaded photo's format, bytes, width, height and content type."
    )
    confidence: float | None = Field(default=None, description="How sure the cut-out is, 0 to 1.")
    confidence_reasons: list[str] = Field(default=[], description="What lowered the confidence.")
    fidelity: dict[str, Any] | None = Field(
        default=None, description="Measured proof that the product's pixels were kept."
    )
    created_at: datetime
    updated_at: datetime


class JobSummary(BaseModel):
    """A job in a list."""

    id: str = Field(examples=["job_9f1c2d3e4a5b6c7d8e9f0a1b"])
    name: str
    status: JobStatus
    total: int = Field(description="Photos in the job.")
    counts: dict[ItemState, int] = Field(description="Photos per state; states without any are left out.")
    created_at: datetime
    cancelled_at: datetime | None


class JobDetail(JobSummary):
    """A job with its recipe and all its photos."""

    correlation_id: str
    scene: str | dict[str, Any]
    placement: dict[str, Any]
    presets: list[str]
    prompt: str
    seed: int
    items: list[ItemView]


def is_finished(counts: Counter[ItemState]) -> bool:
    """Whether nothing more will happen to any of the items."""
    return all(state in TERMINAL for state, count in counts.items() if count)


def item_view(item: Item) -> ItemView:
    """``item`` as a client sees it."""
    error = None
    if item.error_code is not None:
        error = ItemError(code=item.error_code, message=item.error_message or "")
    return ItemView(
        id=item.id,
        filename=item.filename,
        sku=item.sku,
        state=item.state,
        error=error,
        photo=public_photo(item),
        confidence=item.meta.get("confidence"),
        confidence_reasons=item.meta.get("confidence_reasons", []),
        fidelity=item.meta.get("fidelity"),
        created_at=item.created_at,
        updated_at=item.updated_at,
    )


def public_photo(item: Item) -> dict[str, Any] | None:
    """What the item's photo was found to be, or None before it was accepted."""
    return {name: value for name, value in item.photo.items() if name != "etag"} or None


def job_summary(job: Job, counts: Counter[ItemState]) -> JobSummary:
    """``job`` as it stands in a list."""
    return JobSummary(
        id=job.id,
        name=job.name,
        status=job_status(counts.elements()),
        total=counts.total(),
        counts=dict(counts),
        created_at=job.created_at,
        cancelled_at=job.cancelled_at,
    )


def job_detail(job: Job, items: Sequence[Item]) -> JobDetail:
    """``job`` with everything about it."""
    summary = job_summary(job, Counter(item.state for item in items))
    return JobDetail(
        **summary.model_dump(),
        correlation_id=job.correlation_id,
        scene=job.recipe.scene,
        placement=job.recipe.placement,
        presets=list(job.recipe.presets),
        prompt=job.recipe.prompt,
        seed=job.recipe.seed,
        items=[item_view(item) for item in items],
    )

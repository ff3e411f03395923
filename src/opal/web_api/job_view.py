"""How a job and its items look to a client; used by the job routes and the event stream."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from pydantic import BaseModel, Field

from opal.database.jobs import Job, ReviewCounts
from opal.items.item import Item
from opal.items.next_steps import NextStep, next_steps, waits_for_review
from opal.items.review import ReviewVerdict
from opal.items.states import TERMINAL, ItemState, JobStatus, job_status
from opal.web_api.reports import (
    FIDELITY_EXAMPLE,
    PHOTO_EXAMPLE,
    PLACED_EXAMPLE,
    FidelityReport,
    PhotoFacts,
    PlacedReport,
)


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
    photo: PhotoFacts | None = Field(default=None, description="Null before the upload is complete.")
    confidence: float | None = Field(default=None, description="How sure the cut-out is, 0 to 1.")
    confidence_reasons: list[str] = Field(default=[], description="What lowered the confidence.")
    review: bool = Field(
        default=False,
        description="Marked for review: the confidence is below OPAL_REVIEW_BELOW, so a person should look "
        "at the pictures before they are used. All of them are made all the same.",
    )
    verdict: ReviewVerdict | None = Field(
        default=None, description="What a person says of the pictures; null: nothing so far."
    )
    verdict_at: datetime | None = Field(default=None, description="When that was said.")
    revision: int = Field(
        default=0, description="Which of the photo's revisions its pictures are; 0: as they first came."
    )
    next_steps: list[NextStep] = Field(
        default=[],
        description="What is sensible now: `review` its pictures, `retry` with the stored photo, "
        "`replace` the photo.",
    )
    fidelity: FidelityReport | None = Field(
        default=None, description="Measured proof that the product's pixels were kept in the scene."
    )
    placed: PlacedReport | None = Field(
        default=None, description="Scale and turn of the product in the scene picture."
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
    review: int = Field(default=0, description="Photos marked for review, see `items`, judged or not.")
    to_review: int = Field(default=0, description="Those of them that wait for a verdict.")
    created_at: datetime
    cancelled_at: datetime | None = Field(description="When it was asked to stop; null: never.")


class JobDetail(JobSummary):
    """A job with its recipe and all its photos."""

    public_links: bool | None = Field(
        default=None, description="Whether its pictures have public links; null: as /v1/public-links says."
    )
    correlation_id: str = Field(description="In every log line and message that the job caused.")
    scene: str | dict[str, Any]
    placement: dict[str, Any]
    presets: list[str] = Field(description="As asked for, repeats left out.")
    prompt: str
    seed: int
    items: list[ItemView] = Field(description="In the order of the request.")


_NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
JOB_ID_EXAMPLE = "job_9f1c2d3e4a5b6c7d8e9f0a1b"
ITEM_ID_EXAMPLE = "item_3b0c5c0e9a1f4d5e6a7b8c9d"
_SUMMARY: dict[str, Any] = {
    "id": JOB_ID_EXAMPLE,
    "name": "spring mugs",
    "total": 1,
    "created_at": _NOON,
    "cancelled_at": None,
}
_RECIPE: dict[str, Any] = {
    "correlation_id": "order-7",
    "scene": "studio-white",
    "placement": {},
    "presets": ["square-1x1", "amazon-main"],
    "prompt": "",
    "seed": 0,
}
_ITEM: dict[str, Any] = {"id": ITEM_ID_EXAMPLE, "filename": "mug.jpg", "sku": "MUG-01", "created_at": _NOON}
NEW_JOB_EXAMPLE = JobDetail(
    **_SUMMARY,
    **_RECIPE,
    status=JobStatus.CREATED,
    counts={ItemState.CREATED: 1},
    items=[ItemView(**_ITEM, state=ItemState.CREATED, updated_at=_NOON)],
)
FINISHED_JOB_EXAMPLE = JobDetail(
    **_SUMMARY,
    **_RECIPE,
    status=JobStatus.FINISHED,
    counts={ItemState.EXPORTED: 1},
    items=[
        ItemView(
            **_ITEM,
            state=ItemState.EXPORTED,
            photo=PHOTO_EXAMPLE,
            confidence=0.97,
            fidelity=FIDELITY_EXAMPLE,
            placed=PLACED_EXAMPLE,
            updated_at=_NOON + timedelta(seconds=6),
        )
    ],
)
CANCELLED_JOB_EXAMPLE = JobDetail(
    **{**_SUMMARY, "cancelled_at": _NOON + timedelta(seconds=40)},
    **_RECIPE,
    status=JobStatus.CANCELLED,
    counts={ItemState.CANCELLED: 1},
    items=[ItemView(**_ITEM, state=ItemState.CANCELLED, updated_at=_NOON + timedelta(seconds=40))],
)
JUDGED_ITEM_EXAMPLE = FINISHED_JOB_EXAMPLE.items[0].model_copy(
    update={"verdict": ReviewVerdict.ACCEPTED, "verdict_at": _NOON + timedelta(minutes=5)}
)
RETRIED_ITEM_EXAMPLE = NEW_JOB_EXAMPLE.items[0]
SUMMARY_EXAMPLE = JobSummary(**_SUMMARY, status=JobStatus.FINISHED, counts={ItemState.EXPORTED: 1})


def is_finished(counts: Counter[ItemState]) -> bool:
    """Whether nothing more will happen by itself to any of the items."""
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
        review=item.review,
        verdict=item.verdict,
        verdict_at=item.verdict_at,
        revision=item.revision,
        next_steps=next_steps(item),
        fidelity=_fidelity(item.meta.get("fidelity")),
        placed=_placed(item.meta),
        created_at=item.created_at,
        updated_at=item.updated_at,
    )


def public_photo(item: Item) -> PhotoFacts | None:
    """What the item's photo was found to be, or None before it was accepted."""
    return PhotoFacts.model_validate(item.photo) if item.photo else None


def _fidelity(stored: dict[str, Any] | None) -> FidelityReport | None:
    return FidelityReport.model_validate(stored) if stored is not None else None


def _placed(meta: dict[str, Any]) -> PlacedReport | None:
    """As the endpoint reported it; older items lack the newer figures."""
    if "transform" not in meta:
        return None
    told = {name: meta[name] for name in ("upscaled", "capped", "straightened_degrees") if name in meta}
    way = meta["transform"]
    lies = {"offset_x": round(way["tx"], 2), "offset_y": round(way["ty"], 2)}
    return PlacedReport(scale=round(way["scale"], 6), **told, **lies)


def job_summary(job: Job, counts: Counter[ItemState], review: ReviewCounts) -> JobSummary:
    """``job`` as it stands in a list."""
    return JobSummary(
        id=job.id,
        name=job.name,
        status=job_status(counts.elements()),
        total=counts.total(),
        counts=dict(counts),
        review=review.marked,
        to_review=review.to_review,
        created_at=job.created_at,
        cancelled_at=job.cancelled_at,
    )


def review_counts_of(items: Sequence[Item]) -> ReviewCounts:
    """What the database would count of all items of a job."""
    return ReviewCounts(sum(item.review for item in items), sum(map(waits_for_review, items)))


def job_detail(job: Job, items: Sequence[Item], *, review: bool | None = None) -> JobDetail:
    """``job`` with everything about it; ``items`` are all it has, ``review`` chooses which are shown."""
    summary = job_summary(job, Counter(item.state for item in items), review_counts_of(items))
    shown = items if review is None else [item for item in items if item.review is review]
    return JobDetail(
        **summary.model_dump(),
        public_links=job.public_links,
        correlation_id=job.correlation_id,
        scene=job.recipe.scene,
        placement=job.recipe.placement,
        presets=list(job.recipe.presets),
        prompt=job.recipe.prompt,
        seed=job.recipe.seed,
        items=[item_view(item) for item in shown],
    )

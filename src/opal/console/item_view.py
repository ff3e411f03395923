"""Everything that the pages say of one photo. Used by ``item_page.py`` and ``review_pages.py``."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.ext.asyncio import AsyncConnection

from opal.assembly import Parts
from opal.console.pictures_shown import Lying, ShownVariant, shown_variants
from opal.console.words import words
from opal.database import events, items, variants
from opal.database.jobs import Job
from opal.database.variants import VariantRow
from opal.items.events import ItemEvent
from opal.items.file_names import unique_product_stems
from opal.items.item import Item
from opal.items.states import ItemState
from opal.report_page.wording import sized
from opal.web_api.recipe import presets_of


@dataclass(frozen=True, slots=True)
class Step:
    """One move of the item."""

    state: str
    at: datetime
    after: str
    """Seconds since the move before; empty for the first."""
    note: str


@dataclass(frozen=True, slots=True)
class Neighbours:
    """The item's place in its job."""

    position: int
    total: int
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Found:
    """What the database knows of an item; read in one transaction."""

    job: Job
    item: Item
    rows: Sequence[VariantRow]
    story: Sequence[ItemEvent]
    names: Sequence[items.ItemName]


@dataclass(frozen=True, slots=True)
class ItemView:
    """One photo of a job with all that was made of it."""

    id: str
    job_id: str
    job_title: str
    name: str
    state: ItemState
    error: str | None
    review: bool
    verdict: str | None
    revision: int
    placement: dict[str, Any]
    """That of the pictures there are."""
    confidence: str | None
    reasons: Sequence[str]
    photo_facts: str | None
    photo_width: int
    photo_height: int
    has_photo: bool
    has_cutout: bool
    variants: Sequence[ShownVariant]
    steps: Sequence[Step]
    last_event: int
    place: Neighbours

    @property
    def address(self) -> str:
        """What its pictures' addresses begin with."""
        return f"/v1/jobs/{self.job_id}/items/{self.id}"

    @property
    def waits(self) -> bool:
        """Whether somebody should look at it and say what they think."""
        return self.review and self.verdict is None and self.state is ItemState.EXPORTED

    @property
    def own_frame(self) -> Lying:
        """Where the photo lies in what is as large as it is."""
        return Lying(1.0, 0.0, 0.0, 0.0)


async def find_view(connection: AsyncConnection, job: Job, item: Item) -> Found:
    """Read what the view is made of."""
    return Found(
        job=job,
        item=item,
        rows=await variants.list_variants(connection, item.id),
        story=await events.item_story(connection, item.id),
        names=await items.list_names(connection, job.id),
    )


async def item_view(parts: Parts, found: Found) -> ItemView:
    """The view; its pictures' addresses end after a quarter of an hour."""
    job, item = found.job, found.item
    ids = [named.id for named in found.names]
    position = ids.index(item.id)
    stems = unique_product_stems((named.sku, named.filename) for named in found.names)
    confidence = item.meta.get("confidence")
    return ItemView(
        id=item.id,
        job_id=job.id,
        job_title=job_title(job),
        name=item.sku or item.filename,
        state=item.state,
        error=item.error_message,
        review=item.review,
        verdict=item.verdict,
        revision=item.revision,
        placement=job.recipe.of(item).placement,
        confidence=None if confidence is None else f"{confidence:.0%}",
        reasons=item.meta.get("confidence_reasons", []),
        photo_facts=_photo_facts(item),
        photo_width=item.meta.get("photo_width") or item.photo.get("width") or 0,
        photo_height=item.meta.get("photo_height") or item.photo.get("height") or 0,
        has_photo=bool(item.photo) and item.raw_expired_at is None,
        has_cutout=item.matte_path is not None and item.outputs_expired_at is None,
        variants=await shown_variants(parts, item, found.rows, presets_of(job.recipe), stems[position]),
        steps=_steps(found.story),
        last_event=max((event.seq for event in found.story), default=0),
        place=Neighbours(
            position + 1,
            len(ids),
            ids[position - 1] if position else None,
            ids[position + 1] if position + 1 < len(ids) else None,
        ),
    )


def job_title(job: Job) -> str:
    """The job's name, or one by its day."""
    return job.name or words().say("jobs.unnamed", day=f"{job.created_at:%-d %B}")


def _photo_facts(item: Item) -> str | None:
    if not item.photo.get("width"):
        return None
    size = f"{item.photo['width']} × {item.photo['height']} {item.photo['format'].upper()}"
    return f"{size}, {sized(item.photo['bytes'])}" if item.photo.get("bytes") else size


def _steps(story: Sequence[ItemEvent]) -> list[Step]:
    """The moves, without what happened within a state."""
    moves = [event for event in story if event.source != event.target]
    steps = []
    for index, event in enumerate(moves):
        passed = (event.at - moves[index - 1].at).total_seconds() if index else None
        after = "" if passed is None else words().say("item.after", seconds=f"{passed:.1f}")
        steps.append(Step(words().say(f"state.{event.target}"), event.at, after, event.message or ""))
    return steps

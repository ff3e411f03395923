"""One uploaded item to a completed one: the steps in order.

Called through ``worker/item_stage.py`` for every message on ``jobs``. Read ``STEPS`` first.
"""

import base64
import binascii
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace

import structlog
from tenacity import AsyncRetrying, retry_if_exception_type, stop_after_attempt, wait_exponential

from opal.blobs.interface import Blobs, Permission
from opal.database import backdrops, items, ledger, outbox, revisions
from opal.database.engine import Database
from opal.database.items import Stage
from opal.errors import (
    BlobExists,
    BlobNotFound,
    BlobStoreUnavailable,
    ScoringFailed,
    StoredPictureUnusable,
)
from opal.items.item import Item, blob_path
from opal.items.review import needs_review
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage, send_export_message
from opal.messages.scoring_contract import OutputSas, ScoreRequest, ScoreResponse
from opal.outbox_relay import OutboxRelay
from opal.scoring_client.client import ScoringClient
from opal.telemetry.tracing import traceparent
from opal.worker.item_work import ItemWork, begin_work, take_steps
from opal.worker.pinned_photo import require_pinned

_log = structlog.get_logger(__name__)

BY = "orchestrator"
STORE_TRIES = 3


@dataclass(frozen=True, slots=True)
class Means:
    """What the steps work with."""

    database: Database
    blobs: Blobs
    scoring: ScoringClient
    relay: OutboxRelay
    review_below: float
    """Confidence 0..1 below which a person is asked to look at the pictures."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(ItemWork):
    """One item under way; each step returns it with what it found out."""

    scene_path: str = ""
    matte_path: str = ""
    request: ScoreRequest | None = None
    response: ScoreResponse | None = None


Step = Callable[[Means, Work], Awaitable[Work]]


async def verify_photo(means: Means, work: Work) -> Work:
    """Nothing but the photo that was checked when it was uploaded is worked on."""
    await require_pinned(means.blobs, work.item)
    return work


async def sign_urls(means: Means, work: Work) -> Work:
    """URLs that can read the photo (and backdrop) and create the two outputs, whose names carry the attempt.

    They keep the full quarter of an hour: a short life for clients' URLs must not cut an attempt short.
    """
    item, recipe = work.item, work.recipe
    assert item.raw_path is not None, "an item without a photo is never queued"
    scene_path, matte_path = (_output_path(item, name) for name in ("scene", "matte"))
    backdrop_path = await _backdrop_path(means, work)

    async def sign(container: str, path: str, permission: Permission) -> str:
        return (await means.blobs.signed_url(container, path, permission)).url

    request = ScoreRequest(
        tenant_id=item.tenant_id,
        job_id=item.job_id,
        item_id=item.id,
        input_image_sas=await sign("raw", item.raw_path, Permission.READ),
        prompt=recipe.prompt,
        scene=recipe.scene,
        placement=recipe.placement,
        backdrop_image_sas=backdrop_path and await sign("raw", backdrop_path, Permission.READ),
        seed=recipe.seed,
        engine=None if work.revision is None else work.revision.engine,
        output_sas=OutputSas(
            scene=await sign("outputs", scene_path, Permission.CREATE),
            matte=await sign("outputs", matte_path, Permission.CREATE),
        ),
    )
    return replace(work, scene_path=scene_path, matte_path=matte_path, request=request)


async def ask_endpoint(means: Means, work: Work) -> Work:
    """The placement endpoint cuts the product out and places it."""
    assert work.request is not None
    return replace(work, response=await means.scoring.score(work.request, work.item.correlation_id))


async def store_outputs(means: Means, work: Work) -> Work:
    """Pictures that came inline are stored here; usually the endpoint has stored them itself."""
    assert work.response is not None
    inline = (
        (work.scene_path, work.response.image_bytes_b64),
        (work.matte_path, work.response.matte_bytes_b64),
    )
    for path, encoded in inline:
        if encoded is not None:
            await _store(means.blobs, path, _decoded(encoded))
    return work


async def verify_outputs(means: Means, work: Work) -> Work:
    """Nothing is charged for pictures that are not there, or whose photo was replaced under the endpoint."""
    await require_pinned(means.blobs, work.item)
    for path in (work.scene_path, work.matte_path):
        try:
            info = await means.blobs.info("outputs", path)
        except BlobNotFound as error:
            raise ScoringFailed(f"The endpoint did not store {path.rpartition('/')[2]}.") from error
        if info.size == 0:
            raise ScoringFailed(f"The endpoint stored an empty {path.rpartition('/')[2]}.")
    return work


async def complete_item(means: Means, work: Work) -> Work:
    """State, charge and next message, in one transaction that only this attempt can commit.

    A doubtful cut-out is marked for review and goes on like any other. Of a revision the row keeps what was
    found: until its pictures are there, the item's are of the cut-out before, which is paid for.
    """
    assert work.response is not None
    meta = work.response.meta.model_dump(mode="json")
    review = needs_review(work.response.meta.confidence, means.review_below)
    revision = work.revision
    found = {"scene_path": work.scene_path, "matte_path": work.matte_path, "meta": meta, "review": review}
    # The export is another stage with a budget of its own; the events keep the old figures.
    changes = {"failures": 0, "interruptions": 0, **(found if revision is None else {})}
    async with means.database.transaction() as connection:
        completed = await items.move(
            connection,
            work.item,
            ItemState.COMPLETED,
            by=BY,
            changes=changes,
            details={"seconds": dict(work.seconds)},
            tell=revision is None,
        )
        if revision is None:
            await ledger.debit(connection, completed)
        else:
            await revisions.cut_out_anew(
                connection,
                completed.id,
                revision.number,
                matte_path=work.matte_path,
                meta=meta,
                review=review,
            )
        await send_export_message(outbox.Outbox(connection), ExportMessage.of(completed, traceparent()))
    means.relay.kick()
    return replace(work, item=completed)


STEPS: tuple[Step, ...] = (
    # Before these, worker/item_stage.py has claimed the item; it keeps the lease while they run.
    verify_photo,
    sign_urls,
    ask_endpoint,
    store_outputs,
    verify_outputs,
    complete_item,
)


async def process_item(means: Means, item: Item) -> None:
    """Take a claimed item through all steps."""
    work = await begin_work(Work, means.database, item)
    work = await take_steps(Stage.PROCESS, STEPS, means, work)
    _log.info("item completed", action="item.completed", attempt=item.attempt, review=work.item.review)


async def _backdrop_path(means: Means, work: Work) -> str | None:
    """Where the picture of a `backdrop` scene lies.

    Raises UnknownBackdrop when its row is gone, StoredPictureUnusable when its blob is not the one checked.
    """
    if work.recipe.backdrop_id is None:
        return None
    async with means.database.read() as connection:
        backdrop = await backdrops.ready_backdrop(connection, work.item.tenant_id, work.recipe.backdrop_id)
    try:
        info = await means.blobs.info("raw", backdrop.raw_path)
    except BlobNotFound as error:
        raise StoredPictureUnusable("The backdrop's picture is missing.") from error
    if info.etag != backdrop.etag:
        raise StoredPictureUnusable("The backdrop's picture is no longer the one that was uploaded.")
    return backdrop.raw_path


def _output_path(item: Item, name: str) -> str:
    return blob_path(item.tenant_id, item.job_id, item.id, "outputs", f"{item.attempt}-{name}.png")


def _decoded(encoded: str) -> bytes:
    try:
        return base64.b64decode(encoded, validate=True)
    except binascii.Error as error:
        raise ScoringFailed("The endpoint's inline picture is no base64.") from error


async def _store(blobs: Blobs, path: str, data: bytes) -> None:
    """Write one output, trying three times; waits grow exponentially from 1 to 5 s."""
    async for attempt in AsyncRetrying(
        retry=retry_if_exception_type(BlobStoreUnavailable),
        stop=stop_after_attempt(STORE_TRIES),
        wait=wait_exponential(multiplier=1, max=5),
        reraise=True,
    ):
        with attempt:
            try:
                await blobs.write("outputs", path, data, content_type="image/png")
            except BlobExists:
                return  # A try before this one stored it and only its answer was lost.

"""One completed item to an exported one: the steps in order.

Called through ``worker/item_stage.py`` for every message on ``exports``. Read ``STEPS`` first.
"""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, replace
from typing import Any

import structlog

from opal.blobs.interface import Blobs
from opal.content_credentials.sign import PictureSigner
from opal.database import backdrops, delivery_plan, items, revisions, variants
from opal.database.engine import Database
from opal.database.items import Stage
from opal.database.public_links import job_links
from opal.database.revisions import RevisionState
from opal.database.variants import VariantRow
from opal.decoder.pictures import decode_photo
from opal.errors import (
    BackdropUnusable,
    BlobExists,
    BlobNotFound,
    InvalidPhoto,
    OpalError,
    StoredPictureUnusable,
)
from opal.export_worker.create_variants import Variant, create_variants
from opal.images.limits import Limits
from opal.images.matte import Matte, read_matte
from opal.images.photo import Photo
from opal.items.item import Item, blob_path
from opal.items.states import ItemState
from opal.marketplaces.presets import resolve_presets, usable_presets
from opal.messages.webhook_event import PublicPicture
from opal.placement.backdrop import decode_backdrop
from opal.placement.placement import resolve_placement
from opal.placement.scene import resolve_scene
from opal.placement.scene_picture import ScenePicture, make_scene_picture
from opal.worker.item_work import ItemWork, begin_work, take_steps
from opal.worker.pinned_photo import require_pinned

BY = "export-worker"

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Means:
    """What the steps work with."""

    database: Database
    blobs: Blobs
    limits: Limits
    signer: PictureSigner | None = None
    public_links_url: str = ""
    """What public links begin with."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work(ItemWork):
    """One item under way; each step returns it with what it found out."""

    original: bytes = b""
    matte_png: bytes = b""
    backdrop_bytes: bytes | None = None
    photo: Photo | None = None
    backdrop: Photo | None = None
    matte: Matte | None = None
    scene: ScenePicture | None = None
    scene_path: str | None = None
    variants: tuple[Variant, ...] = ()
    rows: tuple[VariantRow, ...] = ()

    @property
    def matte_path(self) -> str:
        """Where the matte lies that the pictures are made with."""
        path = self.revision.matte_path if self.revision else None
        path = path or self.item.matte_path
        assert path is not None, "no item comes here without"
        return path


Step = Callable[[Means, Work], Awaitable[Work]]


async def read_blobs(means: Means, work: Work) -> Work:
    """The photo as it was uploaded (that very version), its matte, and a backdrop."""
    item = work.item
    assert item.raw_path is not None
    try:
        original, matte_png, backdrop = await asyncio.gather(
            means.blobs.read("raw", item.raw_path, etag=item.photo.get("etag")),
            means.blobs.read("outputs", work.matte_path),
            _read_backdrop(means, work),
        )
    except BlobNotFound as error:
        await require_pinned(means.blobs, item)
        raise StoredPictureUnusable(f"A stored picture is missing: {error.message}") from error
    return replace(work, original=original, matte_png=matte_png, backdrop_bytes=backdrop)


async def decode(means: Means, work: Work) -> Work:
    """Each picture is decoded once, whatever the number of presets."""
    try:
        photo = await asyncio.to_thread(decode_photo, work.original, means.limits)
        matte = await asyncio.to_thread(read_matte, work.matte_png)
        backdrop = None
        if work.backdrop_bytes is not None:
            backdrop = await asyncio.to_thread(decode_backdrop, work.backdrop_bytes, means.limits)
    except (InvalidPhoto, BackdropUnusable) as error:
        # It was decodable when the client was told so: the blob is at fault, not the client.
        raise StoredPictureUnusable(f"A stored picture cannot be read: {error.message}") from error
    if matte.shape != (photo.height, photo.width):
        raise StoredPictureUnusable(
            f"The matte is {matte.shape[1]} × {matte.shape[0]}, the photo {photo.width} × {photo.height}."
        )
    return replace(
        work, photo=photo, matte=matte, backdrop=backdrop, original=b"", matte_png=b"", backdrop_bytes=None
    )


async def compose_scene(_means: Means, work: Work) -> Work:
    """A revision gets a scene picture of its own; the first one is the endpoint's."""
    if work.revision is None:
        return work
    assert work.photo is not None
    assert work.matte is not None
    scene = await asyncio.to_thread(
        make_scene_picture,
        work.photo,
        work.matte,
        resolve_scene(work.recipe.scene),
        resolve_placement(work.recipe.placement),
        seed=_seed(work),
        backdrop=work.backdrop,
    )
    return replace(work, scene=scene)


async def compose_variants(means: Means, work: Work) -> Work:
    """One picture per preset, signed where a certificate is set.

    CPU-bound, so off the event loop, which renews the lease.
    """
    assert work.photo is not None
    assert work.matte is not None
    made = await asyncio.to_thread(
        create_variants,
        work.photo,
        work.matte,
        resolve_scene(work.recipe.scene),
        resolve_placement(work.recipe.placement),
        resolve_presets(work.recipe.presets, usable_presets(work.recipe.own_presets)),
        seed=_seed(work),
        backdrop=work.backdrop,
        signer=means.signer,
        file_name=work.item.filename,
    )
    return replace(work, variants=tuple(made), photo=None, matte=None, backdrop=None)


async def store_scene(means: Means, work: Work) -> Work:
    """Write a revision's scene picture."""
    if work.scene is None:
        return work
    item = work.item
    path = blob_path(item.tenant_id, item.job_id, item.id, "outputs", f"{item.attempt}-scene.png")
    with suppress(BlobExists):
        await means.blobs.write("outputs", path, work.scene.png, content_type="image/png")
    return replace(work, scene_path=path)


async def store_variants(means: Means, work: Work) -> Work:
    """Write first, record after: a row never names a blob that is not there.

    Where one cannot be stored, the others are removed again: the next attempt writes its own, and on a disk
    that is full they would take the room that it needs.
    """
    async with asyncio.TaskGroup() as group:
        writing = [group.create_task(_attempted(means.blobs, work.item, each)) for each in work.variants]
    stored = [task.result() for task in writing]
    rows = [row for row in stored if isinstance(row, VariantRow)]
    failures = [failure for failure in stored if not isinstance(failure, VariantRow)]
    if failures:
        with suppress(OpalError):
            for row in rows:
                await means.blobs.delete("exports", row.path)
        raise failures[0]
    return replace(work, rows=tuple(rows), variants=())


async def record_variants(means: Means, work: Work) -> Work:
    """The last move, all rows and their deliveries, in one transaction that only this attempt can commit.

    So an item has all its variants or none: an attempt that died before this leaves nothing to build on. A
    revision's take the place of those before, and its look becomes the item's.
    """
    async with means.database.transaction() as connection:
        links = await job_links(connection, work.item.job_id)
        addresses = ((row.preset, links.url(means.public_links_url, work.item, row)) for row in work.rows)
        exported = await items.move(
            connection,
            work.item,
            ItemState.EXPORTED,
            by=BY,
            changes=_revised(work),
            details={"seconds": dict(work.seconds)},
            public_pictures=[PublicPicture(preset=preset, url=url) for preset, url in addresses if url],
        )
        if work.revision is not None:
            done = RevisionState.DONE
            await revisions.end_revision(connection, exported.id, work.revision.number, done)
            await variants.forget_variants(connection, exported)
        for row in work.rows:
            await variants.record_variant(connection, exported, row)
        await delivery_plan.plan_deliveries(connection, exported, work.rows)
    return replace(work, item=exported)


STEPS: tuple[Step, ...] = (
    # Before these, worker/item_stage.py has claimed the item; it keeps the lease while they run.
    read_blobs,
    decode,
    compose_scene,
    compose_variants,
    store_scene,
    store_variants,
    record_variants,
)


async def export_item(means: Means, item: Item) -> None:
    """Take a claimed item through all steps."""
    work = await begin_work(Work, means.database, item)
    work = await take_steps(Stage.EXPORT, STEPS, means, work)
    _log.info(
        "item exported",
        action="item.exported",
        attempt=item.attempt,
        variants=len(work.rows),
        revision=work.item.revision,
    )


def _seed(work: Work) -> int:
    return int(work.item.meta.get("seed", work.recipe.seed))


def _revised(work: Work) -> dict[str, Any]:
    """What of the item becomes the revision's: nobody has judged its pictures."""
    if work.revision is None:
        return {}
    assert work.scene is not None
    # Where it was cut out anew, what was found then takes the place of what was found before.
    anew = {} if work.revision.review is None else {"review": work.revision.review}
    return {
        **anew,
        "revision": work.revision.number,
        "pending_revision": None,
        "scene": work.revision.scene,
        "placement": work.revision.placement,
        "scene_path": work.scene_path,
        "matte_path": work.matte_path,
        "outputs_expired_at": None,
        "meta": {**(work.revision.meta or work.item.meta), **work.scene.facts()},
        "verdict": None,
        "verdict_at": None,
        "failures": 0,
        "interruptions": 0,
    }


async def _read_backdrop(means: Means, work: Work) -> bytes | None:
    """The picture of a `backdrop` scene; raises UnknownBackdrop when its row is gone."""
    if work.recipe.backdrop_id is None:
        return None
    async with means.database.read() as connection:
        backdrop = await backdrops.ready_backdrop(connection, work.item.tenant_id, work.recipe.backdrop_id)
    return await means.blobs.read("raw", backdrop.raw_path, etag=backdrop.etag)


async def _attempted(blobs: Blobs, item: Item, variant: Variant) -> VariantRow | OpalError:
    """The row of a picture that is stored, or why it is not."""
    try:
        return await _store(blobs, item, variant)
    except OpalError as error:
        return error


async def _store(blobs: Blobs, item: Item, variant: Variant) -> VariantRow:
    path = blob_path(
        item.tenant_id,
        item.job_id,
        item.id,
        "exports",
        f"{item.attempt}/{variant.preset}.{variant.extension}",
    )
    # The attempt is in the name, so a blob that exists is ours: only the answer to its write was lost.
    with suppress(BlobExists):
        await blobs.write("exports", path, variant.data, content_type=variant.media_type)
    return VariantRow(
        preset=variant.preset,
        path=path,
        format=variant.format,
        content_type=variant.media_type,
        width=variant.width,
        height=variant.height,
        bytes=len(variant.data),
        sha256=variant.sha256,
        compliance=[result.model_dump(mode="json", exclude={"not_judged"}) for result in variant.compliance],
        fidelity=variant.fidelity.model_dump(mode="json"),
        placed={
            "scale": round(variant.scale, 6),
            "offset_x": round(variant.offset[0], 2),
            "offset_y": round(variant.offset[1], 2),
            "upscaled": variant.upscaled,
            "capped": variant.capped,
            "straightened_degrees": variant.straightened_degrees,
        },
    )

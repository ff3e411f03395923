"""Previews of scenes with a product of the client's own: cut out once, composed in one scene after another.

Called by ``scene_previews.py``. Nothing is stored: what the client needs again it gets back, so that any
replica can answer. No credit is taken; a count a minute per tenant bounds it, and the places of a process.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from opal.assembly import Parts
from opal.cutout_pictures.picture import make_picture
from opal.cutout_pictures.wanted import Length, Wanted
from opal.database import rate_limit
from opal.database.backdrops import ReadyBackdrop
from opal.database.engine import Database
from opal.decoder.pictures import decode_photo
from opal.errors import BackdropUnusable, BlobNotFound
from opal.http.errors import PreviewsBusy, TooManyRequests
from opal.images.limits import Limits
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.placement.backdrop import decode_backdrop
from opal.placement.placement import Placement
from opal.placement.product import Product
from opal.placement.scene import BackdropScene, Scene
from opal.placement.thumbnail import preview
from opal.placement.upright import upright
from opal.scoring_client.client import ScoringClient
from opal.web_api.bare_cutout import bare_cutout

LONGEST_SIDE: Final = 2048
"""Pixels of a photo to preview; what shows a scene 480 pixels wide needs no more."""
_SUBJECT: Final = "previews"
_CUTTING_COSTS: Final = 4
"""Previews that count as much as having a photo cut out."""
_PLACES: Final = 8
_TRIES: Final = 2
_DEADLINE_S: Final = 40.0
_BACKDROP_SIDE: Final = 1280
_BACKDROPS_KEPT: Final = 8
_BORDER: Final = (Length(0.06, relative=True),) * 4
"""Around the cut-out that is given back, so that none is taken for one that leaves its photo."""


@dataclass(frozen=True, slots=True)
class Subject:
    """What is shown in every scene; ``cutout`` and ``confidence`` where it was cut out only now."""

    product: Product
    cutout: bytes | None = None
    """A WebP with transparency."""
    confidence: float | None = None


class PreviewWork:
    """One per process."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts
        self._limits = replace(
            Limits.of(parts.settings.photo),
            max_bytes=parts.settings.web.max_body_bytes,
            max_pixels=LONGEST_SIDE**2,
            max_side=LONGEST_SIDE,
            halve=False,
            # A cut-out that came back is no wider than the product.
            min_side=8,
        )
        self._scoring = ScoringClient(
            parts.settings.scoring.model_copy(update={"attempts": _TRIES}),
            deadline_s=_DEADLINE_S,
            first_wait_s=0.3,
        )
        self._inside = 0
        # Composing takes a core for a moment; other requests want to be answered meanwhile.
        self._composing = asyncio.Semaphore(1)
        self._decoding = asyncio.Semaphore(1)
        self._backdrops: OrderedDict[tuple[str, str], Photo] = OrderedDict()

    async def close(self) -> None:
        """Close the connections."""
        await self._scoring.close()

    @contextmanager
    def place(self) -> Iterator[None]:
        """A place among those who have a photo looked at. Raises ``PreviewsBusy``."""
        if self._inside >= _PLACES:
            raise PreviewsBusy
        self._inside += 1
        try:
            yield
        finally:
            self._inside -= 1

    async def subject(
        self, database: Database, tenant_id: str, data: bytes, placement: Placement, correlation_id: str
    ) -> Subject:
        """The product on a small photo, which is taken for cut out where it brings its own transparency.

        Raises ``TooManyRequests``, ``InvalidPhoto`` and what the placement endpoint is told to raise.
        """
        photo = await asyncio.to_thread(decode_photo, data, self._limits)
        if photo.alpha is not None:
            await self._count(database, tenant_id, 1)
            matte = photo.alpha.numpy().reshape(photo.height, photo.width).astype(np.float32) / np.float32(
                255
            )
            return Subject(await asyncio.to_thread(_product, photo, matte, placement))
        await self._count(database, tenant_id, _CUTTING_COSTS)
        cut = await bare_cutout(self._scoring, tenant_id, data, self._limits, None, correlation_id)
        wanted = Wanted(size="preview", format="webp", crop=True, margins=_BORDER)
        given = await asyncio.to_thread(make_picture, cut.photo, cut.matte, wanted, None, sandbox=False)
        product = await asyncio.to_thread(_product, cut.photo, cut.matte, placement)
        return Subject(product, given.data, cut.confidence)

    async def shown(
        self, subject: Subject, scene: Scene, placement: Placement, stored: ReadyBackdrop | None
    ) -> bytes:
        """A WebP of the product in the scene. Raises ``BackdropUnusable`` and ``BackdropTooSmall``."""
        backdrop = None
        if isinstance(scene, BackdropScene) and stored is not None:
            backdrop = await self.backdrop(stored)
        async with self._composing:
            return await asyncio.to_thread(preview, subject.product, scene, placement, backdrop)

    async def _count(self, database: Database, tenant_id: str, cost: int) -> None:
        most = self._parts.settings.web.previews_per_tenant
        async with database.transaction() as connection:
            allowance = await rate_limit.take_requests(connection, tenant_id, _SUBJECT, cost, most)
        if not allowance.granted:
            raise TooManyRequests(f"A tenant may have {most:,} previews a minute.", allowance.resets_in_s)

    async def backdrop(self, stored: ReadyBackdrop) -> Photo:
        """A small copy of it, decoded one at a time and kept for later. Raises ``BackdropUnusable``."""
        key = (stored.raw_path, stored.etag)
        async with self._decoding:
            if key not in self._backdrops:
                try:
                    data = await self._parts.blobs.read("raw", stored.raw_path, etag=stored.etag)
                except BlobNotFound as error:
                    raise BackdropUnusable("The backdrop's picture is gone.") from error
                limits = Limits.of(self._parts.settings.photo)
                self._backdrops[key] = await asyncio.to_thread(_small_backdrop, data, limits)
                while len(self._backdrops) > _BACKDROPS_KEPT:
                    self._backdrops.popitem(last=False)
            self._backdrops.move_to_end(key)
            return self._backdrops[key]


def _product(photo: Photo, matte: Matte, placement: Placement) -> Product:
    turned = upright(photo, matte, placement)
    return Product.of(turned.photo, turned.matte)


def _small_backdrop(data: bytes, limits: Limits) -> Photo:
    whole = decode_backdrop(data, limits)
    pixels = whole.pixels if whole.pixels.format == "uchar" else whole.pixels.colourspace("srgb")
    small = pixels.thumbnail_image(_BACKDROP_SIDE, height=_BACKDROP_SIDE, size="down").copy_memory()
    return Photo(small, None, whole.source)

"""Compiles every loop over pixels, so that nobody's first picture has to wait for it.

Run as `python -m opal.export_worker.warm_up` when Opal is set up. Takes about ten seconds of CPU the first
time and a second ever after, as the machine code is kept (`images/compiled.py`).
"""

import numpy as np
import pyvips

from opal.export_worker.create_variants import create_variants
from opal.images.decode import decode_photo
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.marketplaces.presets import resolve_presets
from opal.placement.placement import Placement
from opal.placement.scene import Scene, SolidScene, StudioScene

_SIDE = 96
_PRESETS = ("thumbnail-webp", "cutout-png")
_SETS: tuple[tuple[Scene, Placement], ...] = (
    (SolidScene(), Placement(shadow="contact")),
    (SolidScene(), Placement(shadow="none")),
    (StudioScene(), Placement(shadow="hard")),
    (StudioScene(), Placement(shadow="floating")),
    (StudioScene(), Placement(shadow="none")),
)


def warm_up() -> None:
    """Make small pictures of a drawn product on grounds of every layout in memory."""
    photo, matte = _drawn()
    thumbnail, cutout = resolve_presets(_PRESETS)
    # A JPEG looks for colours that may be halved, which WebP does without asking.
    presets = [thumbnail.model_copy(update={"format": "jpeg"}), cutout]
    for scene, placement in _SETS:
        create_variants(photo, matte, scene, placement, presets, seed=0)


def _drawn() -> tuple[Photo, Matte]:
    """A ball on grey, and its matte."""
    y, x = np.mgrid[0:_SIDE, 0:_SIDE]
    codes = np.stack([60 + x, 40 + y, np.full_like(x, 90)], axis=-1).astype(np.uint8)
    image = pyvips.Image.new_from_array(codes).copy(interpretation="srgb")
    matte = np.clip(_SIDE / 3 - np.hypot(x - _SIDE / 2, y - _SIDE / 2), 0.0, 1.0)
    return decode_photo(image.pngsave_buffer()), matte.astype(np.float32)


if __name__ == "__main__":
    warm_up()

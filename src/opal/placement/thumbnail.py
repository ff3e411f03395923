"""A scene seen at a glance, with a plain bottle in the scene's own light, or with a product of one's own.

Called by `opal scenes --thumbnails` and by web-api for previews; web-api ships the thumbnails drawn.
"""

from typing import Final

import numpy as np
from numpy.typing import NDArray

from opal.images.encode import encode
from opal.images.photo import Photo
from opal.placement.casting import light_of
from opal.placement.place import compose
from opal.placement.placement import Placement
from opal.placement.product import Product
from opal.placement.scene import Scene
from opal.placement.stand_in import stand_in

WIDTH: Final = 640
HEIGHT: Final = 480
"""Pixels; shown at half that, it is sharp on every screen."""
MEDIA_TYPE: Final = "image/jpeg"
PREVIEW_WIDTH: Final = 480
PREVIEW_HEIGHT: Final = 360
PREVIEW_MEDIA_TYPE: Final = "image/webp"

_QUALITY = 88
_PREVIEW_QUALITY = 82
_PREVIEW_ENLARGED = 4.0
_SEED = 1
_MARGIN = 0.17
_SQUARE = 16
_CHECKER = (np.uint8(255), np.uint8(232))


def thumbnail(scene: Scene) -> bytes:
    """The scene as a JPEG of `WIDTH` x `HEIGHT`; the same scene gives the same bytes. Takes half a second.

    Transparency shows a checkerboard.
    """
    # The shadow says where the light comes from; a cut-out has none.
    placement = Placement(margin=_MARGIN, shadow=None if scene.kind == "transparent" else "soft")
    bottle = stand_in(light_of(placement, scene))
    made = compose(Product.of(bottle.photo, bottle.matte), scene, placement, WIDTH, HEIGHT, seed=_SEED)
    return encode(_opaque(made.pixels), "jpeg", _QUALITY)


def preview(product: Product, scene: Scene, placement: Placement, backdrop: Photo | None = None) -> bytes:
    """The product in the scene as a WebP of `PREVIEW_WIDTH` x `PREVIEW_HEIGHT`. Takes a tenth of a second.

    The photo is a small copy of the real one, so that how far that may be enlarged is not asked. `backdrop`
    is the picture of a `backdrop` scene. Raises BackdropUnusable and BackdropTooSmall.
    """
    free = placement.model_copy(update={"upscale_limit": _PREVIEW_ENLARGED})
    made = compose(product, scene, free, PREVIEW_WIDTH, PREVIEW_HEIGHT, seed=_SEED, backdrop=backdrop)
    return encode(_opaque(made.pixels), "webp", _PREVIEW_QUALITY)


def _opaque(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    return pixels if pixels.shape[2] == 3 else _on_checkerboard(pixels)


def _on_checkerboard(pixels: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """(H, W, 4) to (H, W, 3); mixed in codes, as every viewer does it."""
    rows, columns = np.arange(pixels.shape[0]) // _SQUARE, np.arange(pixels.shape[1]) // _SQUARE
    odd = (rows[:, None] + columns[None, :]) % 2 == 1
    ground = np.where(odd, _CHECKER[1], _CHECKER[0])[..., None].astype(np.float32)
    share = pixels[..., 3:].astype(np.float32) / np.float32(255)
    return np.rint(ground + share * (pixels[..., :3] - ground)).astype(np.uint8)

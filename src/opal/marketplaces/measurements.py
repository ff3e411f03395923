"""What every rule measures on a finished picture. Called by `compliance.py`.

Everything is measured on the file decoded again, except what a file cannot tell: where the product is (its
coverage, from the composition or a cut-out), how far it was enlarged, and what is true of its making.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.images.contact import SOLID, product_box
from opal.images.finished import FinishedPicture
from opal.marketplaces.presets import Limit, Preset, RuleName

_BLOCK = 8
"""Side of a JPEG block at 4:4:4. The product's edge ripples through the blocks it touches, so those and
their neighbours do not count as ground."""
_BORDER = 2
"""Width in pixels of the frame that is looked at as the picture's border."""
_EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "jpeg": ("jpg", "jpeg"),
    "png": ("png",),
    "webp": ("webp",),
    "avif": ("avif",),
    "tiff": ("tif", "tiff"),
}
"""File name extensions that shops take for a format, by what the first bytes say."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What the file itself cannot tell."""

    alpha: NDArray[np.float32]
    """(H, W) the product's coverage as composed, 0..1."""
    scale: float
    """Canvas pixels per photo pixel."""
    extension: str = ""
    """Of the file's name, without dot."""
    digital_source_type: str | None = None
    """What the file has to say of its making: a short name of IPTC's vocabulary."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that a measurement may look at."""

    picture: FinishedPicture
    placed: Placed
    preset: Preset


def _background_border(look: Look) -> Limit | None:
    """The darkest colour on the picture's frame, channel by channel."""
    pixels = look.picture.pixels[..., :3]
    frame = np.ones(pixels.shape[:2], bool)
    frame[_BORDER:-_BORDER, _BORDER:-_BORDER] = False
    return _colour(pixels[frame].min(axis=0))


def _background_outside(look: Look) -> Limit | None:
    """The darkest colour anywhere that is not product, channel by channel; None when all is product."""
    ground = ~_near_product(look.placed.alpha > 0.0)
    if not ground.any():
        return None
    darkest = 255 - _block_maximum(255 - look.picture.pixels[..., :3])
    return _colour(darkest[ground].min(axis=0))


def _fill_share(look: Look) -> Limit | None:
    """Share of the frame that the product takes in its tighter direction."""
    box = product_box(_coverage(look), SOLID)
    if box is None:
        return None
    return round(max(box.width / look.picture.width, box.height / look.picture.height), 4)


def _clearance(look: Look) -> Limit | None:
    """Empty pixels between the product and the nearest border; 0 where it touches or is cut."""
    box = product_box(_coverage(look))
    if box is None:
        return None
    return min(box.left, box.top, look.picture.width - box.right, look.picture.height - box.bottom)


def _product_longest_side(look: Look) -> Limit | None:
    """The product's own longer side in pixels, white margins left out."""
    box = product_box(_coverage(look), SOLID)
    return None if box is None else max(box.width, box.height)


def _margin_share(look: Look) -> Limit | None:
    """The narrowest free side around the product, as a share of the picture's shorter side."""
    clearance = _clearance(look)
    shorter = min(look.picture.width, look.picture.height)
    return None if clearance is None else round(float(clearance) / shorter, 4)


def _safe_area(look: Look) -> Limit | None:
    """Whether the product keeps out of the zones that the channel covers with its own buttons."""
    box = product_box(_coverage(look), SOLID)
    if box is None:
        return None
    free = look.preset.clear_box(look.picture.width, look.picture.height)
    across = free.left <= box.left and box.right <= free.right
    return across and free.top <= box.top and box.bottom <= free.bottom


def _extension(look: Look) -> Limit | None:
    """Whether the file's name ends as its first bytes demand."""
    return look.placed.extension in _EXTENSIONS.get(look.picture.format, ())


def _ai_marking(look: Look) -> Limit | None:
    """Whether the file says of its making what is true: IPTC's DigitalSourceType, or nothing."""
    return look.picture.digital_source_type == look.placed.digital_source_type


def _coverage(look: Look) -> NDArray[np.float32]:
    """Where the product is: from the file when it has alpha, else from the composition."""
    if look.picture.has_alpha:
        return look.picture.pixels[..., 3].astype(np.float32) / 255.0
    return look.placed.alpha


def _near_product(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """One truth per block: whether it or one of the eight around it holds something of the mask."""
    blocks = _block_maximum(mask[..., None].view(np.uint8))[..., 0] > 0
    around = np.pad(blocks, 1)
    down, across = blocks.shape
    near = np.zeros_like(blocks)
    for y in range(3):
        for x in range(3):
            near |= around[y : y + down, x : x + across]
    return near


def _block_maximum(values: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Largest value of each block of (H, W, C); a block cut off by the border counts what is there."""
    height, width, bands = values.shape
    if height % _BLOCK or width % _BLOCK:
        values = np.pad(values, ((0, -height % _BLOCK), (0, -width % _BLOCK), (0, 0)))
    # Rows first, over whole lines of memory: ten times faster than both axes at once.
    lines = values.reshape(-1, _BLOCK, values.shape[1] * bands).max(axis=1)
    return np.asarray(lines.reshape(lines.shape[0], -1, _BLOCK, bands).max(axis=2))


def _colour(codes: NDArray[np.uint8]) -> str:
    return ",".join(str(int(code)) for code in codes)


MEASUREMENTS: Mapping[RuleName, Callable[[Look], Limit | None]] = {
    "width": lambda look: look.picture.width,
    "height": lambda look: look.picture.height,
    "longest_side": lambda look: max(look.picture.width, look.picture.height),
    "shortest_side": lambda look: min(look.picture.width, look.picture.height),
    "aspect_ratio": lambda look: round(look.picture.width / look.picture.height, 4),
    "format": lambda look: look.picture.format,
    "bytes": lambda look: look.picture.bytes,
    "colour_space": lambda look: look.picture.colour_space,
    "bits_per_channel": lambda look: look.picture.bits,
    "has_alpha": lambda look: look.picture.has_alpha,
    "dpi": lambda look: look.picture.dpi,
    "megapixels": lambda look: round(look.picture.width * look.picture.height / 1e6, 3),
    "side_sum": lambda look: look.picture.width + look.picture.height,
    "frames": lambda look: look.picture.frames,
    "extension": _extension,
    "background_border": _background_border,
    "background_outside": _background_outside,
    "fill_share": _fill_share,
    "product_longest_side": _product_longest_side,
    "clearance": _clearance,
    "margin_share": _margin_share,
    "safe_area": _safe_area,
    "upscaling": lambda look: round(max(1.0, look.placed.scale), 4),
    "ai_marking": _ai_marking,
}

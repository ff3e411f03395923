"""What every rule measures on a finished picture. Called by `compliance.py`.

Everything is measured on the file decoded again, except what a file cannot tell: where the product is (its
coverage, from the composition or a cut-out), how far it was enlarged, and what is true of its making. Of a
file that somebody else made the last two are not known, and are not judged.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opal.images.contact import SOLID, product_box
from opal.images.finished import FinishedPicture
from opal.marketplaces.presets import Preset
from opal.marketplaces.rule import Limit, RuleName

_BORDER = 2
"""Width in pixels of the frame that is looked at as the picture's border."""
_EXTENSIONS: Mapping[str, tuple[str, ...]] = {
    "jpeg": ("jpg", "jpeg"),
    "png": ("png",),
    "webp": ("webp",),
    "avif": ("avif",),
    "tiff": ("tif", "tiff"),
    "gif": ("gif",),
}
"""File name extensions that shops take for a format, by what the first bytes say."""

Coverage: TypeAlias = NDArray[np.float32]
"""(H, W), 0 ground .. 1 product."""


PRODUCT_RULES: frozenset[RuleName] = frozenset(
    {"background_outside", "fill_share", "product_longest_side", "clearance", "margin_share", "safe_area"}
)
"""Rules that cannot be measured without knowing where the product is."""

# https://cv.iptc.org/newscodes/digitalsourcetype/, release of 2024-10-23, with the names it has retired.
_SOURCE_TYPES = frozenset(
    {
        "algorithmicMedia",
        "algorithmicallyEnhanced",
        "composite",
        "compositeCapture",
        "compositeSynthetic",
        "compositeWithTrainedAlgorithmicMedia",
        "computationalCapture",
        "dataDrivenMedia",
        "digitalArt",
        "digitalCapture",
        "digitalCreation",
        "humanEdits",
        "minorHumanEdits",
        "negativeFilm",
        "positiveFilm",
        "print",
        "screenCapture",
        "softwareImage",
        "trainedAlgorithmicMedia",
        "virtualRecording",
    }
)
"""What a file may say of its making."""


@dataclass(frozen=True, slots=True)
class NotJudged:
    """Why a file does not show whether a rule is kept; a sentence for people."""

    why: str


Measured: TypeAlias = Limit | NotJudged | None
"""None: it was looked for and is not there, such as a product in an empty picture."""


@dataclass(frozen=True, slots=True)
class Placed:
    """What the file itself cannot tell."""

    alpha: NDArray[np.float32] | None
    """(H, W) the product's coverage, 0..1: as composed or cut out. None: it was not looked for."""
    scale: float | None
    """Canvas pixels per photo pixel; None: not known."""
    extension: str = ""
    """Of the file's name, without dot."""
    digital_source_type: str | None = None
    """What the file has to say of its making: a short name of IPTC's vocabulary."""
    making_known: bool = True
    """False for a file that somebody else made, of which `digital_source_type` says nothing."""
    unseen: str = "The product was not looked for."
    """Why there is no `alpha`."""


@dataclass(frozen=True, slots=True)
class Look:
    """All that a measurement may look at."""

    picture: FinishedPicture
    placed: Placed
    preset: Preset


_SEE_THROUGH = NotJudged("Parts of it are transparent, and the shop chooses what lies under them.")


def _background_border(look: Look) -> Measured:
    """The darkest colour on the picture's frame, channel by channel."""
    if look.picture.see_through:
        return _SEE_THROUGH
    pixels = look.picture.pixels[..., :3]
    sides = (pixels[:_BORDER], pixels[-_BORDER:], pixels[:, :_BORDER], pixels[:, -_BORDER:])
    return _colour(np.min([side.min(axis=(0, 1)) for side in sides], axis=0))


def _background_outside(look: Look) -> Measured:
    """The darkest colour anywhere that is not product, channel by channel; None when all is product."""
    if look.picture.see_through:
        return _SEE_THROUGH
    if look.placed.alpha is None:
        return NotJudged(look.placed.unseen)
    side = look.picture.block
    ground = ~_near_product(look.placed.alpha > 0.0, side)
    if not ground.any():
        return None
    darkest = 255 - _block_maximum(255 - look.picture.pixels[..., :3], side)
    return _colour(darkest[ground].min(axis=0))


def _fill_share(look: Look, coverage: Coverage) -> Limit | None:
    """Share of the frame that the product takes in its tighter direction."""
    box = product_box(coverage, SOLID)
    if box is None:
        return None
    return round(max(box.width / look.picture.width, box.height / look.picture.height), 4)


def _clearance(look: Look, coverage: Coverage) -> Limit | None:
    """Empty pixels between the product and the nearest border; 0 where it touches or is cut."""
    box = product_box(coverage)
    if box is None:
        return None
    return min(box.left, box.top, look.picture.width - box.right, look.picture.height - box.bottom)


def _product_longest_side(_look: Look, coverage: Coverage) -> Limit | None:
    """The product's own longer side in pixels, white margins left out."""
    box = product_box(coverage, SOLID)
    return None if box is None else max(box.width, box.height)


def _margin_share(look: Look, coverage: Coverage) -> Limit | None:
    """The narrowest free side around the product, as a share of the picture's shorter side."""
    clearance = _clearance(look, coverage)
    shorter = min(look.picture.width, look.picture.height)
    return None if clearance is None else round(float(clearance) / shorter, 4)


def _safe_area(look: Look, coverage: Coverage) -> Limit | None:
    """Whether the product keeps out of the zones that the channel covers with its own buttons."""
    box = product_box(coverage, SOLID)
    if box is None:
        return None
    free = look.preset.clear_box(look.picture.width, look.picture.height)
    across = free.left <= box.left and box.right <= free.right
    return across and free.top <= box.top and box.bottom <= free.bottom


def _extension(look: Look) -> Limit | None:
    """Whether the file's name ends as its first bytes demand."""
    return look.placed.extension in _EXTENSIONS.get(look.picture.format, ())


def _dpi(look: Look) -> Measured:
    """Dots per inch as the file states them."""
    return NotJudged("The file states no resolution.") if look.picture.dpi is None else look.picture.dpi


def _upscaling(look: Look) -> Measured:
    """By how much the photo was enlarged; 1 where it was not."""
    if look.placed.scale is None:
        return NotJudged("No file tells how far its photo was enlarged.")
    return round(max(1.0, look.placed.scale), 4)


def _ai_marking(look: Look) -> Measured:
    """Whether the file says of its making what is true: IPTC's DigitalSourceType, or nothing.

    Of a file that somebody else made: whether what it says is a word of that vocabulary.
    """
    told = look.picture.digital_source_type
    if look.placed.making_known:
        return told == look.placed.digital_source_type
    if told is None:
        return NotJudged("It says nothing of its making; it needs a mark only where AI made a part of it.")
    return told in _SOURCE_TYPES


def _of_product(measure: Callable[[Look, Coverage], Limit | None]) -> Callable[[Look], Measured]:
    """A measurement of the product: by the file's own alpha, else by its composition or cut-out."""

    def measured(look: Look) -> Measured:
        own = look.picture.coverage
        coverage = look.placed.alpha if own is None else own
        return NotJudged(look.placed.unseen) if coverage is None else measure(look, coverage)

    return measured


def _near_product(mask: NDArray[np.bool_], side: int) -> NDArray[np.bool_]:
    """One truth per block: whether it or one of the eight around it holds something of the mask.

    The product's edge ripples through the blocks it touches, so those and their neighbours are no ground.
    """
    blocks = _block_maximum(mask[..., None].view(np.uint8), side)[..., 0] > 0
    around = np.pad(blocks, 1)
    down, across = blocks.shape
    near = np.zeros_like(blocks)
    for y in range(3):
        for x in range(3):
            near |= around[y : y + down, x : x + across]
    return near


def _block_maximum(values: NDArray[np.uint8], side: int) -> NDArray[np.uint8]:
    """Largest value of each block of (H, W, C); a block cut off by the border counts what is there."""
    height, width, bands = values.shape
    if height % side or width % side:
        values = np.pad(values, ((0, -height % side), (0, -width % side), (0, 0)))
    # Rows first, over whole lines of memory: ten times faster than both axes at once.
    lines = values.reshape(-1, side, values.shape[1] * bands).max(axis=1)
    return np.asarray(lines.reshape(lines.shape[0], -1, side, bands).max(axis=2))


def _colour(codes: NDArray[np.uint8]) -> str:
    return ",".join(str(int(code)) for code in codes)


MEASUREMENTS: Mapping[RuleName, Callable[[Look], Measured]] = {
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
    "dpi": _dpi,
    "megapixels": lambda look: round(look.picture.width * look.picture.height / 1e6, 3),
    "side_sum": lambda look: look.picture.width + look.picture.height,
    "frames": lambda look: look.picture.frames,
    "extension": _extension,
    "background_border": _background_border,
    "background_outside": _background_outside,
    "fill_share": _of_product(_fill_share),
    "product_longest_side": _of_product(_product_longest_side),
    "clearance": _of_product(_clearance),
    "margin_share": _of_product(_margin_share),
    "safe_area": _of_product(_safe_area),
    "upscaling": _upscaling,
    "ai_marking": _ai_marking,
}

"""Encoding within a byte budget: the best quality that fits, and what had to give way.

Called by export-worker and `opal process` for every variant. Where even the lowest quality is too large,
`smaller.py` of the marketplaces says whether the picture may lose pixels.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opal.images.chroma import subsampling_shows
from opal.images.encode import Chroma, Effort, OutputFormat, encode
from opal.images.metadata import PictureMetadata

_BEST = 100
_GROWTH_SLACK = 64
_HALF_COLOUR = "colour stored at half resolution"
_NO_QUALITY = frozenset({"png", "tiff"})
_CHROMA_FORMATS = frozenset({"jpeg", "avif"})


@dataclass(frozen=True, slots=True)
class Budget:
    """What a file may weigh, and how far its quality may move for it."""

    quality: int
    """1..100, where nothing speaks against it."""
    lowest_quality: int
    """No byte budget lowers `quality` further: below it pictures show blocks."""
    max_bytes: int | None = None
    min_bytes: int | None = None
    chroma: Chroma | None = None
    """None keeps all colour (4:4:4) where less would be seen, until the budget cannot be met otherwise."""
    effort: Effort = "quick"
    """What is spent on a file that fits."""

    def leaving(self, growth: int) -> "Budget":
        """The budget of a file that will still grow by `growth` bytes, give or take `_GROWTH_SLACK`."""
        most, least = self.max_bytes, self.min_bytes
        return replace(
            self,
            max_bytes=None if most is None else max(1, most - growth - _GROWTH_SLACK),
            min_bytes=None if least is None else max(0, least - growth + _GROWTH_SLACK),
        )

    def exceeded_by(self, data: bytes) -> bool:
        """Whether a file is larger than it may be."""
        return self.max_bytes is not None and len(data) > self.max_bytes


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file, and how it was made to fit."""

    data: bytes
    quality: int
    chroma: Chroma
    done: tuple[str, ...] = ()
    """What was done for the budget, in words; empty where nothing had to be."""


def encode_within(
    pixels: NDArray[np.uint8],
    format: OutputFormat,  # noqa: A002 - the word every caller and every preset uses
    budget: Budget,
    *,
    dpi: int = 72,
    progressive: bool = False,
    metadata: PictureMetadata | None = None,
) -> Encoded:
    """Encode (H, W, 3 or 4) sRGB codes at the highest quality that fits; see `encode` for what it takes.

    A file that is too large is first written with more effort, then at a quality that is searched down to
    `lowest_quality`, then with colour at half resolution. One below `min_bytes` gets more quality. A budget
    that cannot be met gets the nearest file there is, for the compliance report to tell. PNG and TIFF have
    no quality to move.
    """

    def made(quality: int, chroma: Chroma, effort: Effort) -> Encoded:
        data = encode(
            pixels,
            format,
            quality,
            dpi=dpi,
            chroma=chroma,
            progressive=progressive,
            effort=effort,
            metadata=metadata,
        )
        return Encoded(data, quality, chroma)

    measured = budget.chroma is None and format in _CHROMA_FORMATS
    chroma = budget.chroma or ("4:4:4" if not measured or subsampling_shows(pixels) else "4:2:0")
    # Other formats have one effort, so nothing is to be had of more.
    effort: Effort = budget.effort if format == "jpeg" else "small"
    first = made(budget.quality, chroma, effort)
    if format in _NO_QUALITY:
        return first
    if budget.exceeded_by(first.data):
        chromas: tuple[Chroma, ...] = ("4:4:4", "4:2:0") if measured and chroma == "4:4:4" else (chroma,)
        best = first if effort == "small" else made(budget.quality, chroma, "small")
        return _told(_smaller(made, best, budget, chromas), first)
    if budget.min_bytes is not None and len(first.data) < budget.min_bytes:
        return _told(_larger(lambda quality: made(quality, chroma, effort), first, budget), first)
    return first


_Made = Callable[[int, Chroma, Effort], Encoded]


def _told(made: Encoded, wished: Encoded) -> Encoded:
    """The file with what sets it apart from the one that the budget did not allow."""
    done = []
    if made.quality != wished.quality:
        way = "lowered" if made.quality < wished.quality else "raised"
        done.append(f"quality {way} from {wished.quality} to {made.quality}")
    if made.chroma != wished.chroma:
        done.append(_HALF_COLOUR)
    if not done and made.data != wished.data:
        done.append("compressed with more effort")
    return replace(made, done=tuple(done))


def _smaller(made: _Made, best: Encoded, budget: Budget, chromas: tuple[Chroma, ...]) -> Encoded:
    """The highest quality whose file is small enough, with the first of `chromas` that has one.

    `best` is the file of the highest quality with the first of them.
    """
    assert budget.max_bytes is not None
    for chroma in chromas:
        if chroma != best.chroma:
            best = made(budget.quality, chroma, "small")
        if not budget.exceeded_by(best.data):
            return best
        least = made(budget.lowest_quality, chroma, "small")
        if budget.exceeded_by(least.data):
            continue
        fits, too_large = least, best
        while too_large.quality - fits.quality > 1:
            tried = made(_between(fits, too_large, budget.max_bytes), chroma, "small")
            if budget.exceeded_by(tried.data):
                too_large = tried
            else:
                fits = tried
        return fits
    return least


def _between(fits: Encoded, too_large: Encoded, most: int) -> int:
    """The quality between these two whose file should have `most` bytes.

    The logarithm of a file's size is nearly straight over quality, so that the search takes three or four
    files where halving takes six.
    """
    low, high = math.log(len(fits.data)), math.log(len(too_large.data))
    share = (math.log(most) - low) / (high - low)
    wanted = fits.quality + int(share * (too_large.quality - fits.quality))
    return min(max(wanted, fits.quality + 1), too_large.quality - 1)


def _larger(made: Callable[[int], Encoded], first: Encoded, budget: Budget) -> Encoded:
    """The lowest quality whose file is large enough, or the best there is within `max_bytes`."""
    assert budget.min_bytes is not None
    best = made(_BEST)
    if len(best.data) < budget.min_bytes:
        return first if budget.exceeded_by(best.data) else best
    enough, too_small = best, first.quality
    while enough.quality - too_small > 1:
        tried = made((enough.quality + too_small) // 2)
        if len(tried.data) >= budget.min_bytes:
            enough = tried
        else:
            too_small = tried.quality
    # Of the steps of quality one may lead past both bounds at once; what is too large is refused for good.
    return first if budget.exceeded_by(enough.data) else enough

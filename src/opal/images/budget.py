"""Encoding within a byte budget: the best quality that fits, and what had to give way.

Called by export-worker and `opal process` for every variant.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from opal.images.encode import Chroma, OutputFormat, encode
from opal.images.metadata import PictureMetadata

_BEST = 100
_GROWTH_SLACK = 64


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
    """None keeps all colour (4:4:4) until the budget cannot be met otherwise."""

    def leaving(self, growth: int) -> "Budget":
        """The budget of a file that will still grow by `growth` bytes, give or take `_GROWTH_SLACK`."""
        most, least = self.max_bytes, self.min_bytes
        return replace(
            self,
            max_bytes=None if most is None else max(1, most - growth - _GROWTH_SLACK),
            min_bytes=None if least is None else max(0, least - growth + _GROWTH_SLACK),
        )


@dataclass(frozen=True, slots=True)
class Encoded:
    """A file, and how it was made to fit."""

    data: bytes
    quality: int
    chroma: Chroma

    def note(self, budget: Budget) -> str | None:
        """What was done for the budget, in words; None where nothing had to be."""
        done = []
        if self.quality != budget.quality:
            way = "lowered" if self.quality < budget.quality else "raised"
            done.append(f"quality {way} from {budget.quality} to {self.quality}")
        if self.chroma == "4:2:0" and budget.chroma is None:
            done.append("colour stored at half resolution")
        return ", ".join(done) or None


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

    Quality is searched between `lowest_quality` and `quality` for `max_bytes`, and from `quality` up for
    `min_bytes`. A budget that cannot be met gets the nearest file there is, for the compliance report to
    tell. PNG and TIFF have no quality to move.
    """

    def made(quality: int, chroma: Chroma) -> Encoded:
        data = encode(
            pixels, format, quality, dpi=dpi, chroma=chroma, progressive=progressive, metadata=metadata
        )
        return Encoded(data, quality, chroma)

    first = made(budget.quality, budget.chroma or "4:4:4")
    if format in {"png", "tiff"}:
        return first
    if budget.max_bytes is not None and len(first.data) > budget.max_bytes:
        may_halve = budget.chroma is None and format in {"jpeg", "avif"}
        return _smaller(made, budget, (first.chroma, "4:2:0") if may_halve else (first.chroma,))
    if budget.min_bytes is not None and len(first.data) < budget.min_bytes:
        return _larger(made, first, budget)
    return first


_Made = Callable[[int, Chroma], Encoded]


def _smaller(made: _Made, budget: Budget, chromas: tuple[Chroma, ...]) -> Encoded:
    """The highest quality whose file is small enough, with the first of `chromas` that has one."""
    assert budget.max_bytes is not None
    for chroma in chromas:
        least = made(budget.lowest_quality, chroma)
        if len(least.data) > budget.max_bytes:
            continue
        fits, too_large = least, budget.quality
        while too_large - fits.quality > 1:
            tried = made((fits.quality + too_large) // 2, chroma)
            if len(tried.data) <= budget.max_bytes:
                fits = tried
            else:
                too_large = tried.quality
        return fits
    return least


def _larger(made: _Made, first: Encoded, budget: Budget) -> Encoded:
    """The lowest quality whose file is large enough, or the best there is within `max_bytes`."""
    assert budget.min_bytes is not None
    best = made(_BEST, first.chroma)
    if len(best.data) < budget.min_bytes:
        return best if budget.max_bytes is None or len(best.data) <= budget.max_bytes else first
    enough, too_small = best, first.quality
    while enough.quality - too_small > 1:
        tried = made((enough.quality + too_small) // 2, first.chroma)
        if len(tried.data) >= budget.min_bytes:
            enough = tried
        else:
            too_small = tried.quality
    return enough

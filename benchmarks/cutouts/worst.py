"""A picture of the places where cut-outs are worst: photo, truth and every maker at 100 %."""

from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.cli.sheet_drawing import blank, text
from opal.images.matte import Matte

_Pixels = NDArray[np.uint8]

SIDE = 240
"""Side of each window, photo pixels; shown one to one."""
_GAP, _CAPTION, _HEAD = 12, 26, 40
_PAPER, _INK = (248, 247, 244), (40, 40, 40)
# No product is this colour, so whatever is missing or left over shows.
_MAGENTA = np.array((255, 0, 255), np.float32)


@dataclass(frozen=True, slots=True)
class Spot:
    """The worst window of one cut-out: crops of the photo, the truth and each maker's matte."""

    title: str
    error: float
    """Sum of the first maker's differences in the window."""
    photo: _Pixels
    truth: Matte
    mattes: dict[str, Matte]


def worst_spot(title: str, photo: pyvips.Image, truth: Matte, mattes: dict[str, Matte]) -> Spot:
    """The window in which the first of `mattes` differs most from the truth; all at the photo's size."""
    error = np.abs(next(iter(mattes.values())) - truth)
    side = min(SIDE, *error.shape)
    # Sums over every window by the integral image, stepped by an eighth of a window.
    sums = np.pad(error.astype(np.float64).cumsum(axis=0).cumsum(axis=1), ((1, 0), (1, 0)))
    totals = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    step = max(1, side // 8)
    row, column = np.unravel_index(totals[::step, ::step].argmax(), totals[::step, ::step].shape)
    top, left = int(row) * step, int(column) * step
    area = (slice(top, top + side), slice(left, left + side))
    pixels = photo.crop(left, top, side, side)
    if pixels.format != "uchar":
        pixels = pixels.colourspace("srgb")
    return Spot(
        title=title,
        error=float(totals[top, left]),
        photo=pixels.numpy(),
        truth=truth[area].copy(),
        mattes={name: matte[area].copy() for name, matte in mattes.items()},
    )


def draw(spots: list[Spot]) -> bytes:
    """The sheet as PNG, worst first; every cut-out lies on magenta."""
    makers = list(spots[0].mattes)
    columns = ["photo", "truth", *makers, *(f"error of {name}" for name in makers)]
    width = _GAP + len(columns) * (SIDE + _GAP)
    sheet = blank(width, _HEAD + len(spots) * (SIDE + _CAPTION + _GAP), _PAPER)
    for number, name in enumerate(columns):
        text(sheet, name, _GAP + number * (SIDE + _GAP), 28, size=18, colour=_INK, weight="Semibold")
    for row, spot in enumerate(sorted(spots, key=lambda spot: -spot.error)):
        top = _HEAD + row * (SIDE + _CAPTION + _GAP)
        pictures = [
            spot.photo,
            _on_magenta(spot.photo, spot.truth),
            *(_on_magenta(spot.photo, spot.mattes[name]) for name in makers),
            *(_grey(np.abs(spot.mattes[name] - spot.truth)) for name in makers),
        ]
        for number, picture in enumerate(pictures):
            left = _GAP + number * (SIDE + _GAP)
            sheet[top : top + picture.shape[0], left : left + picture.shape[1]] = picture
        text(sheet, spot.title, _GAP, top + SIDE + 18, size=15, colour=_INK)
    data: bytes = pyvips.Image.new_from_array(sheet).pngsave_buffer(compression=6)
    return data


def _on_magenta(photo: _Pixels, matte: Matte) -> _Pixels:
    share = matte[..., None]
    laid: _Pixels = np.rint(photo * share + _MAGENTA * (1.0 - share)).astype(np.uint8)
    return laid


def _grey(error: Matte) -> _Pixels:
    return np.repeat((np.clip(error, 0.0, 1.0) * 255).astype(np.uint8)[..., None], 3, axis=2)

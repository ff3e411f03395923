"""Drawing on a contact sheet: text, rounded pictures, checkerboard. Pixels in sRGB, uint8.

The sheet brings its own font (Source Sans Pro, a locked requirement), so it looks the same on a
machine that has none.
"""

from functools import lru_cache
from importlib import resources
from pathlib import Path
from typing import Literal, TypeAlias
from xml.sax.saxutils import escape

import numpy as np
import pyvips
from numpy.typing import NDArray

Pixels: TypeAlias = NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]
Weight: TypeAlias = Literal["Regular", "Semibold", "Light"]

_SQUARE = 14
_CHECKER: tuple[Colour, Colour] = ((255, 255, 255), (226, 225, 222))
_ELLIPSIS = "…"


def blank(width: int, height: int, colour: Colour) -> Pixels:
    """A sheet of one colour."""
    return np.full((height, width, 3), colour, dtype=np.uint8)


def load_fitted(path: Path, width: int, height: int) -> Pixels:
    """The picture at ``path``, upright, in sRGB, scaled to fit, never enlarged.

    Scaled in gamma light, six times as fast as linear: an overview, not a result.

    Transparency shows a checkerboard. Raises ``pyvips.Error`` for what is no picture.
    """
    image = pyvips.Image.thumbnail(str(path), width, height=height, size="down", output_profile="srgb")
    image = image.colourspace("srgb")
    pixels: NDArray[np.uint8] = image.numpy()
    if pixels.ndim == 2:
        pixels = pixels[:, :, np.newaxis]
    if pixels.shape[2] in (2, 4):
        colour, alpha = pixels[:, :, :-1], pixels[:, :, -1:]
        ground = checkerboard(pixels.shape[1], pixels.shape[0])
        pixels = _mix(ground, np.broadcast_to(colour, ground.shape), alpha[:, :, 0] / 255.0)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))


def checkerboard(width: int, height: int) -> Pixels:
    """The usual sign for transparency."""
    odd = (np.arange(height)[:, None] // _SQUARE + np.arange(width)[None, :] // _SQUARE) % 2 == 1
    return np.where(odd[:, :, None], np.array(_CHECKER[1]), np.array(_CHECKER[0])).astype(np.uint8)


def paste(sheet: Pixels, picture: Pixels, left: int, top: int, *, radius: float, edge: float = 0.0) -> None:
    """Put ``picture`` on the sheet with rounded corners; ``edge`` is the darkness of its hairline."""
    height, width = picture.shape[:2]
    cover, inner = _rounded(width, height, radius), _rounded(width - 2, height - 2, radius - 1)
    if edge > 0:
        line = cover.copy()
        line[1:-1, 1:-1] -= inner
        picture = _mix(picture, np.zeros_like(picture), line * edge)
    target = sheet[top : top + height, left : left + width]
    target[:] = _mix(target, picture, cover)


def dot(sheet: Pixels, left: int, top: int, size: int, colour: Colour) -> None:
    """A filled circle."""
    target = sheet[top : top + size, left : left + size]
    target[:] = _mix(target, np.broadcast_to(_pixel(colour), target.shape), _rounded(size, size, size / 2))


def rule(sheet: Pixels, left: int, right: int, top: int, colour: Colour) -> None:
    """A horizontal hairline, two pixels high."""
    sheet[top : top + 2, left:right] = colour


def text(
    sheet: Pixels,
    words: str,
    left: int,
    baseline: int,
    *,
    size: int,
    colour: Colour,
    weight: Weight = "Regular",
    width: int | None = None,
) -> int:
    """Write ``words`` with their baseline at ``baseline``, cut to ``width``; returns the width used."""
    if not words:
        return 0
    fitted = words if width is None else _fit(words, size, weight, width)
    ink, ascent = _ink(fitted, size, weight)
    top = baseline - ascent
    height, used = ink.shape
    target = sheet[top : top + height, left : left + used]
    cover = ink[: target.shape[0], : target.shape[1]]
    target[:] = _mix(target, np.broadcast_to(_pixel(colour), target.shape), cover)
    return int(used)


@lru_cache(maxsize=2048)
def _ink(words: str, size: int, weight: Weight) -> tuple[NDArray[np.float32], int]:
    """Coverage 0..1 of the words, and the rows from its top to the baseline."""
    font = f"Source Sans Pro {weight} {size}".replace("Regular ", "")
    rendered = pyvips.Image.text(escape(words), font=font, fontfile=_font_file(weight), dpi=72)
    # libvips trims to the ink, so the baseline is found by what stands on it: its own yoffset is the
    # distance of the ink's top from the line's top, and the line's ascent is the font's.
    top_of_ink = int(rendered.get("yoffset")) if "yoffset" in rendered.get_fields() else 0
    ascent = round(_ASCENT * size)
    coverage: NDArray[np.float32] = rendered.numpy().astype(np.float32) / np.float32(255)
    return coverage, ascent - top_of_ink


# Ascender of Source Sans Pro in ems (984 of 1000 units), which pango puts above the baseline.
_ASCENT = 0.984


def _fit(words: str, size: int, weight: Weight, width: int) -> str:
    if _ink(words, size, weight)[0].shape[1] <= width:
        return words
    for length in range(len(words) - 1, 0, -1):
        shorter = words[:length].rstrip() + _ELLIPSIS
        if _ink(shorter, size, weight)[0].shape[1] <= width:
            return shorter
    return _ELLIPSIS


@lru_cache(maxsize=4)
def _font_file(weight: Weight) -> str:
    return str(resources.files("font_source_sans_pro") / "files" / f"SourceSansPro-{weight}.ttf")


@lru_cache(maxsize=64)
def _rounded(width: int, height: int, radius: float) -> NDArray[np.float32]:
    """Coverage 0..1 of a rounded rectangle that fills its box, edges smoothed over one pixel."""
    x = np.abs(np.arange(width) + 0.5 - width / 2) - (width / 2 - radius)
    y = np.abs(np.arange(height) + 0.5 - height / 2) - (height / 2 - radius)
    outside = np.hypot(np.maximum(x, 0)[None, :], np.maximum(y, 0)[:, None])
    cover: NDArray[np.float32] = np.clip(radius + 0.5 - outside, 0.0, 1.0).astype(np.float32)
    return cover


def _pixel(colour: Colour) -> Pixels:
    return np.array(colour, dtype=np.uint8)


def _mix(under: Pixels, over: Pixels, share: NDArray[np.floating]) -> Pixels:
    weight = share[:, :, np.newaxis].astype(np.float32)
    return np.rint(under * (1 - weight) + over * weight).astype(np.uint8)

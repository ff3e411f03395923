"""The contact sheet: one row per photo, one column per picture, for a person to look at.

Written by `opal demo` from the items of its report.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import pyvips

from opal.cli import sheet_drawing as draw

_PAPER: Final = (246, 245, 242)
_INK: Final = (28, 28, 30)
_QUIET: Final = (118, 117, 113)
_LINE: Final = (222, 220, 215)
_GOOD: Final = (52, 142, 92)
_BAD: Final = (196, 62, 48)
_FAILED_CARD: Final = (250, 233, 229)

_MARGIN: Final = 96
_HEADER: Final = 236
_HEADINGS: Final = 84
_ROW_TITLE: Final = 76
_PICTURE: Final = 400
_CAPTION: Final = 50
_ROW_GAP: Final = 40
_COLUMN_GAP: Final = 32
_RADIUS: Final = 10.0
_EDGE: Final = 0.10


@dataclass(frozen=True, slots=True)
class Column:
    """One kind of picture; ``aspect`` is its width over its height, 1 for a square box around any shape."""

    title: str
    subtitle: str = ""
    aspect: float = 1.0

    @property
    def width(self) -> int:
        """Pixels on the sheet."""
        return round(_PICTURE * self.aspect)


@dataclass(frozen=True, slots=True)
class Tile:
    """One picture and what is said under it; ``passed`` puts a green or red dot before it."""

    path: Path
    caption: str = ""
    passed: bool | None = None


@dataclass(frozen=True, slots=True)
class Row:
    """One photo. ``tiles`` stand in column order; ``failure`` is told in place of missing tiles."""

    title: str
    subtitle: str
    tiles: tuple[Tile, ...] = field(default=())
    failure: str | None = None


def write_contact_sheet(
    path: Path, title: str, subtitle: str, columns: Sequence[Column], rows: Sequence[Row]
) -> None:
    """Draw the sheet and store it as PNG with an sRGB profile."""
    width = 2 * _MARGIN + sum(column.width for column in columns) + _COLUMN_GAP * (len(columns) - 1)
    row_height = _ROW_TITLE + _PICTURE + _CAPTION + _ROW_GAP
    height = _HEADER + _HEADINGS + len(rows) * row_height + _MARGIN
    sheet = draw.blank(width, height, _PAPER)
    _draw_header(sheet, title, subtitle)
    lefts = _lefts(columns)
    for column, left in zip(columns, lefts, strict=True):
        _draw_heading(sheet, column, left)
    for number, row in enumerate(rows):
        _draw_row(sheet, row, columns, lefts, _HEADER + _HEADINGS + number * row_height)
    image = pyvips.Image.new_from_array(sheet, interpretation="srgb")
    image.pngsave(str(path), compression=6, profile="srgb")


def _lefts(columns: Sequence[Column]) -> list[int]:
    lefts, left = [], _MARGIN
    for column in columns:
        lefts.append(left)
        left += column.width + _COLUMN_GAP
    return lefts


def _draw_header(sheet: draw.Pixels, title: str, subtitle: str) -> None:
    draw.text(sheet, title, _MARGIN, 138, size=72, colour=_INK, weight="Semibold")
    draw.text(sheet, subtitle, _MARGIN, 188, size=30, colour=_QUIET)


def _draw_heading(sheet: draw.Pixels, column: Column, left: int) -> None:
    wide = column.width
    draw.text(sheet, column.title, left, _HEADER + 34, size=28, colour=_INK, weight="Semibold", width=wide)
    draw.text(sheet, column.subtitle, left, _HEADER + 66, size=22, colour=_QUIET, width=wide)


def _draw_row(
    sheet: draw.Pixels, row: Row, columns: Sequence[Column], lefts: Sequence[int], top: int
) -> None:
    right = sheet.shape[1] - _MARGIN
    draw.rule(sheet, _MARGIN, right, top, _LINE)
    baseline = top + 50
    used = draw.text(sheet, row.title, _MARGIN, baseline, size=32, colour=_INK, weight="Semibold")
    draw.text(sheet, row.subtitle, _MARGIN + used + 24, baseline, size=24, colour=_QUIET)
    for tile, column, left in zip(row.tiles, columns, lefts, strict=False):
        _draw_tile(sheet, tile, column, left, top + _ROW_TITLE)
    if row.failure is not None:
        left = lefts[min(len(row.tiles), len(lefts) - 1)]
        card = draw.blank(right - left, _PICTURE, _FAILED_CARD)
        draw.paste(sheet, card, left, top + _ROW_TITLE, radius=_RADIUS)
        middle = top + _ROW_TITLE + _PICTURE // 2
        wide = right - left - 80
        draw.text(
            sheet, "Not processed", left + 40, middle - 8, size=32, colour=_BAD, weight="Semibold", width=wide
        )
        draw.text(sheet, row.failure, left + 40, middle + 34, size=26, colour=_INK, width=wide)


def _draw_tile(sheet: draw.Pixels, tile: Tile, column: Column, left: int, top: int) -> None:
    picture = draw.load_fitted(tile.path, column.width, _PICTURE)
    height = picture.shape[0]
    # Pictures stand on one line, like prints on a shelf; narrower ones keep to their column's left edge.
    draw.paste(sheet, picture, left, top + _PICTURE - height, radius=_RADIUS, edge=_EDGE)
    baseline = top + _PICTURE + 34
    shift = 0
    if tile.passed is not None:
        draw.dot(sheet, left, baseline - 14, 14, _GOOD if tile.passed else _BAD)
        shift = 24
    draw.text(sheet, tile.caption, left + shift, baseline, size=22, colour=_QUIET, width=column.width - shift)

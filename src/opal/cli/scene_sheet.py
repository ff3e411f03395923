"""Thumbnails of the ready-made scenes as files, and all of them on one sheet. Used by `opal scenes`."""

import textwrap
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final

import pyvips

from opal.cli import sheet_drawing as draw
from opal.placement.scene import NamedScene
from opal.placement.thumbnail import HEIGHT, WIDTH, thumbnail

SHEET_NAME: Final = "scenes.png"

_PAPER: Final = (246, 245, 242)
_INK: Final = (28, 28, 30)
_QUIET: Final = (118, 117, 113)
_COLUMNS: Final = 4
_TILE: Final = (WIDTH // 4 * 3, HEIGHT // 4 * 3)
_MARGIN: Final = 72
_GAP: Final = 36
_CAPTION: Final = 132
_LETTERS: Final = 54
"""Of a description on one line; two lines hold the longest."""


def write_thumbnails(scenes: Sequence[NamedScene], folder: Path) -> Iterator[tuple[NamedScene, Path]]:
    """Write one `<name>.jpg` per scene into `folder`, then `scenes.png`; yields each as it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    written = []
    for named in scenes:
        path = folder / f"{named.name}.jpg"
        path.write_bytes(thumbnail(named.scene))
        written.append((named, path))
        yield named, path
    _write_sheet(written, folder / SHEET_NAME)


def _write_sheet(written: Sequence[tuple[NamedScene, Path]], path: Path) -> None:
    columns = min(_COLUMNS, len(written))
    rows = -(-len(written) // columns)
    wide, high = _TILE
    sheet = draw.blank(
        2 * _MARGIN + columns * wide + (columns - 1) * _GAP, 2 * _MARGIN + rows * (high + _CAPTION), _PAPER
    )
    for number, (named, picture) in enumerate(written):
        left = _MARGIN + number % columns * (wide + _GAP)
        top = _MARGIN + number // columns * (high + _CAPTION)
        draw.paste(sheet, draw.load_fitted(picture, wide, high), left, top, radius=10.0, edge=0.10)
        baseline = top + high + 36
        draw.text(sheet, named.name, left, baseline, size=26, colour=_INK, weight="Semibold", width=wide)
        for line, words in enumerate(textwrap.wrap(named.description, _LETTERS)[:2]):
            draw.text(sheet, words, left, baseline + 32 + 26 * line, size=20, colour=_QUIET, width=wide)
    image = pyvips.Image.new_from_array(sheet, interpretation="srgb")
    image.pngsave(str(path), compression=6, profile="srgb")

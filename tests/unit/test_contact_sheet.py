"""The contact sheet's drawing: what is drawn lands where it should, in its own colours."""

from pathlib import Path

import numpy as np
import pytest
import pyvips

from opal.cli import sheet_drawing as draw
from opal.cli.contact_sheet import Column, Row, Tile, write_contact_sheet

RED = (200, 40, 30)


def _picture(path: Path, width: int, height: int, bands: list[int]) -> Path:
    pixels = np.full((height, width, len(bands)), bands, dtype=np.uint8)
    pyvips.Image.new_from_array(pixels, interpretation="srgb").write_to_file(str(path))
    return path


def test_pictures_keep_their_colour_and_are_never_enlarged(tmp_path: Path) -> None:
    small = draw.load_fitted(_picture(tmp_path / "small.png", 40, 20, list(RED)), 400, 400)
    large = draw.load_fitted(_picture(tmp_path / "large.png", 1000, 500, list(RED)), 400, 400)
    assert small.shape == (20, 40, 3)
    assert large.shape == (200, 400, 3)
    assert tuple(large[100, 200]) == RED


def test_transparency_shows_a_checkerboard(tmp_path: Path) -> None:
    clear = draw.load_fitted(_picture(tmp_path / "clear.png", 100, 100, [*RED, 0]), 400, 400)
    assert len({tuple(pixel) for pixel in clear.reshape(-1, 3)}) == 2


def test_words_stand_on_their_baseline_and_are_cut_to_their_width() -> None:
    sheet = draw.blank(400, 100, (255, 255, 255))
    used = draw.text(sheet, "Hxn", 10, 60, size=32, colour=(0, 0, 0))
    rows, columns = np.nonzero(sheet.min(axis=2) < 128)
    assert 59 <= rows.max() <= 60
    assert columns.max() < 10 + used
    assert draw.text(sheet, "many words " * 20, 10, 90, size=32, colour=(0, 0, 0), width=120) <= 120
    assert draw.text(sheet, "<&>", 200, 60, size=32, colour=(0, 0, 0)) > 20


@pytest.mark.parametrize("failure", [None, "image_truncated: The photo ends before its pixels do."])
def test_a_sheet_has_a_row_per_photo(tmp_path: Path, failure: str | None) -> None:
    photo = _picture(tmp_path / "photo.png", 300, 200, list(RED))
    tiles = (Tile(photo), Tile(photo, "9 of 9 rules met", True))
    row = Row("photo", "3.1 s", tiles[:1] if failure else tiles, failure)
    for count in (1, 2):
        columns = [Column("Original"), Column("Story", "1080 × 1920", 9 / 16)]
        write_contact_sheet(tmp_path / f"{count}.png", "Opal", "photos", columns, [row] * count)
    one, two = (pyvips.Image.new_from_file(str(tmp_path / f"{count}.png")) for count in (1, 2))
    assert one.width == two.width
    assert two.height - one.height > 400
    assert (two.numpy() == RED).all(axis=2).sum() > 1000

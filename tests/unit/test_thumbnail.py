"""Thumbnails: the scene, a plain bottle lit from where the scene's light comes, its shadow, and the sheet."""

from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray

from opal.cli.scene_sheet import SHEET_NAME, write_thumbnails
from opal.images.cast import Light
from opal.images.finished import read_finished
from opal.placement.scene import NAMED_SCENES, SCENES, SolidScene, TransparentScene
from opal.placement.stand_in import stand_in
from opal.placement.thumbnail import HEIGHT, WIDTH, thumbnail


def _pixels(data: bytes) -> NDArray[np.float64]:
    picture = read_finished(data)
    assert (picture.width, picture.height, picture.format) == (WIDTH, HEIGHT, "jpeg")
    return picture.pixels.astype(np.float64)


@pytest.mark.parametrize("name", ["white", "gradient-spot", "studio-oak", "studio-podium", "studio-dark"])
def test_a_bottle_stands_out_from_its_scene_and_the_same_scene_gives_the_same_bytes(name: str) -> None:
    data = thumbnail(SCENES[name])
    assert data == thumbnail(SCENES[name])
    assert len(data) < 60_000, "small enough for a page with all of them"
    pixels = _pixels(data)
    bottle = pixels[230:330, WIDTH // 2 - 40 : WIDTH // 2 + 40].mean()
    beside = pixels[230:330, 60:160].mean()
    assert abs(bottle - beside) > 15


def test_transparency_is_a_checkerboard_without_a_shadow() -> None:
    pixels = _pixels(thumbnail(TransparentScene()))
    assert pixels[4:12, 4:12].mean() > 250
    assert 225 < pixels[4:12, 20:28].mean() < 240
    beside = pixels[380:400, 420:600]
    assert beside.min() > 222, "nothing is thrown on a ground that is not there"
    assert _pixels(thumbnail(SolidScene()))[380:400, 400:480].min() < 235


def test_the_bottle_is_bright_where_the_light_comes_from() -> None:
    for direction, sign in ((90.0, 1.0), (270.0, -1.0)):
        drawn = stand_in(Light(direction=direction, length=0.6))
        pixels, middle = drawn.photo.pixels.numpy().astype(np.float64), drawn.photo.width // 2
        rows = slice(drawn.photo.height // 2, drawn.photo.height // 2 + 100)
        left, right = pixels[rows, middle - 80 : middle].mean(), pixels[rows, middle : middle + 80].mean()
        assert sign * (left - right) > 20, "a shadow that falls right is of a light from the left"
    behind = stand_in(Light(direction=180.0, length=0.6)).photo.pixels.numpy().astype(np.float64)
    rows = slice(behind.shape[0] // 2, behind.shape[0] // 2 + 100)
    inside = np.flatnonzero(stand_in(Light(180.0, 0.6)).matte[rows.start] > 0)
    edge = behind[rows, inside[2] : inside[2] + 6].mean()
    assert edge > behind[rows, behind.shape[1] // 2 - 20 : behind.shape[1] // 2 + 20].mean() + 20, "a rim"


def test_the_bottle_is_whole_and_has_a_crisp_matte() -> None:
    drawn = stand_in(Light(58.0, 0.45))
    assert set(np.unique(drawn.matte)) == {0.0, 1.0}
    border = (drawn.matte[0], drawn.matte[-1], drawn.matte[:, 0], drawn.matte[:, -1])
    assert not any(side.any() for side in border)
    assert drawn.matte.shape == (drawn.photo.height, drawn.photo.width)


def test_every_scene_asked_for_is_written_and_shown_on_one_sheet(tmp_path: Path) -> None:
    chosen = [named for named in NAMED_SCENES if named.name in {"white", "light-grey", "gradient-spot"}]
    written = list(write_thumbnails(chosen, tmp_path / "thumbs"))
    assert [path.name for _, path in written] == ["white.jpg", "light-grey.jpg", "gradient-spot.jpg"]
    for named, path in written:
        assert path.read_bytes() == thumbnail(named.scene)
    sheet = pyvips.Image.new_from_file(str(tmp_path / "thumbs" / SHEET_NAME))
    assert sheet.width > 3 * WIDTH // 4 * 3

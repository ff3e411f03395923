"""Where `opal process` reads and writes, named by --out or as rembg's users name it."""

from pathlib import Path

import pytest

from opal.cli.process import photos_and_folder
from opal.errors import InvalidInput


def test_the_last_place_is_the_folder_unless_one_is_named(tmp_path: Path) -> None:
    photo, folder, new = tmp_path / "a.jpg", tmp_path / "photos", tmp_path / "new"
    photo.touch()
    folder.mkdir()
    assert photos_and_folder([photo, folder], new) == ([photo, folder], new)
    assert photos_and_folder([folder, new], None) == ([folder], new)
    assert photos_and_folder([photo, folder], None) == ([photo], folder)


def test_nothing_is_written_where_nobody_said(tmp_path: Path) -> None:
    photo = tmp_path / "a.jpg"
    photo.touch()
    for places in ([photo], [tmp_path], [tmp_path, photo]):
        with pytest.raises(InvalidInput, match="--out"):
            photos_and_folder(places, None)

"""The cache of rendered samples: what is missing from it, and that nothing half-written counts."""

import tomllib
from pathlib import Path
from typing import Any

import pytest
from tests.project.source_tree import ROOT

from studio.cache import VERSION, cache_folder, is_rendered, still_missing, unfinished, whole
from studio.index import read_index, write_index


def listed(name: str, shipped: bool = False) -> dict[str, Any]:
    return {"name": name, "photo": f"photos/{name}.jpg", "alpha": f"alpha/{name}.png", "shipped": shipped}


def put(file: Path) -> None:
    unfinished(file).write_bytes(b"picture")
    whole(file)


def test_the_folder_is_the_users_and_named_by_the_version(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "opal" / f"samples-v{VERSION}"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", str(tmp_path))
    assert cache_folder().is_relative_to(tmp_path / ".cache")


def test_what_is_neither_shipped_nor_rendered_is_missing(tmp_path: Path) -> None:
    samples = [listed("mug", shipped=True), listed("lamp"), listed("chair"), listed("box")]
    assert still_missing(samples, tmp_path) == ["lamp", "chair", "box"]
    for key in ("alpha", "photo"):
        put(tmp_path / listed("chair")[key])
    assert still_missing(samples, tmp_path) == ["lamp", "box"]


def test_a_sample_without_its_photo_is_not_rendered(tmp_path: Path) -> None:
    """A stop between the alpha and the photo, or in the midst of writing one, means rendering it again."""
    sample = listed("lamp")
    put(tmp_path / sample["alpha"])
    unfinished(tmp_path / sample["photo"]).write_bytes(b"half a pict")
    assert not is_rendered(sample, tmp_path)
    whole(tmp_path / sample["photo"])
    assert is_rendered(sample, tmp_path)
    assert not list(tmp_path.rglob(".unfinished*"))


def test_a_list_is_read_back_as_it_was_written(tmp_path: Path) -> None:
    samples = read_index(ROOT / "samples")
    write_index(samples, tmp_path)
    assert read_index(tmp_path) == samples
    assert tomllib.loads((tmp_path / "samples.toml").read_text("utf-8"))["sample"][0]["shipped"] is True
    assert (tmp_path / "samples.toml").read_bytes() == (ROOT / "samples" / "samples.toml").read_bytes()

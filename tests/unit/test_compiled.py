"""Machine code is kept between processes, and found where nothing can be written any more."""

import importlib.util
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import pytest

SOURCE = """
from opal.images.compiled import compiled

@compiled
def total(values):
    summed = 0.0
    for value in values:
        summed += value
    return summed
"""
NOBODY = 65534


@pytest.fixture
def folder() -> Iterator[Path]:
    """Not pytest's own, which another user may not enter."""
    made = Path(tempfile.mkdtemp(prefix="opal-compiled-"))
    yield made
    shutil.rmtree(made)


def loop_of(folder: Path) -> Any:
    spec = importlib.util.spec_from_file_location("loops", folder / "loops.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.total


@contextmanager
def unwritable(folder: Path) -> Iterator[None]:
    """Nobody can write to the folder meanwhile, root least of all."""
    for each in (folder, folder / "__pycache__"):
        each.chmod(0o555)
    was = os.geteuid()
    try:
        if was == 0:
            os.seteuid(NOBODY)
        yield
    finally:
        if was == 0:
            os.seteuid(was)
        for each in (folder, folder / "__pycache__"):
            each.chmod(0o755)


def test_machine_code_is_read_from_a_disk_that_cannot_be_written_to(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    (folder / "loops.py").write_text(SOURCE)
    first = loop_of(folder)
    assert first(np.ones(3, np.float32)) == 3
    assert (first.stats.cache_hits.total(), first.stats.cache_misses.total()) == (0, 1)
    with unwritable(folder):
        second = loop_of(folder)
        assert second(np.ones(3, np.float32)) == 3
        assert (second.stats.cache_hits.total(), second.stats.cache_misses.total()) == (1, 0)
        # Of another type: compiled, used, and not kept.
        assert second(np.ones(3, np.float64)) == 3
    assert len(list((folder / "__pycache__").glob("*.nbc"))) == 1


def test_where_nothing_is_kept_nor_can_be_a_loop_runs_all_the_same(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/proc")
    (folder / "loops.py").write_text(SOURCE)
    (folder / "__pycache__").mkdir()
    with unwritable(folder):
        assert loop_of(folder)(np.ones(3, np.float32)) == 3

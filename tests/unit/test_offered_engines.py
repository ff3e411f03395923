"""Which engines may be asked for by name, and how many of them are in memory."""

import threading
from pathlib import Path

import pytest

from opal.cutout.interface import Cutout, EngineInfo
from opal.cutout.offer import OfferedEngine, choose_engine, engines_here, offered_engines
from opal.errors import ModelCorrupt, UnknownEngine
from opal.images.photo import Photo
from opal.scoring.engine_shelf import EngineShelf


class Named:
    """An engine that only has a name."""

    def __init__(self, name: str) -> None:
        self.info = EngineInfo(name, "1", name, "0" * 64)

    def cut_out(self, photo: Photo) -> Cutout:
        raise NotImplementedError


def test_the_default_comes_first_and_each_once() -> None:
    offered = offered_engines("isnet", ["isnet-small", "isnet", "isnet-small"])
    assert [(each.name, each.default) for each in offered] == [("isnet", True), ("isnet-small", False)]
    assert all(each.title for each in offered)
    with pytest.raises(UnknownEngine, match="nonsense"):
        offered_engines("isnet", ["nonsense"])


def test_a_file_is_offered_without_its_path() -> None:
    offered = offered_engines("/models/secret/mine.onnx", ["isnet"])
    assert [(each.name, each.source) for each in offered] == [
        ("onnx-file", "/models/secret/mine.onnx"),
        ("isnet", "isnet"),
    ]
    with pytest.raises(UnknownEngine, match="onnx-file, isnet") as refused:
        choose_engine("isnet-small", offered)
    assert "secret" not in refused.value.message


def test_weights_that_are_damaged_are_not_offered(tmp_path: Path) -> None:
    (tmp_path / "isnet-7001d60734fd.onnx").write_bytes(b"something else")
    assert engines_here(tmp_path) == []


def test_two_engines_at_most_are_in_memory() -> None:
    loaded: list[str] = []

    def load(engine: OfferedEngine) -> Named:
        loaded.append(engine.name)
        return Named(engine.name)

    shelf = EngineShelf(offered_engines("isnet", ["isnet-small", "isnet-int8"]), load)
    assert loaded == ["isnet"]
    assert shelf.engine(None) is shelf.engine("isnet")
    small = shelf.engine("isnet-small")
    assert shelf.engine("isnet-small") is small
    assert shelf.engine("isnet-int8").info.name == "isnet-int8"
    assert loaded == ["isnet", "isnet-small", "isnet-int8"]
    # The one before was given up for it.
    assert shelf.engine("isnet-small") is not small
    with pytest.raises(UnknownEngine, match="isnet, isnet-small, isnet-int8"):
        shelf.engine("nonsense")


def test_of_those_that_ask_at_once_one_loads() -> None:
    loaded: list[str] = []

    def load(engine: OfferedEngine) -> Named:
        loaded.append(engine.name)
        return Named(engine.name)

    shelf = EngineShelf(offered_engines("isnet", ["isnet-small"]), load)
    asking = [threading.Thread(target=shelf.engine, args=("isnet-small",)) for _ in range(8)]
    for thread in asking:
        thread.start()
    for thread in asking:
        thread.join()
    assert loaded == ["isnet", "isnet-small"]


def test_an_engine_that_cannot_be_loaded_is_tried_again() -> None:
    faults = [ModelCorrupt("damaged")]

    def load(engine: OfferedEngine) -> Named:
        if not engine.default and faults:
            raise faults.pop()
        return Named(engine.name)

    shelf = EngineShelf(offered_engines("isnet", ["isnet-small"]), load)
    with pytest.raises(ModelCorrupt):
        shelf.engine("isnet-small")
    assert shelf.engine("isnet-small").info.name == "isnet-small"

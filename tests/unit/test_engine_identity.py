"""What `opal process` takes for the same engine, without loading one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from opal.cutout.compute import Compute
from opal.cutout.engines import engine_identity
from opal.cutout.models import model_spec
from opal.cutout.quantised import NAME, QuantisedRecord, files, keep
from opal.cutout.version import VERSION
from opal.errors import ModelMissing, UnknownEngine


def made(models: Path, sha256: str) -> None:
    """A quantised network as `opal models optimize` leaves it; what is in it does not matter here."""
    fresh = models / "fresh"
    fresh.mkdir(parents=True, exist_ok=True)
    for path in files(fresh):
        path.write_bytes(b"x")
    record = QuantisedRecord(
        sha256=sha256,
        source_sha256=model_spec("isnet").sha256,
        made_at=datetime(2026, 3, 2, tzinfo=UTC),
        photos=3,
        held_out=1,
        lost=0.001,
        worst=0.002,
        bound=0.004,
    )
    keep(fresh, models, record)


def test_published_weights_are_known_by_the_table(tmp_path: Path) -> None:
    expected = {"name": "isnet", "version": VERSION, "sha256": model_spec("isnet").sha256}
    assert engine_identity("isnet", tmp_path) == expected
    coarse = engine_identity("isnet", tmp_path, Compute(precision="bf16"))
    assert coarse == {**expected, "version": f"{VERSION}-bf16"}
    with pytest.raises(UnknownEngine):
        engine_identity("moon", tmp_path)


def test_a_network_made_here_is_another_once_it_is_made_again(tmp_path: Path) -> None:
    assert engine_identity(NAME, tmp_path)["sha256"] is None
    for sha256 in ("1" * 64, "2" * 64):
        made(tmp_path, sha256)
        assert engine_identity(NAME, tmp_path)["sha256"] == sha256


def test_a_file_of_ones_own_is_another_by_its_bytes_or_its_description(tmp_path: Path) -> None:
    path = tmp_path / "mine.onnx"
    seen = []
    for network, description in ((b"one", ""), (b"two", ""), (b"two", "side = 320\n")):
        path.write_bytes(network)
        path.with_suffix(".toml").write_text(description)
        seen.append(engine_identity(str(path), tmp_path))
    assert seen[0] != seen[1]
    assert seen[1] != seen[2]
    for gone in (str(tmp_path / "gone.onnx"), "~nouser/x.onnx"):
        with pytest.raises(ModelMissing):
            engine_identity(gone, tmp_path)

"""`opal models optimize`: what is kept, what is refused, and that only whole files are loaded.

NNCF is no requirement of the tests; its process is replaced, and the rest is real.
"""

import json
import sys
from itertools import pairwise
from pathlib import Path

import numpy as np
import openvino
import pytest
from typer.testing import CliRunner

from opal.cli.models import app as models_app
from opal.cutout import optimize as optimize_module
from opal.cutout.engines import load_engine
from opal.cutout.interface import Cutout
from opal.cutout.models import model_spec
from opal.cutout.network import open_network
from opal.cutout.optimize import AccuracyLost, OptimizerMissing, measure_loss, optimize, split, spread
from opal.cutout.quantise_process import QuantiseTask
from opal.cutout.quantised import NAME, files, read_record, verify_quantised
from opal.errors import InvalidInput, ModelCorrupt, ModelMissing, NoProductFound
from opal.images.photo import Photo
from opal.settings import load_settings

SAMPLES = sorted((Path(__file__).parents[2] / "samples" / "photos").iterdir())


class Level:
    """An engine whose mattes have one value; None finds no product."""

    def __init__(self, value: float | None) -> None:
        self.value = value

    def cut_out(self, photo: Photo) -> Cutout:
        if self.value is None:
            raise NoProductFound
        return Cutout(np.full((photo.height, photo.width), self.value, np.float32), 1.0)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A models folder of its own, with the real weights."""
    spec = model_spec("isnet")
    (tmp_path / spec.file_name).symlink_to(load_settings().models_dir / spec.file_name)
    return tmp_path


def copy(task: QuantiseTask) -> None:
    openvino.save_model(open_network(task.source, 1024), str(task.target), compress_to_fp16=True)


def test_a_third_is_held_out_and_many_photos_are_thinned_evenly() -> None:
    photos = [Path(f"{number}.jpg") for number in range(100)]
    assert split(photos[:7]) == ([photos[n] for n in (0, 1, 3, 4, 6)], [photos[2], photos[5]])
    chosen = spread(photos, 48)
    assert len(set(chosen)) == 48
    assert {int(b.stem) - int(a.stem) for a, b in pairwise(chosen)} == {2, 3}
    assert spread(photos[:3], 48) == photos[:3]
    with pytest.raises(InvalidInput, match="At least 4"):
        split(photos[:3])


def test_loss_is_the_mean_difference_of_mattes() -> None:
    photos, said = SAMPLES[:2], list[str]()
    assert measure_loss(Level(0.5), Level(0.75), photos, said.append) == pytest.approx([0.25, 0.25])
    assert len(said) == 2
    assert measure_loss(Level(None), Level(0.75), photos, said.append) == [1.0, 1.0]
    with pytest.raises(InvalidInput, match="No product"):
        measure_loss(Level(None), Level(None), photos, said.append)


@pytest.mark.xdist_group("network")
def test_a_good_one_is_kept_with_its_record_and_loaded_only_whole(models: Path) -> None:
    tasks: list[QuantiseTask] = []
    broken = models / "broken.jpg"
    broken.write_bytes(b"no photo")
    said: list[str] = []

    def quantise(task: QuantiseTask) -> None:
        tasks.append(task)
        copy(task)

    photos = [SAMPLES[0], SAMPLES[1], broken, SAMPLES[6], SAMPLES[3]]
    record = optimize(photos, models, quantise=quantise, say=said.append)
    assert tasks[0].photos == (SAMPLES[0], SAMPLES[1], SAMPLES[3])
    assert any("broken.jpg is left out" in line for line in said)
    assert (record.photos, record.held_out) == (3, 1)
    assert record.lost < 1e-3  # the very same network
    assert verify_quantised(models) == record
    assert load_engine(NAME, models).info.sha256 == record.sha256
    assert not [path for path in models.iterdir() if path.name.startswith(f"{NAME}-")]
    with files(models)[1].open("r+b") as weights:
        weights.write(b"\1\2\3\4")
    with pytest.raises(ModelCorrupt, match="optimize"):
        load_engine(NAME, models)


@pytest.mark.xdist_group("network")
def test_what_loses_too_much_is_refused_and_nothing_changes(
    models: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(optimize_module, "measure_loss", lambda *_: [0.003, 0.006])
    with pytest.raises(AccuracyLost, match=r"0\.0045 on average.*0\.004"):
        optimize(SAMPLES[:4], models, quantise=copy)
    assert read_record(models) is None
    with pytest.raises(ModelMissing, match="opal models optimize"):
        load_engine(NAME, models)
    assert optimize(SAMPLES[:4], models, quantise=copy, bound=0.0046).worst == 0.006


def test_without_nncf_it_says_how_to_get_it(models: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "nncf", None)
    monkeypatch.setattr(optimize_module, "find_spec", lambda _: None)
    with pytest.raises(OptimizerMissing):
        optimize(SAMPLES, models)
    assert "requirements/optimize.txt" in (OptimizerMissing.__doc__ or "")


def test_it_is_listed_and_verified_like_the_others(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPAL_MODELS_DIR", str(tmp_path))
    listed = json.loads(CliRunner().invoke(models_app, ["list", "--json"]).output)
    [row] = [row for row in listed if row["name"] == NAME]
    assert (row["present"], row["sha256"]) == (False, None)
    result = CliRunner().invoke(models_app, ["verify", NAME, "--json"])
    assert result.exit_code == 1
    assert "opal models optimize" in json.loads(result.output)[0]["found"]

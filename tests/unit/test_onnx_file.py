"""Engines from a file of one's own: described by a TOML, checked before load, refused with a reason."""

import hashlib
import json
from pathlib import Path

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from tests.unit.tiny_onnx import mean_network, outside_weights
from typer.testing import CliRunner

from opal.cli.models import app as models_app
from opal.cutout.engines import engine_weights, load_engine
from opal.cutout.network import NetworkEngine, NetworkForm
from opal.cutout.onnx_file import EngineFileInvalid, read_description
from opal.errors import ModelCorrupt, ModelMissing, NoProductFound, UnknownEngine
from opal.images.decode import decode_photo
from opal.images.photo import Photo

SIDE = 64


def photo(pixels: NDArray[np.uint8]) -> Photo:
    image = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb")
    return decode_photo(image.pngsave_buffer())


def bright_square() -> NDArray[np.uint8]:
    pixels = np.full((200, 300, 3), 10, np.uint8)
    pixels[50:150, 100:200] = 250
    return pixels


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """A network that takes what is bright for the product, and its description."""
    path = tmp_path / "bright.onnx"
    path.write_bytes(mean_network(SIDE))
    path.with_suffix(".toml").write_text(f"side = {SIDE}\nmean = [0.0, 0.0, 0.0]\n")
    return path


def load(path: Path, models: Path) -> NetworkEngine:
    engine = load_engine(str(path), models)
    assert isinstance(engine, NetworkEngine)
    return engine


def test_a_file_of_ones_own_cuts_out_and_is_named_by_its_hash(file: Path, tmp_path: Path) -> None:
    engine = load(file, tmp_path / "models")
    cutout = engine.cut_out(photo(bright_square()))
    assert cutout.matte.shape == (200, 300)
    truth = bright_square()[..., 0] > 100
    assert ((cutout.matte > 0.5) != truth).mean() < 0.005
    assert engine.info.model == "bright"
    assert engine.info.sha256 == hashlib.sha256(file.read_bytes()).hexdigest()
    with pytest.raises(NoProductFound):
        engine.cut_out(photo(np.full((80, 80, 3), 10, np.uint8)))


def test_the_description_says_how_pixels_become_numbers(file: Path, tmp_path: Path) -> None:
    grey = photo(np.full((90, 90, 3), 153, np.uint8))  # 0.6
    assert load(file, tmp_path).predict(grey.pixels) == pytest.approx(np.full((SIDE, SIDE), 0.6), abs=1e-3)
    toml = file.with_suffix(".toml")
    toml.write_text(f"side = {SIDE}\nmean = [0.5, 0.5, 0.5]\nstd = [0.5, 0.5, 0.5]\n")
    assert load(file, tmp_path).predict(grey.pixels) == pytest.approx(np.full((SIDE, SIDE), 0.2), abs=1e-3)
    toml.write_text(toml.read_text() + 'output = "logits"\n')
    sure = 1 / (1 + np.exp(-0.2))
    assert load(file, tmp_path).predict(grey.pixels) == pytest.approx(np.full((SIDE, SIDE), sure), abs=1e-3)


def test_each_channel_has_its_own_mean_and_std() -> None:
    form = NetworkForm(side=32, mean=(0.1, 0.2, 0.3), std=(0.5, 0.25, 2.0))
    tensor = form.tensor(photo(np.full((64, 64, 3), (51, 102, 255), np.uint8)).pixels)
    assert tensor.shape == (1, 3, 32, 32)
    assert tensor[0, :, 5, 5] == pytest.approx((0.2, 0.8, 0.35), abs=1e-5)
    assert form.prediction(np.full((1, 1, 32, 32), 1e9, np.float32)).max() == 1.0


def test_without_a_description_it_is_taken_as_an_isnet_export(file: Path) -> None:
    file.with_suffix(".toml").unlink()
    described = read_description(file)
    assert (described.side, described.mean, described.std) == (1024, (0.5,) * 3, (1.0,) * 3)


def test_a_network_of_open_size_takes_the_described_one(file: Path, tmp_path: Path) -> None:
    file.write_bytes(mean_network(None))
    file.with_suffix(".toml").write_text("side = 96\n")
    prediction = load(file, tmp_path).predict(photo(np.full((90, 90, 3), 255, np.uint8)).pixels)
    assert prediction == pytest.approx(np.full((96, 96), 0.5), abs=1e-3)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("side = 7", "side"),
        ("sied = 320", "sied"),
        ("std = [0.2, 0.0, 0.2]", "std.1"),
        ('output = "softmax"', "output"),
        ("mean = [nan, 0.5, 0.5]", "mean.0"),
        ("std = [1.0, 1.0, inf]", "std.2"),
        ("side = ", "cannot be read"),
    ],
)
def test_a_faulty_description_names_the_key(file: Path, tmp_path: Path, text: str, said: str) -> None:
    file.with_suffix(".toml").write_text(text)
    with pytest.raises(EngineFileInvalid, match=rf"bright\.toml.*{said}"):
        load_engine(str(file), tmp_path)


def test_a_pinned_hash_is_checked_before_load(file: Path, tmp_path: Path) -> None:
    toml = file.with_suffix(".toml")
    toml.write_text(toml.read_text() + f'sha256 = "{hashlib.sha256(file.read_bytes()).hexdigest()}"\n')
    load_engine(str(file), tmp_path)
    file.write_bytes(b"something else")
    with pytest.raises(ModelCorrupt, match="pins"):
        load_engine(str(file), tmp_path)


def test_weights_in_another_file_are_refused_because_no_hash_covers_them(file: Path, tmp_path: Path) -> None:
    (tmp_path / "weights.bin").write_bytes(np.float32(5.0).tobytes())
    for location in ("weights.bin", str(tmp_path / "weights.bin")):
        file.write_bytes(outside_weights(SIDE, location))
        with pytest.raises(EngineFileInvalid, match="this one file"):
            load_engine(str(file), tmp_path)


def test_what_is_no_usable_network_is_told_in_one_line(file: Path, tmp_path: Path) -> None:
    file.write_bytes(b"not a network")
    with pytest.raises(EngineFileInvalid, match=r"bright\.onnx") as caught:
        load_engine(str(file), tmp_path)
    assert "\n" not in caught.value.message
    file.write_bytes(mean_network(SIDE, channels_kept=True))
    with pytest.raises(EngineFileInvalid, match="one number per pixel"):
        load_engine(str(file), tmp_path)
    file.unlink()
    with pytest.raises(ModelMissing, match=r"bright\.onnx"):
        load_engine(str(file), tmp_path)


def test_nothing_is_fetched_for_a_file_of_ones_own(
    file: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert engine_weights(str(file)) is None
    with pytest.raises(UnknownEngine):
        engine_weights("nonsense")
    monkeypatch.setenv("OPAL_SCORING_ENGINE", str(file))
    monkeypatch.setenv("OPAL_MODELS_DIR", str(tmp_path / "empty"))
    for command in ("pull", "verify"):
        result = CliRunner().invoke(models_app, [command, "--json"])
        assert (result.exit_code, json.loads(result.output)) == (0, [])

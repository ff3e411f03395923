"""The sample photos, their exact alphas and the list beside them tell the same story."""

import tomllib
from functools import cache
from typing import Any

import numpy as np
import pytest
import pyvips
from tests.project.source_tree import ROOT
from tests.unit.photo_files import DISPLAY_P3, SRGB, to_xyz

from opal.images.decode import decode_photo
from opal.images.limits import probe
from opal.images.matte import Matte, read_matte
from opal.images.photo import Photo
from opal.images.profile import embedded_profile

SAMPLES = ROOT / "samples"
LISTED: dict[str, dict[str, Any]] = {
    sample["name"]: sample
    for sample in tomllib.loads((SAMPLES / "samples.toml").read_text("utf-8"))["sample"]
}
SHIPPED = {name: sample for name, sample in LISTED.items() if sample["shipped"]}
NAMES = sorted(SHIPPED)


@cache
def photo_of(name: str) -> Photo:
    return decode_photo(SAMPLES / LISTED[name]["photo"])


@cache
def alpha_of(name: str) -> Matte:
    return read_matte((SAMPLES / LISTED[name]["alpha"]).read_bytes())


def test_the_list_names_every_file_and_no_other() -> None:
    for folder, key in (("photos", "photo"), ("alpha", "alpha")):
        there = {f"{folder}/{file.name}" for file in (SAMPLES / folder).iterdir()}
        assert there == {sample[key] for sample in SHIPPED.values()}


def test_every_listed_sample_has_its_module_and_no_other_has() -> None:
    there = {file.stem for file in (SAMPLES / "studio" / "shots").glob("[a-z]*.py")}
    assert there == {name.removesuffix("-large").replace("-", "_") for name in LISTED}
    for name, sample in LISTED.items():
        assert sample["photo"] == f"photos/{name}.jpg"
        assert sample["alpha"] == f"alpha/{name}.png"
    assert len({sample["kind"] for sample in LISTED.values()}) == len(there) >= 24


def test_some_are_as_large_as_a_cameras_photos() -> None:
    large = [sample for sample in LISTED.values() if sample["size"][0] * sample["size"][1] >= 6_000_000]
    assert len(large) >= 5
    assert {name for name in LISTED if name.endswith("-large")} <= {sample["name"] for sample in large}


def test_there_are_enough_of_every_sort_and_they_weigh_little() -> None:
    sizes = [sample["size"] for sample in SHIPPED.values()]
    assert len(sizes) >= 6
    assert any(width > height for width, height in sizes)
    assert any(width < height for width, height in sizes)
    files = [SAMPLES / sample[key] for sample in SHIPPED.values() for key in ("photo", "alpha")]
    assert sum(file.stat().st_size for file in files) < 4_000_000
    assert [s["orientation"] for s in SHIPPED.values()].count(6) == 1
    assert [s["colour_space"] for s in SHIPPED.values()].count("display-p3") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_photo_and_its_alpha_are_as_listed(name: str) -> None:
    listed, photo, alpha = LISTED[name], photo_of(name), alpha_of(name)
    assert [photo.width, photo.height] == listed["size"]
    assert alpha.shape == (photo.height, photo.width)
    header = probe(SAMPLES / listed["photo"])
    assert header.orientation == listed["orientation"]
    assert list(header.upright_size) == listed["size"]
    assert (header.width > header.height) != (photo.width > photo.height) or header.orientation < 5
    assert photo.source.profile == ("Display P3" if listed["colour_space"] == "display-p3" else None)


@pytest.mark.parametrize("name", NAMES)
def test_an_alpha_shows_one_whole_product(name: str) -> None:
    alpha = alpha_of(name)
    assert 0.05 < float((alpha > 0.5).mean()) < 0.7
    assert (alpha.min(), alpha.max()) == (0.0, 1.0)
    soft = (alpha > 0.0) & (alpha < 1.0)
    assert 0 < soft.mean() < 0.1, "an exact edge is soft, and only the edge is"
    border = np.concatenate([alpha[0], alpha[-1], alpha[:, 0], alpha[:, -1]])
    assert border.max() == 0.0, "the product is not cut by the frame"


@pytest.mark.parametrize("name", NAMES)
def test_an_alpha_lies_on_its_photo(name: str) -> None:
    """Across the alpha's outline the photo changes more than it does when the alpha lies mirrored."""
    luma = photo_of(name).pixels.colourspace("b-w").numpy().astype(np.float32)
    steepness = np.hypot(*np.gradient(luma))

    def along(alpha: Matte) -> float:
        return float(steepness[(alpha > 0.05) & (alpha < 0.95)].mean())

    alpha = alpha_of(name)
    for wrong in (alpha[:, ::-1], alpha[::-1], np.roll(alpha, (6, 6), (0, 1))):
        assert along(alpha) > 1.25 * along(wrong)


@pytest.mark.parametrize("name", ["canvas-tote", "gold-ring", "stoneware-mug"])
def test_holes_are_holes(name: str) -> None:
    clear = pyvips.Image.new_from_array((alpha_of(name) < 0.5).astype(np.uint8))
    labels = clear.labelregions().numpy()
    ground = labels[0, 0]
    enclosed = (alpha_of(name) < 0.5) & (labels != ground)
    assert enclosed.sum() > 0.01 * (alpha_of(name) > 0.5).sum()


def test_the_p3_photo_holds_colours_that_srgb_has_not() -> None:
    (name,) = (n for n, sample in SHIPPED.items() if sample["colour_space"] == "display-p3")
    stored = pyvips.Image.new_from_file(str(SAMPLES / LISTED[name]["photo"]))
    assert embedded_profile(stored) is not None
    linear = (stored.numpy() / 255.0) ** 2.2
    srgb = linear @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(DISPLAY_P3)).T
    beyond = (srgb.max(axis=-1) > 1.01) | (srgb.min(axis=-1) < -0.005)
    assert beyond.mean() > 0.02

"""Cut-outs of the samples held against their exact alphas: the network's weights and our refinement together.

Bars are a little below what was measured when they were set. If one breaks, look at the matte before
lowering it: `opal process samples/photos/NAME.jpg --out out` writes it to out/NAME/matte.png.
"""

from functools import cache
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from opal.cutout.compute import Compute
from opal.cutout.engines import ENGINES, load_engine
from opal.cutout.interface import Cutout, CutoutEngine
from opal.errors import ModelMissing, UnknownEngine
from opal.images.decode import decode_photo
from opal.images.matte import read_matte
from opal.settings import load_settings

pytestmark = pytest.mark.xdist_group("network")

SAMPLES = Path(__file__).parents[2] / "samples"
# Least overlap with the exact alpha, and largest mean difference from it.
BARS = {
    "canvas-tote": (0.985, 0.006),
    "glass-bottle": (0.985, 0.005),
    "gold-ring": (0.95, 0.008),
    "moka-pot": (0.985, 0.004),
    "soap-dispenser": (0.975, 0.006),
    "stoneware-mug": (0.99, 0.004),
    "tea-tin": (0.985, 0.004),
}


@cache
def engine() -> CutoutEngine:
    settings = load_settings()
    return load_engine(settings.scoring.engine, settings.models_dir, Compute.of(settings.scoring))


@cache  # two tests look at some samples, and a cut-out takes seconds
def cut_out(name: str) -> tuple[Cutout, NDArray[np.float32]]:
    alpha = read_matte((SAMPLES / "alpha" / f"{name}.png").read_bytes())
    return engine().cut_out(decode_photo(SAMPLES / "photos" / f"{name}.jpg")), alpha


@pytest.mark.parametrize("name", sorted(BARS))
def test_the_matte_is_close_to_the_exact_alpha(name: str) -> None:
    cutout, alpha = cut_out(name)
    matte = cutout.matte
    assert matte.shape == alpha.shape
    assert matte.dtype == np.float32
    assert (matte.min(), matte.max()) == (0.0, 1.0)
    overlap, difference = BARS[name]
    found, true = matte > 0.5, alpha > 0.5
    assert (found & true).sum() / (found | true).sum() > overlap
    assert float(np.abs(matte - alpha).mean()) < difference
    assert cutout.confidence >= 0.8
    lost = ((alpha > 0.95) & (matte < 0.05)).sum() / (alpha > 0.5).sum()
    assert lost < 0.003


def test_every_sample_has_a_bar() -> None:
    assert set(BARS) == {path.stem for path in (SAMPLES / "photos").iterdir()}


@pytest.mark.parametrize(("name", "inside"), [("stoneware-mug", "handle"), ("gold-ring", "ring")])
def test_holes_stay_open(name: str, inside: str) -> None:
    cutout, alpha = cut_out(name)
    clear = alpha == 0.0
    # A hole is clear ground that the product encloses: clear pixels that lie between product in their row.
    rows = np.arange(alpha.shape[1])
    first, last = (alpha > 0.5).argmax(axis=1), alpha.shape[1] - (alpha > 0.5)[:, ::-1].argmax(axis=1)
    between = (rows > first[:, None]) & (rows < last[:, None]) & clear
    assert between.sum() > 1000, inside
    assert (cutout.matte[between] < 0.1).mean() > 0.97


def test_engines_are_told_by_name(tmp_path: Path) -> None:
    with pytest.raises(UnknownEngine, match="nonsense"):
        load_engine("nonsense", tmp_path)
    for name in ENGINES:
        with pytest.raises(ModelMissing, match=r"opal models (pull|optimize)"):
            load_engine(name, tmp_path)

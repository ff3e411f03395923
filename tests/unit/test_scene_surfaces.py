"""Surfaces: even on the whole, sharp at the product, blurred where the lens blurs, the same at every size."""

from typing import get_args

import numpy as np
import pytest
from numpy.typing import NDArray

from opal.placement.surface import RowView, SurfaceName, surface_colour, surface_painter

SURFACES: tuple[SurfaceName, ...] = get_args(SurfaceName)


def _view(rows: int, per_unit: float, blur: float = 0.0, span: float = 1.2) -> RowView:
    v = (np.arange(rows) + 0.5) * (span / rows)
    same = np.ones(rows)
    lines = (v, same / per_unit, same * span / rows, blur * same)
    return RowView(*(line.astype(np.float32) for line in lines))


def _paint(name: SurfaceName, view: RowView, seed: int = 1) -> NDArray[np.float32]:
    columns = round(2.0 / float(view.pixel[0]))
    u = ((np.arange(columns) + 0.5) / columns * 2.0 - 1.0).astype(np.float32)
    return surface_painter(name, u, np.random.default_rng(seed))(view)


@pytest.mark.parametrize("name", SURFACES)
def test_a_surface_changes_the_light_without_changing_its_level(name: SurfaceName) -> None:
    levels = []
    for seed in range(6):
        albedo = _paint(name, _view(300, 400.0), seed)
        assert albedo.dtype == np.float32
        assert albedo.min() > 0.1
        assert albedo.max() < 1.8
        levels.append(float(albedo.mean()))
    assert np.mean(levels) == pytest.approx(1.0, abs=0.1)


@pytest.mark.parametrize("name", SURFACES)
def test_what_is_out_of_focus_keeps_its_tone_and_loses_its_grain(name: SurfaceName) -> None:
    sharp, soft = _paint(name, _view(300, 400.0)), _paint(name, _view(300, 400.0, blur=0.06))
    grain = [float(np.abs(np.diff(one, axis=0)).mean()) for one in (sharp, soft)]
    assert grain[1] < 0.4 * grain[0]
    assert soft.mean() == pytest.approx(float(sharp.mean()), abs=0.05)


@pytest.mark.parametrize("name", SURFACES)
def test_twice_the_pixels_show_the_same_surface(name: SurfaceName) -> None:
    small, large = _paint(name, _view(150, 200.0)), _paint(name, _view(600, 800.0))
    shrunk = large.reshape(150, 4, small.shape[1], 4).mean(axis=(1, 3))
    together = np.corrcoef(shrunk.ravel(), small.ravel())[0, 1]
    assert together > 0.9


@pytest.mark.parametrize("name", SURFACES)
def test_rows_painted_in_parts_are_the_rows_painted_at_once(name: SurfaceName) -> None:
    view = _view(120, 200.0)
    u = np.arange(-1.0, 1.0, 0.005).astype(np.float32)
    paint = surface_painter(name, u, np.random.default_rng(1))
    parts = np.concatenate([paint(view.part(0, 50)), paint(view.part(50, 120))])
    assert np.abs(parts - paint(view)).max() < 1e-4


def test_dark_grain_in_wood_is_redder_than_light_grain() -> None:
    dark, light = surface_colour("oak", np.array([[0.7, 1.2]], np.float32))[0]
    assert dark[0] / dark[2] > light[0] / light[2]
    assert surface_colour("oak", np.ones((1, 1), np.float32))[0, 0] == pytest.approx([1.0, 1.0, 1.0])

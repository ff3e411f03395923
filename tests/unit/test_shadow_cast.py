"""Cast shadows: they fall where the light sends them, soften with height, and leave no seam or edge."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.drawn_products import Field, ball, coverage

from opal.images.cast import TILT, Light, floating_shadow, hard_shadow, soft_shadow
from opal.images.contact import Contact, estimate_contact
from opal.images.shadow import Transmittance

SIDE = 500
Cast = Callable[[NDArray[np.float32], Light], Transmittance]


def _bottle(side: int = SIDE) -> NDArray[np.float32]:
    """A tall bottle, 0.2 wide and 0.5 high, standing at 0.75 of a square canvas."""

    def shape(x: Field, y: Field) -> NDArray[np.bool_]:
        u, v = x / side - 0.5, y / side
        return np.asarray((np.abs(u) < 0.1) & (v > 0.25) & (v < 0.75))

    return coverage(shape, side, side)


def _contact(alpha: NDArray[np.float32]) -> Contact:
    contact = estimate_contact(alpha)
    assert contact is not None
    return contact


def _hard(alpha: NDArray[np.float32], light: Light, intensity: float = 1.0) -> Transmittance:
    return hard_shadow(alpha, _contact(alpha), light, intensity=intensity, softness=0.5)


def _soft(alpha: NDArray[np.float32], light: Light, softness: float = 0.5) -> Transmittance:
    return soft_shadow(alpha, _contact(alpha), light, intensity=1.0, softness=softness)


def _middle(shade: Transmittance) -> tuple[float, float]:
    """Centre of the lost light: column and row."""
    lost = 1.0 - shade.astype(np.float64)
    y, x = np.mgrid[0 : shade.shape[0], 0 : shade.shape[1]]
    return float((x * lost).sum() / lost.sum()), float((y * lost).sum() / lost.sum())


@pytest.mark.parametrize("cast", [_hard, _soft])
def test_the_shadow_falls_in_the_direction_it_is_told(cast: Cast) -> None:
    alpha = _bottle()
    places = {angle: _middle(cast(alpha, Light(angle, 0.8))) for angle in (0.0, 90.0, 180.0, 270.0)}
    assert places[90.0][0] > 0.5 * SIDE + 40
    assert places[270.0][0] < 0.5 * SIDE - 40
    assert places[0.0][1] < places[90.0][1] - 10
    assert places[180.0][1] > places[90.0][1] + 10
    assert places[0.0][0] == pytest.approx(0.5 * SIDE, abs=2)


def test_a_lower_light_throws_a_longer_shadow() -> None:
    alpha = _bottle()
    ends = []
    for length in (0.25, 0.5, 0.75):
        dark = np.flatnonzero(_hard(alpha, Light(90.0, length)).min(axis=0) < 0.8)
        ends.append(int(dark[-1]))
    # The bottle is 0.5 of the canvas high and ends at 0.6 across.
    assert ends == pytest.approx([(0.6 + 0.5 * length) * SIDE for length in (0.25, 0.5, 0.75)], abs=12)


@pytest.mark.parametrize("cast", [_hard, _soft])
def test_nothing_is_darkened_on_the_side_of_the_light_or_in_the_air(cast: Cast) -> None:
    shade = cast(_bottle(), Light(90.0, 0.6))
    assert shade.max() <= 1.0
    assert shade.min() > 0.2
    assert shade[:, : round(0.30 * SIDE)].min() > 0.995
    assert shade[: round(0.55 * SIDE)].min() > 0.995


def test_a_hard_shadow_is_even_and_a_soft_one_pales_and_spreads() -> None:
    alpha, light = _bottle(), Light(90.0, 0.8)
    base = round(0.75 * SIDE - 0.1 * SIDE * 0.14)
    hard, soft = _hard(alpha, light)[base], _soft(alpha, light)[base]
    near, far = round(0.63 * SIDE), round(0.90 * SIDE)
    assert hard[near] == pytest.approx(hard[far], abs=0.05)
    assert soft[near] < soft[far] - 0.1
    edge = round(1.0 * SIDE) - 4
    steepest = [float(np.abs(np.diff(row[far:edge])).max()) for row in (hard, soft)]
    assert steepest[0] > 3.0 * steepest[1]


def test_no_seam_shows_along_the_shadow() -> None:
    """Light rises only once along the shadow's axis: steps of height leave no stripes."""
    for cast in (_hard, _soft):
        shade = cast(_bottle(1000), Light(90.0, 0.6))
        row = shade[round(0.75 * 1000 - 14), 620:990]
        assert float(np.minimum(np.diff(row), 0.0).sum()) > -0.03


def test_light_shines_through_the_hole_of_a_handle() -> None:
    alpha = _bottle()
    alpha[round(0.40 * SIDE) : round(0.60 * SIDE), round(0.45 * SIDE) : round(0.55 * SIDE)] = 0.0
    # Towards the camera the hole, 0.05 to 0.25 of the canvas above the floor's middle, comes to lie here:
    light = Light(180.0, 2.0)
    row = round((0.75 + 0.25 * 2.0 * TILT) * SIDE)
    shade = _hard(alpha, light)[row]
    middle = SIDE // 2
    assert shade[middle] > 0.95
    assert shade[middle - round(0.075 * SIDE)] < 0.6
    assert shade[middle + round(0.075 * SIDE)] < 0.6
    assert _hard(_bottle(), light)[row, middle] < 0.6


def test_intensity_scales_the_darkness_and_nought_is_none() -> None:
    alpha, light = _bottle(), Light(60.0, 0.5)
    full, half, none = (1.0 - _hard(alpha, light, share) for share in (1.0, 0.5, 0.0))
    assert np.abs(half - 0.5 * full).max() < 1e-4
    assert none.max() == 0.0


def test_softness_spreads_the_shadow() -> None:
    alpha, light = _bottle(), Light(60.0, 0.5)
    areas = [(_soft(alpha, light, softness) < 0.97).sum() for softness in (0.1, 0.5, 0.9)]
    assert areas[0] < areas[1] < areas[2]


def test_the_shadow_scales_with_the_picture() -> None:
    small, large = _bottle(300), _bottle(1200)
    light = Light(60.0, 0.5)
    shrunk = _soft(large, light).reshape(300, 4, 300, 4).mean(axis=(1, 3))
    seen = small < 0.5
    assert np.abs(shrunk - _soft(small, light))[seen].max() < 0.08


def test_a_soft_shadow_pales_without_rings() -> None:
    """Along its axis it never brightens much faster than on the whole."""
    shade = _soft(_bottle(1000), Light(90.0, 0.6))[round(0.75 * 1000 - 14), 650:900]
    rise = np.diff(shade)
    assert rise.max() < 2.5 * rise.mean()


def _loop() -> NDArray[np.float32]:
    """A cable laid in a loop, 0.6 wide, 0.12 high and 0.015 thick, its nearest part at 0.8 of the canvas."""

    def shape(x: Field, y: Field) -> NDArray[np.bool_]:
        u, v = (x / SIDE - 0.5) / 0.3, (y / SIDE - 0.74) / 0.06
        outer = u * u + v * v < 1.0
        inner = (u / 0.95) ** 2 + (v / 0.75) ** 2 < 1.0
        return np.asarray(outer & ~inner)

    return coverage(shape, SIDE, SIDE)


def test_the_shadow_of_a_cable_is_no_pool() -> None:
    shade = _hard(_loop(), Light(90.0, 0.3))
    inside = shade[round(0.70 * SIDE) : round(0.78 * SIDE), SIDE // 3 : 2 * SIDE // 3]
    assert (inside < 0.9).mean() < 0.5


def test_what_is_slim_throws_a_clear_shadow_when_it_floats() -> None:
    """Its blur lies on the floor as flat as the shadow does, and does not wash it away."""
    alpha = _bottle()
    shade = floating_shadow(alpha, _contact(alpha), 40.0, intensity=1.0, softness=0.5)
    assert shade[round(0.75 * SIDE) :, SIDE // 2].min() < 0.55


def test_a_shadow_that_leaves_the_picture_does_not_end_before_its_border() -> None:
    alpha = np.roll(_bottle(), round(0.35 * SIDE), axis=1)
    row = _hard(alpha, Light(90.0, 1.0))[round(0.75 * SIDE) - 6]
    assert row[-1] == pytest.approx(float(row[round(0.97 * SIDE)]), abs=0.05)
    assert row[-1] < 0.6


@pytest.mark.parametrize("direction", [0.0, 45.0, 180.0, 300.0])
@pytest.mark.parametrize("length", [0.0, 2.0])
def test_every_direction_and_length_is_painted(direction: float, length: float) -> None:
    for alpha in (_bottle(), ball(200, 120).matte, np.ones((60, 60), np.float32)):
        for cast in (_hard, _soft):
            shade = cast(alpha, Light(direction, length))
            assert shade.shape == alpha.shape
            assert shade.dtype == np.float32
            assert np.isfinite(shade).all()
            assert shade.min() >= 0.0
            assert shade.max() <= 1.0


def test_a_floating_shadow_lies_on_the_floor_below_and_not_at_the_foot() -> None:
    alpha = ball(SIDE, SIDE).matte
    contact = _contact(alpha)
    # Higher above the floor, the shadow lies lower on the canvas and nothing else changes.
    near, far = (floating_shadow(alpha, contact, drop, intensity=1.0, softness=0.5) for drop in (20.0, 50.0))
    assert _middle(far)[1] == pytest.approx(_middle(near)[1] + 30, abs=6)
    assert _middle(far)[0] == pytest.approx(SIDE / 2, abs=2)
    assert far.min() < 0.7
    assert far[: SIDE // 2].min() > 0.99

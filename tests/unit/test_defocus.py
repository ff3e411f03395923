"""Depth of field: a disc's blur, row by row, that keeps light and leaves what is in focus."""

import numpy as np
import pytest

from opal.images.colour import Linear
from opal.images.defocus import defocus


def noise(height: int = 200, width: int = 240) -> Linear:
    return np.random.default_rng(1).random((height, width, 3), np.float32)


def radii(height: int, radius: float) -> Linear:
    return np.full(height, radius, np.float32)


def test_what_is_in_focus_stays_bit_for_bit() -> None:
    pixels = noise()
    radius = radii(200, 0.0)
    radius[:80] = 5.0
    blurred = defocus(pixels, radius)
    assert np.array_equal(blurred[80:], pixels[80:])
    assert not np.array_equal(blurred[:80], pixels[:80])


def test_the_input_is_not_changed() -> None:
    pixels = noise()
    before = pixels.copy()
    defocus(pixels, radii(200, 30.0))
    assert np.array_equal(pixels, before)


@pytest.mark.parametrize("radius", [1.0, 4.5, 9.0, 20.0, 40.0])
def test_a_point_of_light_becomes_a_disc_of_the_same_light(radius: float) -> None:
    pixels = np.zeros((257, 257, 3), np.float32)
    pixels[128, 128] = 1.0
    disc = defocus(pixels, radii(257, radius))[..., 0]
    assert disc.sum() == pytest.approx(1.0, rel=0.03)
    y, x = np.mgrid[-128:129, -128:129]
    distance = np.hypot(x, y)
    # Even inside, nothing outside: a lens's disc, not a bell.
    assert disc[distance > radius * 1.25 + 2.0].max() < 0.05 * disc.max()
    inside = disc[distance < 0.7 * radius - 1.0]
    if inside.size > 20:
        assert inside.min() > 0.75 * inside.max()


@pytest.mark.parametrize("radius", [2.0, 7.0, 13.0, 50.0])
def test_an_even_picture_stays_even_up_to_its_border(radius: float) -> None:
    even = np.full((120, 90, 3), 0.37, np.float32)
    assert np.abs(defocus(even, radii(120, radius)) - 0.37).max() < 1e-5


def test_a_radius_that_grows_leaves_no_step() -> None:
    """Where two working sizes meet, neighbouring rows must not differ more than elsewhere."""
    pixels = np.zeros((400, 300, 3), np.float32)
    pixels[:, 150:] = 1.0
    blurred = defocus(pixels, np.linspace(0.0, 60.0, 400, dtype=np.float32))[..., 0]
    step = np.abs(np.diff(blurred, axis=0)).max(axis=1)
    assert step[60:].max() < 0.05


def test_one_band_is_blurred_as_three_are() -> None:
    pixels = noise()
    radius = np.linspace(0.0, 30.0, 200, dtype=np.float32)
    three = defocus(pixels, radius)
    one = defocus(np.ascontiguousarray(pixels[..., :1]), radius)
    assert one.shape == (200, 240, 1)
    assert np.abs(one[..., 0] - three[..., 0]).max() < 1e-5

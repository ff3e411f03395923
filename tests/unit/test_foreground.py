"""Edges lose the old ground's colour; everything else stays as it was."""

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray
from tests.unit.drawn_products import coverage, ellipse

from opal.images.colour import linear_to_srgb
from opal.images.foreground import edge_colours

Floats = NDArray[np.float32]
GREEN = np.array([0.05, 0.6, 0.08], np.float32)
RED = np.array([0.5, 0.04, 0.03], np.float32)


def soft_disc(size: int = 160, softness: int = 5) -> Floats:
    """A disc whose edge is a few pixels wide, as a lens makes it."""
    alpha = coverage(ellipse(size / 2, size / 2, size * 0.35, size * 0.35), size, size)
    kernel = np.ones(softness) / softness
    for axis in (0, 1):
        alpha = np.apply_along_axis(lambda line: np.convolve(line, kernel, "same"), axis, alpha)
    return np.asarray(np.clip(alpha, 0, 1), np.float32)


def mixed(alpha: Floats, product: Floats, ground: Floats) -> Floats:
    share = alpha[..., None]
    return np.asarray(share * product + (1 - share) * ground, np.float32)


def codes_apart(one: Floats, other: Floats) -> NDArray[np.float64]:
    """Difference in 8-bit sRGB codes, what an eye would see."""
    return np.abs(linear_to_srgb(one) - linear_to_srgb(other)) * 255.0


def decontaminate(photo: Floats, alpha: Floats) -> Floats:
    """The photo with its edge's colours replaced, as placement does it."""
    cleaned = photo.copy()
    rows, columns = np.nonzero((alpha > 0.0) & (alpha < 1.0))
    if rows.size:
        image = pyvips.Image.new_from_array(cleaned)
        cleaned[rows, columns] = edge_colours(image, alpha, rows, columns, lambda r, c: photo[r, c])
    return cleaned


def test_a_green_rim_becomes_the_products_own_red() -> None:
    alpha = soft_disc()
    photo = mixed(alpha, RED, GREEN)
    cleaned = decontaminate(photo, alpha)
    rim = (alpha > 0.1) & (alpha < 1)
    assert codes_apart(photo, np.broadcast_to(RED, photo.shape))[rim].max() > 100  # the rim was green
    assert codes_apart(cleaned, np.broadcast_to(RED, photo.shape))[rim].max() < 12
    # On a new ground the halo is gone: what is left weighs by its share.
    white = np.ones(3, np.float32)
    laid, wanted = mixed(alpha, cleaned, white), mixed(alpha, RED, white)
    halo = mixed(alpha, photo, white)
    assert codes_apart(laid, wanted).max() < 4
    assert codes_apart(halo, wanted).max() > 20


def test_colours_that_vary_along_the_product_and_the_ground_are_followed() -> None:
    size = 192
    alpha = soft_disc(size)
    across = np.linspace(0, 1, size, dtype=np.float32)[None, :, None] * np.ones((size, 1, 1), np.float32)
    product = RED * (1 - across) + np.array([0.1, 0.1, 0.5], np.float32) * across
    ground = GREEN * across + np.array([0.7, 0.7, 0.65], np.float32) * (1 - across)
    cleaned = decontaminate(mixed(alpha, product, ground), alpha)
    rim = (alpha > 0.25) & (alpha < 1)
    assert codes_apart(cleaned, product)[rim].mean() < 5


def test_only_the_edge_changes_and_the_input_does_not() -> None:
    random = np.random.default_rng(1)
    alpha, photo = soft_disc(), random.random((160, 160, 3), dtype=np.float32)
    before = photo.copy()
    cleaned = decontaminate(photo, alpha)
    outside_the_edge = (alpha == 0) | (alpha == 1)
    assert np.array_equal(cleaned[outside_the_edge], photo[outside_the_edge])
    assert not np.array_equal(cleaned, photo)
    assert np.array_equal(photo, before)


@pytest.mark.parametrize("level", [0.0, 1.0])
def test_a_matte_without_an_edge_changes_nothing(level: float) -> None:
    photo = np.random.default_rng(1).random((33, 47, 3), dtype=np.float32)
    assert np.array_equal(decontaminate(photo, np.full((33, 47), level, np.float32)), photo)


def test_a_product_on_its_own_colour_keeps_it() -> None:
    alpha = soft_disc()
    flat = np.broadcast_to(RED, (160, 160, 3)).astype(np.float32)
    assert np.abs(decontaminate(flat, alpha) - flat).max() < 2e-3


@settings(deadline=None, max_examples=60)
@given(
    st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(
        lambda size: st.tuples(
            arrays.arrays(np.float32, (*size, 3), elements=st.floats(0, 1, width=32)),
            arrays.arrays(np.float32, size, elements=st.floats(0, 1, width=32)),
        )
    )
)
def test_any_picture_and_any_matte_give_colours(pair: tuple[Floats, Floats]) -> None:
    photo, alpha = pair
    cleaned = decontaminate(photo, alpha)
    assert cleaned.dtype == np.float32
    assert cleaned.shape == photo.shape
    assert np.isfinite(cleaned).all()
    assert cleaned.min() >= 0
    assert cleaned.max() <= 1

"""Cut-outs laid over grounds, colours carried on beyond an edge, and the watermark."""

import numpy as np
import pytest

from opal.images.colour import linear_to_srgb, srgb_to_linear
from opal.images.over_picture import Ground, over_picture, shade_under
from opal.images.spread import spread_colours
from opal.images.watermark import watermark

WHITE = np.full((1, 1, 3), 255, np.uint8)


def product(alpha: int = 255) -> np.ndarray:
    """A block of one colour on nothing, 100 x 70."""
    pixels = np.zeros((70, 100, 4), np.uint8)
    pixels[20:50, 30:60] = (200, 40, 90, alpha)
    return pixels


def test_all_product_keeps_its_codes_and_the_ground_its_own() -> None:
    every = np.zeros((16, 256, 4), np.uint8)
    every[..., 0], every[..., 1], every[..., 3] = np.arange(256), 255 - np.arange(256), 255
    np.testing.assert_array_equal(over_picture(every, Ground(WHITE), None), every[..., :3])
    laid = over_picture(product(), Ground(WHITE), None)
    assert (laid[0, 0] == 255).all()
    assert tuple(laid[30, 40]) == (200, 40, 90)


def test_a_soft_edge_is_mixed_in_linear_light() -> None:
    laid = over_picture(product(128), Ground(WHITE), None)
    share = 128 / 255
    light = srgb_to_linear(np.array([200, 40, 90]) / 255) * share + (1 - share)
    np.testing.assert_allclose(laid[30, 40], linear_to_srgb(light) * 255, atol=0.6)


@pytest.mark.parametrize("alpha", [0, 128, 255])
def test_a_ground_that_is_see_through_leaves_the_result_so(alpha: int) -> None:
    laid = over_picture(product(alpha), Ground(WHITE, 0.5), None)
    assert laid.shape == (70, 100, 4)
    assert tuple(laid[0, 0]) == (255, 255, 255, 128)
    expected = alpha / 255 + 0.5 * (1 - alpha / 255)
    assert laid[30, 40, 3] == pytest.approx(255 * expected, abs=1)


def test_a_shadow_dims_the_ground_and_never_the_product() -> None:
    shade = np.full((70, 100), 0.25, np.float32)
    laid = over_picture(product(), Ground(WHITE), shade)
    assert laid[0, 0, 0] == pytest.approx(linear_to_srgb(np.array(0.25)) * 255, abs=0.6)
    assert tuple(laid[30, 40]) == (200, 40, 90)
    alone = shade_under(product(), shade)
    assert tuple(alone[30, 40]) == (200, 40, 90, 255)
    assert tuple(alone[0, 0, :3]) == (0, 0, 0)
    # On a white page it looks as it does on white.
    assert 255 - alone[0, 0, 3] == pytest.approx(laid[0, 0, 0], abs=1)


def test_colours_are_carried_on_over_the_empty_ground_and_changed_nowhere_else() -> None:
    spread = spread_colours(product(200))
    assert tuple(spread[30, 40]) == (200, 40, 90)
    assert np.abs(spread.astype(int) - (200, 40, 90)).max() <= 1


def test_with_nothing_to_carry_on_all_is_black() -> None:
    assert not spread_colours(np.zeros((33, 9, 4), np.uint8)).any()


@pytest.mark.parametrize("size", [(1, 1), (7, 300), (64, 64)])
def test_any_size_can_be_carried_on(size: tuple[int, int]) -> None:
    pixels = np.zeros((*size, 4), np.uint8)
    pixels[0, 0] = (10, 20, 30, 255)
    assert tuple(spread_colours(pixels)[0, 0]) == (10, 20, 30)


@pytest.mark.parametrize("bands", [3, 4])
def test_a_watermark_is_on_the_product_and_on_the_ground(bands: int) -> None:
    before = product()[..., :bands]
    after = watermark(before)
    changed = (before != after).any(axis=2)
    assert 0.1 < changed.mean() < 0.9
    assert changed[20:50, 30:60].mean() > 0.2
    np.testing.assert_array_equal(before, product()[..., :bands])

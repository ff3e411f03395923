"""Resizing happens in light, to the pixel, without a shift and without a rim."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.unit.drawn_products import coverage, ellipse
from tests.unit.photo_files import codes, image

from opal.images.colour import Linear, to_linear, to_srgb8
from opal.images.geometry import Box
from opal.images.resize import crop_resize_straight, resize_to


def checkerboard(size: int, depth: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    y, x = np.mgrid[0:size, 0:size]
    squares = np.repeat(((x + y) % 2 == 1)[..., None], 3, axis=2)
    if depth == 16:
        return squares.astype(np.uint16) * 65535
    return squares.astype(np.uint8) * 255


@pytest.mark.parametrize("depth", [8, 16])
def test_a_fine_checkerboard_becomes_half_the_light(depth: int) -> None:
    board = image(checkerboard(400, depth), "srgb" if depth == 8 else "rgb16")
    linear, _ = crop_resize_straight(board, np.ones((400, 400), np.float32), Box(0, 0, 400, 400), 100, 100)
    inner = to_srgb8(linear)[10:-10, 10:-10]
    # Half the light is code 188; averaging codes would give 128, visibly too dark.
    assert (inner.min(), inner.max()) == (188, 188)


def test_the_same_size_returns_the_same_pixels() -> None:
    alpha = np.random.default_rng(1).random((60, 100), dtype=np.float32)
    linear, share = crop_resize_straight(
        image(codes(160, 120)), np.pad(alpha, 30), Box(30, 30, 100, 60), 100, 60
    )
    assert np.array_equal(to_srgb8(linear), codes(160, 120)[30:90, 30:130])
    assert np.array_equal(share, alpha)


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 200), st.integers(1, 200))
def test_any_size_to_any_size_is_exact_and_keeps_constants(
    from_width: int, from_height: int, width: int, height: int
) -> None:
    grey = image(np.full((from_height, from_width, 3), 117, np.uint8))
    box = Box(0, 0, from_width, from_height)
    half = np.full((from_height, from_width), 0.5, np.float32)
    linear, share = crop_resize_straight(grey, half, box, width, height)
    assert (linear.shape, share.shape) == ((height, width, 3), (height, width))
    assert np.abs(linear - to_linear(np.array(117, np.uint8))).max() < 1e-5
    assert np.abs(share - 0.5).max() < 1e-5


@pytest.mark.parametrize("kernel", ["linear", "lanczos2"])
@pytest.mark.parametrize(
    ("size", "target"),
    [
        ((60, 50), (150, 125)),
        ((60, 50), (61, 51)),
        ((300, 200), (97, 64)),
        ((80, 200), (200, 80)),
        ((64, 64), (128, 32)),
    ],
)
def test_pixel_corners_stay_corners(kernel: str, size: tuple[int, int], target: tuple[int, int]) -> None:
    """A ramp keeps its values by position: any shift would show as a constant offset."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    ramp = np.stack([(x + 0.5) / size[0], (y + 0.5) / size[1]], axis=-1).astype(np.float32)
    resized = resize_to(
        image(ramp, "multiband"), *target, "linear" if kernel == "linear" else "lanczos2"
    ).numpy()
    y, x = np.mgrid[0 : target[1], 0 : target[0]]
    wanted = np.stack([(x + 0.5) / target[0], (y + 0.5) / target[1]], axis=-1)
    # Away from the border, where edges are extended; in output pixels.
    border = [int(np.ceil(4 * max(1, t / s))) for s, t in zip(size, target, strict=True)]
    inner = (slice(border[1], -border[1]), slice(border[0], -border[0]))
    assert np.abs((resized - wanted) * target)[inner].max() < 0.06


@pytest.mark.parametrize("size", [150, 210, 400, 560])
def test_an_edge_leaves_no_rim_beyond_itself(size: int) -> None:
    """A sharp edge made smaller: no see-through ring inside, no stain outside, in alpha and in light."""
    full = 600
    disc = coverage(ellipse(full / 2, full / 2, 200, 200), full, full)
    black_on_white = image(to_srgb8(1 - np.repeat(disc[..., None], 3, axis=2)))
    linear, alpha = crop_resize_straight(black_on_white, disc, Box(0, 0, full, full), size, size)
    y, x = np.mgrid[0:size, 0:size]
    away = np.hypot(x + 0.5 - size / 2, y + 0.5 - size / 2) - 200 * size / full
    # Past the edge's own softness; the third lobe of lanczos3 would leave 0.02 here.
    assert alpha[away > 1.6].max() < 0.004
    assert alpha[away < -1.6].min() > 0.996
    assert to_srgb8(linear)[away < -1.6].max() <= 12
    assert to_srgb8(linear)[away > 1.6].min() >= 253


def test_colour_is_product_and_ground_by_share_after_resizing_too() -> None:
    full, size = 480, 175
    disc = coverage(ellipse(full / 2, full / 2, 170, 130), full, full)
    product, ground = np.array([0.2, 0.1, 0.4], np.float32), np.array([0.5, 0.6, 0.3], np.float32)
    light: Linear = np.asarray(disc[..., None] * product + (1 - disc[..., None]) * ground, np.float32)
    deep = np.rint(to_srgb16(light)).astype(np.uint16)
    linear, alpha = crop_resize_straight(image(deep, "rgb16"), disc, Box(0, 0, full, full), size, size)
    # Where the kernel's overshoot was not clipped the equation holds to rounding.
    edge = (alpha > 0.0) & (alpha < 1.0)
    wanted = alpha[..., None] * product + (1 - alpha[..., None]) * ground
    assert np.abs(linear - wanted)[edge].max() < 1e-3


def to_srgb16(light: Linear) -> NDArray[np.float64]:
    value = light.astype(np.float64)
    return 65535.0 * np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


def test_only_the_box_is_taken() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[20:60, 30:90] = 255
    matte = (pixels[..., 0] > 0).astype(np.float32)
    linear, alpha = crop_resize_straight(image(pixels), matte, Box(30, 20, 60, 40), 30, 20)
    assert linear.min() > 0.9999
    assert alpha.min() == 1.0

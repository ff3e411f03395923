"""A product is resized in light, to the pixel, without a shift, without a rim and without its old ground."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.unit.drawn_products import coverage, ellipse, mug
from tests.unit.photo_files import codes, image

from opal.errors import NoProductFound, ProductTooSmall
from opal.images.colour import Linear, to_linear, to_srgb8
from opal.images.geometry import Box
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.images.resample import resample
from opal.placement.product import Product

_FULL = 65535


def light_of(colour: Linear, share: NDArray[np.float32]) -> NDArray[np.uint16]:
    """Colour (H, W, 3) and coverage (H, W), 0..1, as `resample` takes them."""
    steps: NDArray[np.uint16] = np.rint(np.dstack([colour, share]) * _FULL).astype(np.uint16)
    return steps


def whole(light: NDArray[np.uint16], width: int, height: int, *, by_coverage: bool = False) -> Linear:
    """All of it resized; its colour."""
    size = (light.shape[1], light.shape[0])
    return resample(light, size, width, height, by_coverage=by_coverage)[0]


def product(pixels: NDArray[np.uint8] | NDArray[np.uint16], matte: Matte) -> Product:
    """The product of a photo with these pixels."""
    kind = "srgb" if pixels.dtype == np.uint8 else "rgb16"
    photo: Photo = replace(mug().photo, pixels=image(pixels, kind))
    return Product.of(photo, matte)


def checkerboard(size: int, depth: int) -> NDArray[np.uint8] | NDArray[np.uint16]:
    y, x = np.mgrid[0:size, 0:size]
    squares = np.repeat(((x + y) % 2 == 1)[..., None], 3, axis=2)
    if depth == 16:
        return squares.astype(np.uint16) * 65535
    return squares.astype(np.uint8) * 255


@pytest.mark.parametrize("side", [190, 100, 51, 30])
@pytest.mark.parametrize("depth", [8, 16])
def test_a_fine_checkerboard_becomes_half_the_light(depth: int, side: int) -> None:
    found = product(checkerboard(400, depth), np.ones((400, 400), np.float32))
    for linear in (found.as_photographed(side, side), found.laid_out(side, side)[0]):
        inner = to_srgb8(linear)[10:-10, 10:-10]
        # Half the light is code 188; averaging codes would give 128, visibly too dark.
        assert (inner.min(), inner.max()) == (188, 188)


def test_the_same_size_returns_the_same_pixels() -> None:
    alpha = np.random.default_rng(1).uniform(0.03, 1.0, (60, 100)).astype(np.float32)
    found = product(codes(160, 120), np.pad(alpha, 30))
    assert found.box == Box(30, 30, 100, 60)
    assert np.array_equal(to_srgb8(found.as_photographed(100, 60)), codes(160, 120)[30:90, 30:130])
    assert np.abs(found.laid_out(100, 60)[1] - np.where(alpha >= 0.998, 1.0, alpha)).max() < 1e-5


@settings(deadline=None, max_examples=80)
@given(st.integers(1, 90), st.integers(1, 90), st.integers(1, 200), st.integers(1, 200))
def test_any_size_to_any_size_is_exact_and_keeps_constants(
    from_width: int, from_height: int, width: int, height: int
) -> None:
    grey = np.full((from_height, from_width, 3), to_linear(np.array(117, np.uint8)), np.float32)
    light = light_of(grey, np.full((from_height, from_width), 0.5, np.float32))
    linear, share = resample(light, (from_width, from_height), width, height, by_coverage=False)
    assert (linear.shape, share.shape) == ((height, width, 3), (height, width))
    assert np.abs(linear - to_linear(np.array(117, np.uint8))).max() < 1e-5
    assert np.abs(share - 0.5).max() < 1e-5


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
def test_pixel_corners_stay_corners(size: tuple[int, int], target: tuple[int, int]) -> None:
    """A ramp keeps its values by position: any shift would show as a constant offset."""
    y, x = np.mgrid[0 : size[1], 0 : size[0]]
    ramp = np.stack([(x + 0.5) / size[0], (y + 0.5) / size[1], 0 * x], axis=-1).astype(np.float32)
    resized = whole(light_of(ramp, np.ones(x.shape, np.float32)), *target)[..., :2]
    y, x = np.mgrid[0 : target[1], 0 : target[0]]
    wanted = np.stack([(x + 0.5) / target[0], (y + 0.5) / target[1]], axis=-1)
    # Away from the border, where edges are extended; in output pixels.
    border = [int(np.ceil(4 * max(1, t / s))) for s, t in zip(size, target, strict=True)]
    inner = (slice(border[1], -border[1]), slice(border[0], -border[0]))
    assert np.abs((resized - wanted) * target)[inner].max() < 0.06


@pytest.mark.parametrize("side", [333, 167, 101, 50])
def test_halved_first_it_lies_where_it_lay(side: int) -> None:
    """An odd box has half a cell at its end: a ramp tells where everything went."""
    y, x = np.mgrid[0:667, 0:667]
    ramp = np.rint(20000 + 30000 * np.stack([x, y, x], axis=-1) / 667).astype(np.uint16)
    found = product(ramp, np.ones((667, 667), np.float32))
    resized = found.as_photographed(side, side)
    wanted = to_linear(
        np.rint(20000 + 30000 * ((np.arange(side) + 0.5) * 667 / side - 0.5) / 667).astype(np.uint16)
    )
    inner = slice(4, -4)
    assert np.abs(resized[side // 2, inner, 0] - wanted[inner]).max() < 0.001
    assert np.abs(resized[inner, side // 2, 1] - wanted[inner]).max() < 0.001


@pytest.mark.parametrize("size", [50, 100, 150, 210, 400, 560])
def test_an_edge_leaves_no_rim_beyond_itself(size: int) -> None:
    """A sharp edge made smaller: no see-through ring inside, no stain outside, no old ground anywhere."""
    full = 600
    disc = coverage(ellipse(full / 2, full / 2, 200, 200), full, full)
    black_on_white = to_srgb8(1 - np.repeat(disc[..., None], 3, axis=2))
    found = product(black_on_white, disc)
    scale = size / full
    width, height = round(found.box.width * scale), round(found.box.height * scale)
    linear, alpha = found.laid_out(width, height)
    y, x = np.mgrid[0:height, 0:width]
    away = np.hypot(x + 0.5 - width / 2, y + 0.5 - height / 2) - 200 * scale
    # Past the edge's own softness; the third lobe of lanczos3 would leave 0.02 here.
    assert alpha[away > 1.6].max(initial=0.0) < 0.004
    assert alpha[away < -1.6].min() > 0.996
    laid = alpha[..., None] * linear + (1 - alpha[..., None]) * np.float32(0.0)
    assert to_srgb8(laid).max() <= 40


def test_only_the_box_is_taken() -> None:
    pixels = np.zeros((100, 100, 3), np.uint8)
    pixels[20:60, 30:90] = 255
    found = product(pixels, (pixels[..., 0] > 0).astype(np.float32))
    linear, alpha = found.laid_out(30, 20)
    assert linear.min() > 0.9999
    assert alpha.min() == 1.0


def test_no_product_and_a_speck_are_refused() -> None:
    photo = mug().photo
    with pytest.raises(NoProductFound):
        Product.of(photo, np.zeros((100, 100), np.float32))
    with pytest.raises(NoProductFound):
        Product.of(photo, np.full((100, 100), 0.3, np.float32))
    speck = np.zeros((100, 100), np.float32)
    speck[40:50, 40:52] = 1.0
    with pytest.raises(ProductTooSmall, match="12 x 10"):
        Product.of(photo, speck)

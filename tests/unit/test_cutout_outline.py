"""An outline drawn where the photo shows it: as sharp as the photo, and steady where it says nothing."""

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from tests.unit.drawn_products import coverage, ellipse

from opal.cutout.outline import draw_outline
from opal.cutout.working_grid import blur
from opal.images.resize import resize_to

Floats = NDArray[np.float32]
WIDTH, HEIGHT = 1800, 1500


def pictured(matte: Floats, *, softness: float = 0.0, noise: float = 0.0) -> tuple[pyvips.Image, Floats]:
    """A photo of an orange thing on slate, and its exact matte, both blurred by a lens of this sigma."""
    exact = blur(matte, softness) if softness else matte
    product, ground = np.array([0.8, 0.5, 0.2]), np.array([0.25, 0.3, 0.35])
    codes = 255.0 * (exact[..., None] * product + (1 - exact[..., None]) * ground)
    codes += np.random.default_rng(5).normal(0.0, noise, codes.shape)
    picture = pyvips.Image.new_from_array(np.clip(np.rint(codes), 0, 255).astype(np.uint8))
    return picture.copy(interpretation="srgb"), exact


def shape_of(matte: Floats, scale: float = 0.4) -> Floats:
    """What a network makes of it: small and soft."""
    height, width = matte.shape
    small = resize_to(
        pyvips.Image.new_from_array(matte), round(width * scale), round(height * scale), "linear"
    )
    return np.clip(blur(small.numpy(), 1.0), 0.0, 1.0)


def edge_error(made: Floats, exact: Floats, reach: float = 8.0) -> float:
    near = blur(((exact > 0.02) & (exact < 0.98)).astype(np.float32), reach) > 0.01
    return float(np.abs(made - exact)[near].mean())


def disc(x: float = 900.0, y: float = 750.0, radius: float = 500.0) -> Floats:
    return coverage(ellipse(x, y, radius, radius), WIDTH, HEIGHT)


def test_an_outline_that_the_network_put_beside_the_edge_is_moved_onto_it() -> None:
    photo, exact = pictured(disc(), softness=0.7, noise=3.0)
    beside = shape_of(disc(901.0, 750.0, 501.0))
    enlarged = resize_to(pyvips.Image.new_from_array(beside), WIDTH, HEIGHT, "lanczos2").numpy()
    assert edge_error(draw_outline(beside, photo), exact) < 0.5 * edge_error(enlarged, exact)


@pytest.mark.parametrize("softness", [0.5, 1.5, 4.0])
def test_an_edge_is_drawn_as_soft_as_the_photo_shows_it(softness: float) -> None:
    photo, exact = pictured(disc(), softness=softness, noise=2.0)
    made = draw_outline(shape_of(disc()), photo)
    between = [((each > 0.1) & (each < 0.9)).sum() for each in (made, exact)]
    assert 0.6 < between[0] / between[1] < 1.7


def test_a_photo_without_contrast_leaves_the_outline_where_it_was() -> None:
    blank = pyvips.Image.new_from_array(np.full((HEIGHT, WIDTH, 3), 128, np.uint8))
    made = draw_outline(shape_of(disc()), blank.copy(interpretation="srgb"))
    difference = (made > 0.5) != (disc() > 0.5)
    assert difference.mean() < 0.002
    assert made[750, 900] == 1.0
    assert made[20, 20] == 0.0


def test_a_straight_edge_stays_straight_in_noise() -> None:
    matte = np.zeros((HEIGHT, WIDTH), np.float32)
    matte[300:1200, 400:1400] = 1.0
    photo, _ = pictured(matte, softness=0.6, noise=12.0)
    made = draw_outline(shape_of(matte), photo)
    crossing = made[450:1050, 380:420].sum(axis=1)
    assert crossing.std() < 0.25


def test_depth_is_no_matter() -> None:
    photo, _ = pictured(disc(), softness=0.7)
    deep = (photo.cast("ushort") * 257).cast("ushort").copy(interpretation="rgb16")
    shape = shape_of(disc())
    assert np.abs(draw_outline(shape, photo) - draw_outline(shape, deep)).max() < 0.02

"""From a rough square prediction to a matte at the photo's size: sharp, with its holes, for any shape."""

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from tests.unit.drawn_products import Product, ball, coverage, ellipse, mug, product
from tests.unit.photo_files import image

from opal.cutout.refine import WORKING_SIDE, refine
from opal.images.colour import to_linear
from opal.images.decode import decode_photo
from opal.images.limits import Limits
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.images.resize import resize_to

Floats = NDArray[np.float32]


def guessed(matte: Matte, side: int = 1024, softness: float = 2.0) -> Floats:
    """What a network would say: the whole photo squeezed into a square, edges blurred."""
    squeezed = resize_to(pyvips.Image.new_from_array(matte), side, side, "linear")
    guess: Floats = squeezed.gaussblur(softness).numpy()
    return np.clip(guess, 0, 1)


def intersection_over_union(one: Matte, other: Matte) -> float:
    a, b = one > 0.5, other > 0.5
    return float((a & b).sum() / (a | b).sum())


def deep(photo: Photo) -> Photo:
    """The same photo with 16 bits."""
    codes = photo.pixels.numpy().astype(np.uint16) * 257
    return decode_photo(image(codes, "rgb16").pngsave_buffer(compression=1))


def on_grey(matte: Matte) -> Product:
    """A bright product on a dark ground, for shapes that the drawn products do not have."""
    return product(matte, np.full((*matte.shape, 3), 210.0), ground=(60, 62, 66))


@pytest.mark.parametrize(
    "drawn", [mug(), mug(1500, 1200), ball(900, 500, diameter=0.6)], ids=["small", "large", "wide"]
)
def test_the_matte_has_the_photos_size_and_the_products_shape(drawn: Product) -> None:
    refined = refine(guessed(drawn.matte), drawn.photo.pixels)
    matte, shape = refined.matte, refined.shape
    assert matte.dtype == np.float32
    assert matte.shape == (drawn.photo.height, drawn.photo.width)
    assert max(shape.shape) == min(WORKING_SIDE, max(matte.shape))
    assert 0.0 <= matte.min() <= matte.max() <= 1.0
    assert intersection_over_union(matte, drawn.matte) > 0.985
    assert np.abs(matte - drawn.matte).mean() < 0.006


def test_edges_are_drawn_by_the_photo_not_by_the_guess() -> None:
    drawn = ball(1600, 1600, diameter=0.6)
    guess = guessed(drawn.matte)
    rough = resize_to(pyvips.Image.new_from_array(guess), 1600, 1600, "linear").numpy()
    matte = refine(guess, drawn.photo.pixels).matte
    edge = (rough > 0.02) & (rough < 0.98)
    assert np.abs(matte - drawn.matte)[edge].mean() < 0.12 * np.abs(rough - drawn.matte)[edge].mean()


def test_the_inside_is_solid_the_outside_clear_and_the_handles_hole_open() -> None:
    drawn = mug(960, 840)
    guess = guessed(drawn.matte)
    guess[480:520, 400:440] *= 0.7  # doubt in the middle of the body
    guess[560:562, 480:482] = 0.0  # a speck of a hole
    guess[100:104, 100:104] = 0.9  # dust on the wall
    matte = refine(guess, drawn.photo.pixels).matte
    inside = coverage(ellipse(0.42 * 960, 0.5 * 840, 0.17 * 960, 0.2 * 840), 960, 840) == 1
    hole = coverage(ellipse(0.7 * 960, 0.48 * 840, 0.03 * 960, 0.06 * 840), 960, 840) == 1
    assert matte[inside].min() == 1.0
    assert matte[hole].max() == 0.0
    assert matte[:90].max() == 0.0
    assert matte[:, :90].max() == 0.0


def test_sixteen_bits_give_the_same_matte() -> None:
    drawn = mug(480, 420)
    eight = refine(guessed(drawn.matte), drawn.photo.pixels).matte
    sixteen = refine(guessed(drawn.matte), deep(drawn.photo).pixels).matte
    assert np.abs(eight - sixteen).max() < 0.02


@pytest.mark.parametrize(
    ("width", "height"),
    [(64, 64), (65, 101), (64, 3000), (3000, 64), (1023, 1025), (1, 200), (200, 1)],
)
def test_extreme_shapes_come_back_whole(width: int, height: int) -> None:
    matte = np.zeros((height, width), np.float32)
    matte[height // 4 : height - height // 4, width // 4 : width - width // 4] = 1.0
    codes = np.rint(60 + 150 * np.repeat(matte[..., None], 3, axis=2)).astype(np.uint8)
    photo = decode_photo(image(codes).pngsave_buffer(), Limits(min_side=1))
    refined = refine(guessed(matte), photo.pixels).matte
    assert refined.shape == (height, width)
    assert np.isfinite(refined).all()
    if min(width, height) >= 64:
        assert intersection_over_union(refined, matte) > 0.94


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_a_guess_of_nothing_or_everything_is_no_accident(level: float) -> None:
    drawn = mug()
    refined = refine(np.full((1024, 1024), level, np.float32), drawn.photo.pixels).matte
    assert np.isfinite(refined).all()
    assert np.abs(refined - level).max() < 1e-6


def test_noise_is_survived() -> None:
    random = np.random.default_rng(3)
    noise = image(random.integers(0, 256, (150, 130, 3), dtype=np.uint8))
    refined = refine(
        random.random((1024, 1024), dtype=np.float32), decode_photo(noise.pngsave_buffer()).pixels
    ).matte
    assert np.isfinite(refined).all()
    assert 0.0 <= refined.min() <= refined.max() <= 1.0


def test_a_thin_strap_is_kept_at_full_size() -> None:
    height, width = 1600, 1200
    matte = np.zeros((height, width), np.float32)
    matte[800:1400, 300:900] = 1.0
    matte[200:800, 420:430] = matte[200:800, 770:780] = matte[200:210, 420:780] = 1.0
    drawn = on_grey(matte)
    refined = refine(guessed(matte, softness=1.0), drawn.photo.pixels).matte
    strap = refined[300:700, 422:428]
    assert strap.mean() > 0.9
    assert refined[300:700, 500:700].max() == 0.0


def test_a_pale_product_on_a_pale_ground_keeps_its_outline() -> None:
    matte = coverage(ellipse(400, 400, 250, 300), 800, 800)
    pale = product(matte, np.full((800, 800, 3), 246.0), ground=(232, 232, 230))
    assert float(to_linear(pale.photo.pixels.numpy()).std()) < 0.06
    refined = refine(guessed(matte), pale.photo.pixels).matte
    assert intersection_over_union(refined, matte) > 0.99
    assert np.abs(refined - matte).mean() < 0.01

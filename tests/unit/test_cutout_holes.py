"""Small holes: real where the ground shows through, the product's own everywhere else."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from opal.cutout.evidence import colour_evidence
from opal.cutout.holes import close_false_holes

Floats = NDArray[np.float32]
BROWN, GREY, WHITE = (110, 60, 30), (150, 150, 150), (240, 238, 230)
HOLE = (slice(120, 128), slice(140, 148))


def strap(seen: float, colour: tuple[int, int, int]) -> tuple[Floats, NDArray[np.uint8]]:
    """A brown square of 200 × 200 on grey with one small hole: its prediction, and its colours."""
    prediction = np.zeros((300, 300), np.float32)
    prediction[50:250, 50:250] = 1.0
    prediction[HOLE] = seen
    guide = np.full((300, 300, 3), GREY, np.uint8)
    guide[50:250, 50:250] = BROWN
    guide[HOLE] = colour
    return prediction, guide


def closed(prediction: Floats, guide: NDArray[np.uint8]) -> bool:
    shape = close_false_holes(prediction, prediction, lambda: colour_evidence(prediction, guide))
    assert (shape[:50] == 0.0).all()
    filled = shape[HOLE] == 1.0
    assert filled.all() or not filled.any()
    return bool(filled.all())


@pytest.mark.parametrize(
    ("seen", "colour", "false"),
    [
        (0.2, WHITE, True),  # a stitch: neither the ground's colour nor surely seen
        (0.01, WHITE, False),  # surely seen, whatever lies behind
        (0.2, GREY, False),  # half seen, in the ground's very colour
        (0.4, GREY, True),  # not even half seen: a print in the wall's colour
        (0.01, BROWN, True),  # a reflection that the network fell for, in the product's own colour
    ],
)
def test_a_small_hole_has_to_show_the_ground(seen: float, colour: tuple[int, int, int], false: bool) -> None:
    assert closed(*strap(seen, colour)) is false


def test_a_large_hole_is_the_products_shape() -> None:
    prediction, guide = strap(0.2, WHITE)
    prediction[100:150, 100:150] = 0.2
    guide[100:150, 100:150] = WHITE
    shape = close_false_holes(prediction, prediction, lambda: colour_evidence(prediction, guide))
    assert np.array_equal(shape, prediction)


def test_without_colours_size_decides() -> None:
    matte = np.zeros((300, 300), np.float32)
    matte[50:250, 50:250] = 1.0
    matte[120:123, 180:183] = 0.2
    matte[150:158, 150:158] = 0.2
    shape = close_false_holes(matte, matte, lambda: None)
    assert (shape[120:123, 180:183] == 1.0).all()
    assert (shape[150:158, 150:158] == np.float32(0.2)).all()


def test_colours_are_not_asked_for_where_there_are_no_small_holes() -> None:
    matte = np.zeros((60, 80), np.float32)
    matte[10:40, 10:60] = 1.0

    def asked() -> None:
        raise AssertionError("colours were asked for")

    assert np.array_equal(close_false_holes(matte, matte, asked), matte)
    full, faint = np.ones((40, 50), np.float32), np.full((40, 50), 0.45, np.float32)
    assert np.array_equal(close_false_holes(full, full, asked), full)
    assert np.array_equal(close_false_holes(faint, faint, asked), faint)


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(2, 30), st.integers(2, 30)),
        elements=st.sampled_from([0.0, 0.3, 0.6, 1.0]),
    ),
    st.sampled_from([-6.0, 0.0, 3.0]),
)
def test_closing_only_raises_and_the_input_is_kept(matte: Floats, colours: float) -> None:
    before = matte.copy()
    shape = close_false_holes(matte, matte, lambda: np.full(matte.shape, colours, np.float32))
    assert (shape >= matte).all()
    assert np.array_equal(matte, before)

"""Islands go, specks close, real holes and real parts stay."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from numpy.typing import NDArray

from opal.cutout.regions import label, remove_islands

Floats = NDArray[np.float32]


def plate(size: int = 300) -> Floats:
    """A solid square of 200 × 200 with a margin."""
    matte = np.zeros((size, size), np.float32)
    matte[50:250, 50:250] = 1.0
    return matte


def test_small_islands_go_whatever_their_size() -> None:
    matte = plate()
    matte[10, 10] = 1.0  # a lone pixel
    matte[10, 30:32] = 0.9
    matte[270:276, 270:276] = 0.8
    matte[5:15, 280:290] = 0.4  # weak all over
    assert np.array_equal(remove_islands(matte), plate())


def test_a_second_product_stays() -> None:
    matte = np.zeros((200, 400), np.float32)
    matte[50:150, 40:160] = matte[50:150, 240:340] = 1.0
    assert np.array_equal(remove_islands(matte), matte)


def test_a_part_behind_a_weak_pixel_stays() -> None:
    matte = plate()
    matte[20:48, 150] = 1.0  # an aerial, two pixels short of its base
    assert np.array_equal(remove_islands(matte), matte)


def test_nothing_to_hold_on_to_is_left_as_it_is() -> None:
    faint = np.full((40, 50), 0.45, np.float32)
    assert np.array_equal(remove_islands(faint), faint)
    full = np.ones((40, 50), np.float32)
    assert np.array_equal(remove_islands(full), full)


@settings(deadline=None, max_examples=60)
@given(
    arrays.arrays(
        np.float32,
        st.tuples(st.integers(2, 30), st.integers(2, 30)),
        elements=st.sampled_from([0.0, 0.3, 0.6, 1.0]),
    )
)
def test_removing_islands_only_lowers_and_the_input_is_kept(matte: Floats) -> None:
    before = matte.copy()
    fewer = remove_islands(matte)
    assert (fewer <= matte).all()
    assert set(np.unique(fewer)) <= {0.0, *np.unique(matte)}
    assert np.array_equal(matte, before)


@settings(deadline=None, max_examples=60)
@given(arrays.arrays(np.bool_, st.tuples(st.integers(2, 25), st.integers(2, 25))))
def test_labels_are_the_connected_regions(mask: NDArray[np.bool_]) -> None:
    labels, areas = label(mask)
    assert np.array_equal(labels > 0, mask)
    assert areas.sum() == mask.size
    assert np.array_equal(np.unique(labels[mask]), np.arange(1, areas.size))
    # Neighbours that are both inside share a number.
    for one, other in ((labels[1:], labels[:-1]), (labels[:, 1:], labels[:, :-1])):
        both = (one > 0) & (other > 0)
        assert np.array_equal(one[both], other[both])
    assert areas.size - 1 == _count_by_flooding(mask)


def _count_by_flooding(mask: NDArray[np.bool_]) -> int:
    """Regions joined by their sides, counted the slow way."""
    left, count = {(int(r), int(c)) for r, c in np.argwhere(mask)}, 0
    while left:
        count += 1
        front = [left.pop()]
        while front:
            row, column = front.pop()
            for cell in ((row + 1, column), (row - 1, column), (row, column + 1), (row, column - 1)):
                if cell in left:
                    left.remove(cell)
                    front.append(cell)
    return count

"""Where the network hesitates, the colours of sure product and sure ground decide."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opal.cutout.evidence import colour_evidence, weigh_colours

Floats = NDArray[np.float32]
RED, BLUE = (190, 40, 30), (40, 60, 180)


def weigh(prediction: NDArray[np.float32], guide: NDArray[np.uint8]) -> NDArray[np.float32]:
    return weigh_colours(prediction, lambda: colour_evidence(prediction, guide))


def scene(doubt: float) -> tuple[Floats, NDArray[np.uint8]]:
    """A sure red block, sure blue ground, and between them two doubtful patches, one of each colour."""
    prediction = np.zeros((120, 160), np.float32)
    guide = np.full((120, 160, 3), BLUE, np.uint8)
    prediction[30:90, 40:90], guide[30:90, 40:90] = 1.0, RED
    prediction[30:90, 90:120] = doubt
    guide[30:60, 90:120] = RED
    return prediction, guide


@pytest.mark.parametrize("doubt", [0.4, 0.5, 0.6])
def test_doubt_follows_the_colours(doubt: float) -> None:
    weighed = weigh(*scene(doubt))
    assert weighed[34:56, 94:116].min() > 0.6  # red as the product
    assert weighed[64:86, 94:116].max() < 0.4  # blue as the ground


def test_what_is_sure_comes_back_unchanged_and_the_input_too() -> None:
    prediction, guide = scene(0.5)
    before = prediction.copy()
    weighed = weigh(prediction, guide)
    sure = np.abs(prediction - 0.5) >= 0.3
    assert np.array_equal(weighed[sure], before[sure])
    assert np.array_equal(prediction, before)


def test_a_product_of_the_grounds_own_colour_is_not_argued_away() -> None:
    prediction, guide = scene(0.55)
    guide[:] = BLUE
    assert np.abs(weigh(prediction, guide) - prediction).max() < 0.1


@pytest.mark.parametrize("level", [0.0, 0.5, 1.0])
def test_without_both_sides_there_is_no_evidence(level: float) -> None:
    prediction = np.full((60, 80), level, np.float32)
    guide = np.random.default_rng(1).integers(0, 256, (60, 80, 3), dtype=np.uint8)
    assert np.array_equal(weigh(prediction, guide), prediction)


@settings(deadline=None, max_examples=30)
@given(st.integers(2, 60), st.integers(2, 60), st.integers(0, 1000))
def test_any_prediction_stays_a_probability(height: int, width: int, seed: int) -> None:
    random = np.random.default_rng(seed)
    prediction = np.clip(random.normal(0.5, 0.6, (height, width)), 0, 1).astype(np.float32)
    weighed = weigh(prediction, random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    assert weighed.dtype == np.float32
    assert weighed.shape == prediction.shape
    assert weighed.min() >= 0
    assert weighed.max() <= 1

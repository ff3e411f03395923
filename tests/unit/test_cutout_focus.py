"""What is out of focus beside a sharp subject is left out; all else stays."""

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray

from opal.cutout.focus import leave_out_blurred

Floats = NDArray[np.float32]
LEFT, RIGHT = (slice(60, 180), slice(30, 130)), (slice(60, 180), slice(170, 280))


def blurred(values: Floats, sigma: float) -> Floats:
    if sigma == 0:
        return values
    result: Floats = pyvips.Image.new_from_array(values).gaussblur(sigma).numpy()
    return result


def photo(left_blur: float, right_blur: float, tone: float = 60.0) -> tuple[Floats, NDArray[np.uint8]]:
    """Two boxes on a light ground, each with its own blur, and the network's shape of both."""
    shape = np.zeros((240, 320), np.float32)
    guide = np.full((240, 320), 200.0, np.float32)
    for area, sigma in ((LEFT, left_blur), (RIGHT, right_blur)):
        box = np.zeros_like(shape)
        box[area] = 1.0
        soft = blurred(box, sigma)
        shape = np.maximum(shape, soft)
        guide = guide * (1 - soft) + tone * soft
    return shape, np.repeat(guide.round().astype(np.uint8)[..., None], 3, axis=2)


def test_a_blurred_thing_beside_a_sharp_one_goes_with_its_fringe() -> None:
    shape, guide = photo(0.0, 4.0)
    kept, left_out = leave_out_blurred(shape, guide)
    assert left_out
    assert np.array_equal(kept[:, :150], shape[:, :150])
    assert kept[:, 150:].max() == 0.0


@pytest.mark.parametrize("blur", [0.0, 1.0, 4.0])
def test_two_things_of_equal_sharpness_stay(blur: float) -> None:
    shape, guide = photo(blur, blur)
    kept, left_out = leave_out_blurred(shape, guide)
    assert not left_out
    assert np.array_equal(kept, shape)


def test_one_blurred_thing_alone_stays() -> None:
    shape, guide = photo(4.0, 4.0)
    shape[:, 150:] = 0.0
    assert not leave_out_blurred(shape, guide)[1]


def test_outlines_too_faint_to_judge_stay() -> None:
    shape, guide = photo(0.0, 4.0, tone=190.0)
    assert not leave_out_blurred(shape, guide)[1]


def test_nothing_at_all_stays_nothing() -> None:
    empty = np.zeros((100, 120), np.float32)
    kept, left_out = leave_out_blurred(empty, np.zeros((100, 120, 3), np.uint8))
    assert not left_out
    assert not kept.any()

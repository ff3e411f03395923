"""A coarse grid is read by position, and blurring keeps shapes and constants."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray

from opal.cutout.working_grid import blur, sample

Floats = NDArray[np.float32]


def everywhere(height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.mgrid[0:height, 0:width]
    return rows.reshape(-1), columns.reshape(-1)


@settings(deadline=None, max_examples=60)
@given(st.integers(1, 20), st.integers(1, 20), st.integers(1, 60), st.integers(1, 60))
def test_sampling_reads_a_ramp_by_position(
    grid_height: int, grid_width: int, height: int, width: int
) -> None:
    y, x = np.mgrid[0:grid_height, 0:grid_width]
    ramp = np.stack([(y + 0.5) / grid_height, (x + 0.5) / grid_width], axis=-1).astype(np.float32)
    rows, columns = everywhere(height, width)
    found = sample(ramp, rows, columns, height, width)
    # Beyond the outermost centres of the grid the last value holds.
    for axis, (index, length, count) in enumerate(
        ((rows, height, grid_height), (columns, width, grid_width))
    ):
        wanted = np.clip((index + 0.5) / length, 0.5 / count, 1 - 0.5 / count)
        assert np.abs(found[:, axis] - wanted).max() < 1e-5


@pytest.mark.parametrize("shape", [(1, 1), (1, 30), (30, 1), (9, 7, 3), (1, 1, 4)])
def test_blur_keeps_shape_and_constants(shape: tuple[int, ...]) -> None:
    blurred = blur(np.full(shape, 0.7, np.float32), 2.0)
    assert blurred.shape == shape
    assert np.abs(blurred - 0.7).max() < 1e-5

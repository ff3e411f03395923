"""The guided filter follows the photo's edges and leaves flat things flat."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.unit.drawn_products import coverage, ellipse

from opal.cutout.guided import blur, fit, sample

Floats = NDArray[np.float32]


def everywhere(height: int, width: int) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    rows, columns = np.mgrid[0:height, 0:width]
    return rows.reshape(-1), columns.reshape(-1)


@pytest.mark.parametrize("level", [0.0, 0.37, 1.0])
def test_a_constant_mask_stays_constant_whatever_the_photo(level: float) -> None:
    guide = np.random.default_rng(1).random((40, 60, 3), dtype=np.float32)
    model = fit(guide, np.full((40, 60), level, np.float32), 2.0, 5e-3)
    rows, columns = everywhere(80, 120)
    colours = np.random.default_rng(2).random((rows.size, 3), dtype=np.float32)
    assert np.abs(model.apply(colours, rows, columns, 80, 120) - level).max() < 1e-3


def test_a_flat_photo_only_smooths_the_mask() -> None:
    mask = np.random.default_rng(1).random((40, 60), dtype=np.float32)
    model = fit(np.full((40, 60, 3), 0.4, np.float32), mask, 2.0, 5e-3)
    rows, columns = everywhere(40, 60)
    alpha = model.apply(np.full((rows.size, 3), 0.4, np.float32), rows, columns, 40, 60).reshape(40, 60)
    assert np.isfinite(alpha).all()
    assert np.abs(alpha - blur(blur(mask, 2.0), 2.0)).max() < 5e-3


def test_a_blurred_mask_snaps_to_the_photos_edge_at_full_size() -> None:
    small, factor = 80, 5
    size = small * factor
    true = coverage(ellipse(size / 2, size / 2, size * 0.3, size * 0.25), size, size)
    product, ground = np.array([0.6, 0.2, 0.1], np.float32), np.array([0.1, 0.3, 0.5], np.float32)
    photo = (true[..., None] * product + (1 - true[..., None]) * ground).astype(np.float32)
    cells = (small, factor, small, factor)
    guide = photo.reshape(*cells, 3).mean(axis=(1, 3))
    mask = blur(true.reshape(cells).mean(axis=(1, 3)), 1.0)
    rows, columns = everywhere(size, size)
    alpha = fit(guide, mask, 2.0, 5e-3).apply(photo.reshape(-1, 3), rows, columns, size, size)
    guided = np.clip((alpha - 0.06) / 0.88, 0, 1).reshape(size, size)
    plain = np.clip(sample(mask[..., None], rows, columns, size, size)[:, 0], 0, 1).reshape(size, size)
    edge = blur(((true > 0) & (true < 1)).astype(np.float32), 4.0) > 0.02
    assert np.abs(guided - true)[edge].mean() < 0.25 * np.abs(plain - true)[edge].mean()


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

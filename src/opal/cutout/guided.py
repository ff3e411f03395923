"""Guided upsampling: a small soft mask to the photo's own resolution, following the photo's edges.

The fast guided filter with a colour guide (K. He, J. Sun, "Fast Guided Filter", 2015, and K. He,
J. Sun, X. Tang, "Guided Image Filtering", 2013, section 3.4): alpha = a · I + b with a and b fitted in
every small window at low resolution, applied at full resolution. Called by `refine.py`.
"""

from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.colour import Linear

_Floats = NDArray[np.float32]
_Index = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class LinearModel:
    """Per low-resolution pixel the fitted a (3 channels) and b, (h, w, 4), smoothed."""

    coefficients: _Floats

    def apply(self, colours: _Floats, rows: _Index, columns: _Index, height: int, width: int) -> _Floats:
        """Alpha of these pixels of a `height` × `width` photo; `colours` (N, 3) linear. Not clipped."""
        at = sample(self.coefficients, rows, columns, height, width)
        alpha: _Floats = (at[:, :3] * colours).sum(axis=1) + at[:, 3]
        return alpha


def fit(guide: Linear, mask: _Floats, sigma: float, epsilon: float) -> LinearModel:
    """Fit mask = a · guide + b around every pixel; both at low resolution, (h, w, 3) and (h, w).

    Windows are Gaussian with `sigma` pixels. `epsilon` is the smallest colour variance that counts
    as an edge, relative to the window's own brightness, as the eye judges contrast.
    """
    red, green, blue = guide[..., 0], guide[..., 1], guide[..., 2]
    products = np.stack(
        [
            red, green, blue, mask,
            red * red, red * green, red * blue, green * green, green * blue, blue * blue,
            red * mask, green * mask, blue * mask,
        ],
        axis=-1,
    )  # fmt: skip
    means = blur(products, sigma)
    mean, mask_mean = means[..., :3], means[..., 3]
    regular = np.float32(epsilon) * (np.square(mean).mean(axis=-1) + np.float32(1e-3))
    variance = means[..., 4:10] - mean[..., _FIRST] * mean[..., _SECOND]
    variance[..., _DIAGONAL] += regular[..., None]
    covariance = means[..., 10:13] - mean * mask_mean[..., None]
    a = _solve(variance, covariance)
    b = mask_mean - (a * mean).sum(axis=-1)
    return LinearModel(blur(np.dstack([a, b]), sigma))


_FIRST, _SECOND, _DIAGONAL = [0, 0, 0, 1, 1, 2], [0, 1, 2, 1, 2, 2], [0, 3, 5]


def _solve(matrix: _Floats, right: _Floats) -> _Floats:
    """Solve symmetric 3 × 3 systems by cofactors; the upper triangle is (..., 6), row by row."""
    rr, rg, rb, gg, gb, bb = (matrix[..., i].astype(np.float64) for i in range(6))
    c_rr, c_rg, c_rb = gg * bb - gb * gb, gb * rb - rg * bb, rg * gb - gg * rb
    c_gg, c_gb, c_bb = rr * bb - rb * rb, rb * rg - rr * gb, rr * gg - rg * rg
    determinant = rr * c_rr + rg * c_rg + rb * c_rb
    x, y, z = (right[..., i] for i in range(3))
    solution = np.stack(
        [c_rr * x + c_rg * y + c_rb * z, c_rg * x + c_gg * y + c_gb * z, c_rb * x + c_gb * y + c_bb * z],
        axis=-1,
    )
    solved: _Floats = (solution / np.maximum(determinant, 1e-30)[..., None]).astype(np.float32)
    return solved


def blur(values: _Floats, sigma: float) -> _Floats:
    """Gaussian blur of (h, w) or (h, w, bands), edges extended."""
    image = pyvips.Image.new_from_array(np.ascontiguousarray(values))
    # pyvips gives a lone pixel no dimensions.
    blurred: _Floats = image.gaussblur(sigma, min_ampl=0.05).numpy().reshape(values.shape)
    return blurred


def sample(grid: _Floats, rows: _Index, columns: _Index, height: int, width: int) -> _Floats:
    """Read (h, w, bands) bilinearly at pixels of a `height` × `width` picture of the same view."""
    top, bottom, down = _between(rows, height, grid.shape[0])
    left, right, across = _between(columns, width, grid.shape[1])
    upper: _Floats = grid[top, left] + (grid[top, right] - grid[top, left]) * across
    lower: _Floats = grid[bottom, left] + (grid[bottom, right] - grid[bottom, left]) * across
    sampled: _Floats = upper + (lower - upper) * down
    return sampled


def _between(index: _Index, length: int, count: int) -> tuple[_Index, _Index, _Floats]:
    """Grid lines before and after each pixel centre, and how far it lies towards the later one."""
    scale = np.float32(count / length)
    position = np.clip((index.astype(np.float32) + np.float32(0.5)) * scale - np.float32(0.5), 0, count - 1)
    first = position.astype(np.intp)
    return first, np.minimum(first + 1, count - 1), (position - first).astype(np.float32)[:, None]

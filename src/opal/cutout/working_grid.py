"""Numbers on a grid coarser than the photo: blurred, and read at the photo's own pixels.

Called by the modules that turn a network's answer into a matte.
"""

from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

_Floats = NDArray[np.float32]
_Index = NDArray[np.intp]


def blur(values: _Floats, sigma: float) -> _Floats:
    """Gaussian blur of (h, w) or (h, w, bands), edges extended."""
    image = pyvips.Image.new_from_array(np.ascontiguousarray(values))
    # pyvips gives a lone pixel no dimensions.
    blurred: _Floats = image.gaussblur(sigma, min_ampl=0.05).numpy().reshape(values.shape)
    return blurred


def highest(values: NDArray[Any], size: int) -> NDArray[Any]:
    """The highest value in the `size` × `size` window around each pixel of (h, w), edges extended.

    By doubling: eight running maxima for a window of fifteen, on any type; of booleans it is a dilation.
    """
    return _extreme(_extreme(values, size, np.maximum).T, size, np.maximum).T


def lowest(values: NDArray[Any], size: int) -> NDArray[Any]:
    """The lowest value in the `size` × `size` window around each pixel of (h, w); of booleans an erosion."""
    return _extreme(_extreme(values, size, np.minimum).T, size, np.minimum).T


def _extreme(values: NDArray[Any], size: int, choose: np.ufunc) -> NDArray[Any]:
    """Down the columns."""
    reach = size // 2
    found = np.pad(values, ((reach, size - 1 - reach), (0, 0)), mode="edge")
    done = 1
    while done < size:
        step = min(done, size - done)
        found = choose(found[:-step], found[step:])
        done += step
    return np.ascontiguousarray(found)


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

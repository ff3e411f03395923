"""Edge colours without the old ground: what the product's colour is where a pixel shows both.

Called by placement, once per photo. Without it a cut-out carries a rim of its old background.
"""

from collections.abc import Callable

import numpy as np
import pyvips
from numpy.typing import NDArray

# Side of the cells that local means are taken over, in pixels; sampled bilinearly, 4 is the paper's
# narrow window of 6. The wide window is the same for every picture size, as edges are.
_CELL = 4
_WIDE = 6  # narrow cells per wide cell
_WIDE_BLUR = 1.5
_EPSILON = np.float32(1e-5)
_TRUST = np.float32(0.01)

_Floats = NDArray[np.float32]
_Index = NDArray[np.intp]


def edge_colours(
    image: pyvips.Image,
    alpha: _Floats,
    rows: _Index,
    columns: _Index,
    read: Callable[[_Index, _Index], _Floats],
) -> _Floats:
    """The product's own colours at the N pixels of its edge, (N, 3) linear light, 0..1.

    `image` has 3 bands of linear light, float, and may be lazy; `read` gives its pixels at rows and columns,
    (..., 3). The edge is where 0 < `alpha` < 1.

    Blur-Fusion foreground estimation in two passes, wide then narrow (M. Forte, "Approximate Fast
    Foreground Colour Estimation", ICIP 2021): with F' and B' the local means of product and ground
    weighted by alpha and 1 − alpha, F = F' + alpha × (I − alpha × F' − (1 − alpha) × B'). The means
    are taken over cells and sampled only where an edge is, which makes it fast.
    """
    edge_alpha = alpha[rows, columns][:, None]
    observed = read(rows, columns)
    product, ground = _cell_sums(image, alpha, read)
    wide_product, wide_ground = _shrink(product, _WIDE), _shrink(ground, _WIDE)
    # The wide mean of the ground serves both passes: close to the product a narrow window holds too
    # little ground, and what it holds is mixed with product.
    ground_mean = _sample(_means(wide_ground), _CELL * _WIDE, rows, columns)
    product_mean = _sample(_means(wide_product), _CELL * _WIDE, rows, columns)
    first = _fuse(observed, product_mean, ground_mean, edge_alpha)
    # The second pass averages the first one's colours; only edge pixels have changed since.
    product += _scatter((first - observed) * edge_alpha, rows, columns, product.shape)
    product_mean = _sample(_means(product), _CELL, rows, columns)
    return _fuse(observed, product_mean, ground_mean, edge_alpha)


def _fuse(observed: _Floats, product: _Floats, ground: _Floats, alpha: _Floats) -> _Floats:
    """The paper's correction: what the means leave unexplained belongs to the product by alpha."""
    residue = observed - alpha * product - (1.0 - alpha) * ground
    fused: _Floats = np.clip(product + alpha * residue, 0.0, 1.0)
    return fused


def _cell_sums(
    image: pyvips.Image, alpha: _Floats, read: Callable[[_Index, _Index], _Floats]
) -> tuple[_Floats, _Floats]:
    """Per cell the means of alpha × colour and alpha, and of (1 − alpha) × colour and 1 − alpha."""
    colour = image.shrink(_CELL, _CELL, ceil=True).numpy()
    share = pyvips.Image.new_from_array(np.ascontiguousarray(alpha))
    weight = share.shrink(_CELL, _CELL, ceil=True).numpy().reshape(colour.shape[:2])
    product = np.dstack([colour * weight[..., None], weight])
    # The mean of a product is the product of the means only where alpha is the same all over the cell.
    down, across = np.nonzero((weight > 0.0) & (weight < 1.0))
    step = np.arange(_CELL)
    rows = np.minimum(down[:, None] * _CELL + np.repeat(step, _CELL), alpha.shape[0] - 1)
    columns = np.minimum(across[:, None] * _CELL + np.tile(step, _CELL), alpha.shape[1] - 1)
    product[down, across, :3] = (read(rows, columns) * alpha[rows, columns][..., None]).mean(axis=1)
    ground = np.dstack([colour, np.ones_like(weight)]) - product
    return product.astype(np.float32), np.maximum(ground, 0.0).astype(np.float32)


def _shrink(sums: _Floats, factor: int) -> _Floats:
    image = pyvips.Image.new_from_array(sums).shrink(factor, factor, ceil=True)
    wide: _Floats = image.gaussblur(_WIDE_BLUR).numpy()
    return wide


def _scatter(
    change: _Floats, rows: NDArray[np.intp], columns: NDArray[np.intp], shape: tuple[int, ...]
) -> _Floats:
    """Changes of single pixels as changes of their cells' means (the weights do not change)."""
    cells = (rows // _CELL) * shape[1] + columns // _CELL
    sums = np.zeros(shape, np.float32)
    for channel in range(3):
        total = np.bincount(cells, weights=change[:, channel], minlength=shape[0] * shape[1])
        sums[..., channel] = total.reshape(shape[:2]) / _CELL**2
    return sums


def _means(sums: _Floats) -> _Floats:
    """Mean colour per cell; cells with next to no weight take the mean of a wider neighbourhood."""
    wider = pyvips.Image.new_from_array(sums).gaussblur(4.0).numpy()
    overall = sums.reshape(-1, 4).mean(axis=0)
    fallback = overall[:3] / max(overall[3], _EPSILON)
    filled = (wider[..., :3] + _EPSILON * fallback) / (wider[..., 3:] + _EPSILON)
    means: _Floats = (sums[..., :3] + _TRUST * filled) / (sums[..., 3:] + _TRUST)
    return means


def _sample(means: _Floats, cell: int, rows: NDArray[np.intp], columns: NDArray[np.intp]) -> _Floats:
    """Cell means read bilinearly at these pixels, (N, 3)."""
    height, width = means.shape[:2]
    top, down = _between(rows, cell, height)
    left, across = _between(columns, cell, width)
    bottom, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    upper = means[top, left] * (1 - across) + means[top, right] * across
    lower = means[bottom, left] * (1 - across) + means[bottom, right] * across
    sampled: _Floats = upper * (1 - down) + lower * down
    return sampled


def _between(index: NDArray[np.intp], cell: int, count: int) -> tuple[NDArray[np.intp], _Floats]:
    """Cell before each pixel and how far the pixel lies towards the next one, 0..1."""
    position = np.clip((index.astype(np.float32) + np.float32(0.5)) / cell - np.float32(0.5), 0, count - 1)
    first = position.astype(np.intp)
    return first, (position - first).astype(np.float32)[:, None]

"""The contact shadow: how much light still reaches the ground around a product's foot.

Called by `placement/place.py`. A pure function of the product's coverage; it depends on no light
direction, so it fits every scene. Works in linear light: multiply the ground by the result.
"""

import math
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opal.images.compiled import compiled
from opal.images.contact import Contact

ShadowKind: TypeAlias = Literal["none", "contact", "soft", "hard", "floating"]

Transmittance: TypeAlias = NDArray[np.float32]
"""(H, W), 1 full light .. 0 none."""
Column: TypeAlias = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One Gaussian of the falloff; lengths as shares of the product's size."""

    across: float
    along: float
    """Spread down the canvas; smaller than across, because the floor is seen at a low angle."""
    lift: float
    """How far the footprint reaches up the canvas, behind the product's front edge, and how thick the product
    must be there to dim the ground in full: what lies behind a cable can be seen, and lies in the light."""
    clearance: float
    """Air under the product at which this layer has faded to 1/e."""
    strength: float
    grows: float
    """How strongly softness stretches this layer, 0 not at all."""


# Dark crease, half shadow, and the wide loss of sky light. Judged by eye on real products.
_LAYERS = (
    _Layer(across=0.008, along=0.004, lift=0.006, clearance=0.012, strength=0.85, grows=0.4),
    _Layer(across=0.030, along=0.013, lift=0.030, clearance=0.080, strength=0.70, grows=0.8),
    _Layer(across=0.110, along=0.042, lift=0.090, clearance=0.160, strength=0.50, grows=1.0),
)
_REACH = 4.0
"""Gaussians are cut where they fall below 0.0004 of their peak."""
_POINTS_PER_SIGMA = 3.0
"""A layer is computed on a grid no finer than this and interpolated: a blur holds no finer detail."""


def contact_shadow(
    contact: Contact, width: int, height: int, *, intensity: float, softness: float
) -> Transmittance:
    """Light left on the ground (height, width) around a product that stands as `contact` says.

    `intensity` 0..1 scales darkness, `softness` 0..1 the widths (0.5 is neutral). Nothing is darkened
    where the product does not touch, and no light is lost at the canvas border.
    """
    left = np.ones((height, width), np.float32)
    if intensity <= 0.0 or not contact.rest.any():
        return left
    for layer in _LAYERS:
        stretch = 4.0 ** ((softness - 0.5) * layer.grows)
        _darken(left, contact, layer, stretch * contact.size, intensity * layer.strength)
    return left


def _darken(left: Transmittance, contact: Contact, layer: _Layer, size: float, strength: float) -> None:
    """Multiply `left` in place by one layer, touching only the rows and columns it reaches."""
    height, width = left.shape
    sigma_x, sigma_y = max(0.7, layer.across * size), max(0.7, layer.along * size)
    deep = np.minimum(contact.thickness, layer.lift * contact.size)
    weight = contact.rest * np.exp(-((contact.clearance / (layer.clearance * contact.size)) ** 2))
    weight *= deep / np.float32(layer.lift * contact.size)
    touching = np.flatnonzero(weight > 0.002)
    if touching.size == 0:
        return
    bottoms = contact.support[touching]
    tops = bottoms - contact.clearance[touching] - deep[touching]
    top = _within(float(tops.min()) - _REACH * sigma_y, height)
    bottom = _within(float(bottoms.max()) + _REACH * sigma_y + 1, height)
    start = _within(touching[0] - _REACH * sigma_x, width)
    end = _within(touching[-1] + _REACH * sigma_x + 1, width)
    if top >= bottom or start >= end:
        return
    grid_x, grid_y = _grid(start, end, sigma_x), _grid(top, bottom, sigma_y)
    band = _band(tops, bottoms, grid_y, sigma_y) * weight[touching][None, :]
    shade = _spread(np.ascontiguousarray(band.T), touching, grid_x, sigma_x).T * np.float32(strength)
    across, down = _between(grid_x, start, end), _between(grid_y, top, bottom)
    _dim(left[top:bottom, start:end], np.ascontiguousarray(shade), *down, *across)


def _grid(start: int, stop: int, sigma: float) -> Column:
    """Positions at which a blur of this sigma is computed, from before `start` to beyond `stop`."""
    step = max(1, int(sigma / _POINTS_PER_SIGMA))
    return np.arange(start - step / 2, stop + 2 * step, step, dtype=np.float32)


def _band(tops: Column, bottoms: Column, grid_y: Column, sigma: float) -> NDArray[np.float32]:
    """Each column's footprint, from `tops` to `bottoms`, blurred down the canvas: (grid, columns).

    The blur of a band is the difference of two smooth steps. The lower step is moved out a little, so
    that the darkest row lies at the product's edge and not under it.
    """
    lower = _smooth_step((bottoms[None, :] + 0.6 * sigma - grid_y[:, None]) / sigma)
    upper = _smooth_step((tops[None, :] - sigma - grid_y[:, None]) / sigma)
    return lower - upper


@compiled
def _spread(
    band: NDArray[np.float32], columns: NDArray[np.intp], grid_x: Column, sigma: float
) -> NDArray[np.float32]:
    """Blur a band (columns, grid_y) across the canvas, (grid_x, grid_y); no light is lost at the border."""
    spread = np.zeros((grid_x.size, band.shape[1]), np.float32)
    step = grid_x[1] - grid_x[0]
    for index in range(columns.size):
        at = np.float32(columns[index])
        first = max(0, int((at - _REACH * sigma - grid_x[0]) / step))
        last = min(grid_x.size, int((at + _REACH * sigma - grid_x[0]) / step) + 2)
        for point in range(first, last):
            distance = (at - grid_x[point]) / sigma
            weight = np.float32(math.exp(-0.5 * distance * distance) / (sigma * math.sqrt(2.0 * math.pi)))
            for row in range(band.shape[1]):
                spread[point, row] += weight * band[index, row]
    return spread


def _smooth_step(x: NDArray[np.floating]) -> NDArray[np.float32]:
    """The normal distribution's integral, by its logistic approximation (error below 0.01)."""
    return np.asarray(1.0 / (1.0 + np.exp(np.clip(-1.702 * x, -40.0, 40.0))), np.float32)


def _within(position: float, side: int) -> int:
    return int(min(max(0.0, np.floor(position)), side))


def _between(grid: Column, start: int, stop: int) -> tuple[NDArray[np.int32], Column]:
    """For positions `start` to `stop` the point of `grid` before each, and the way to the next, 0..1."""
    position = (np.arange(start, stop) - float(grid[0])) / float(grid[1] - grid[0])
    first = np.minimum(position.astype(np.int32), len(grid) - 2)
    return first, (position - first).astype(np.float32)


@compiled
def _dim(  # noqa: PLR0917 - the two axes' positions
    left: Transmittance,
    shade: NDArray[np.float32],
    above: NDArray[np.int32],
    down: Column,
    before: NDArray[np.int32],
    across: Column,
) -> None:
    """Multiply `left` by 1 less `shade`, which is read bilinearly from its coarse grid."""
    line = np.empty(shade.shape[1], np.float32)
    for y in range(left.shape[0]):
        upper, lower, share = shade[above[y]], shade[above[y] + 1], down[y]
        for i in range(line.size):
            line[i] = upper[i] + share * (lower[i] - upper[i])
        for x in range(left.shape[1]):
            first = line[before[x]]
            left[y, x] *= np.float32(1.0) - (first + across[x] * (line[before[x] + 1] - first))

"""Draws a matte's edge at the photo's own resolution, where the photo shows it.

A network's outline is right to about half a pixel of its own, which are several of a large photo's. So the
outline is taken as a curve: along its normals the photo says how far the true edge lies from it and how
sharp it is there. Both are averaged along the curve, each by how clearly the photo speaks, which keeps edges
straight where single pixels are noise. Called by `refine.py`.
"""

from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.cutout.working_grid import blur, sample
from opal.images.matte import Matte
from opal.images.resize import resize_to

_Floats = NDArray[np.float32]
_Index = NDArray[np.intp]

# Lengths are working pixels: those of the shape that is drawn from.
_SMOOTH = 1.0  # blur of the shape before its outline is followed
# How far a normal reaches either way, and the steps in which it is looked along; the long one for what is out
# of focus.
_SHORT, _LONG = (2.0, 0.25), (6.0, 0.5)
_MOST_PLACES = 4000  # of the outline that are looked at; more agree with their neighbours anyway
_ENDS = 0.3  # share of a normal, at either end, whose colours stand for product and ground
_TANGENT = 3.0  # reach of the averaging along the outline
_LARGEST_MOVE = 1.2, 2.5  # of the edge along a short and a long normal
# Networks draw a little too wide. What is assumed where the photo says nothing, and what that weighs.
_TOO_WIDE, _ASSUMED = 0.1, 0.5
_BLURRED = 1.0  # an edge this soft (sigma) cannot be judged between the ends of a short normal
_CLEARLY_BLURRED = 0.06, 0.004  # largest unrest and least contrast at which a long normal is believed
# Squared distance of colours (0..1) that half convinces, and how fast unrest at the ends takes it away.
_CONTRAST, _UNREST = 0.006, 80.0
_SHARPEST = 0.35  # sigma of the sharpest edge drawn, in the photo's pixels: a lens and a sensor give no less
_SOFTER = 1.1  # noise makes the steepest place steeper than the edge
_TYPICAL = 0.1  # weight of the photo's typical softness where the edge itself says nothing
_WIDEST_TYPICAL = 0.8
_TAILS = 2.7  # sigmas after which an edge is product or ground


@dataclass(frozen=True, slots=True)
class _Reading:
    """What the photo says at N places of the outline: arrays (N,)."""

    move: _Floats
    """Working pixels from the network's edge to the photo's; positive is into the product."""
    sigma: _Floats
    """Softness of the photo's edge, working pixels."""
    weight: _Floats
    """0 nothing to see .. 1 a clear edge."""


def draw_outline(shape: _Floats, pixels: pyvips.Image) -> Matte:
    """The matte of `pixels` (3 bands, 8 or 16 bit, sRGB) from a working-size `shape` (h, w), 0..1.

    Returns (pixels.height, pixels.width), 0..1: solid inside, clear outside, an edge as soft as the photo's
    own between.
    """
    height, width = pixels.height, pixels.width
    if min(shape.shape) < 2:
        # A line of pixels has no outline to follow.
        line: Matte = resize_to(pyvips.Image.new_from_array(shape), width, height, "linear").numpy()
        return line.reshape(height, width)
    distance, sigma = _distance(shape, pixels.numpy())
    band = np.abs(distance) < _TAILS * sigma + 1.0
    cells = np.where(band, np.uint8(2), (distance > 0.0).astype(np.uint8))
    # Nearest neighbours by libvips, which works on all cores; the edge itself is drawn below.
    spread = pyvips.Image.new_from_array(cells).affine(
        [width / shape.shape[1], 0.0, 0.0, height / shape.shape[0]],
        interpolate=pyvips.Interpolate.new("nearest"),
        idx=0.5, idy=0.5, odx=-0.5, ody=-0.5,
        oarea=[0, 0, width, height],
        extend="copy",
    ).numpy()  # fmt: skip
    matte: Matte = spread.astype(np.float32)
    flat = np.flatnonzero(spread == 2)
    if flat.size:
        rows, columns = np.divmod(flat, width)
        field = np.dstack([distance, 1.0 / sigma]).astype(np.float32)
        at = sample(field, rows, columns, height, width)
        matte.reshape(-1)[flat] = _step(at[:, 0] * at[:, 1])
    return matte


def _step(sigmas: _Floats) -> _Floats:
    """Coverage by distance over sigma: a Gaussian-blurred edge, clear and solid beyond `_TAILS`.

    The normal distribution's integral by its logistic approximation (error below 0.01), stretched so that it
    ends.
    """
    tail = np.float32(1.0 / (1.0 + np.exp(1.702 * _TAILS)))
    covered = 1.0 / (1.0 + np.exp(np.clip(-1.702 * sigmas, -30.0, 30.0)))
    stepped: _Floats = np.clip((covered - tail) / (1.0 - 2.0 * tail), 0.0, 1.0).astype(np.float32)
    return stepped


def _distance(shape: _Floats, photo: NDArray[np.uint8] | NDArray[np.uint16]) -> tuple[_Floats, _Floats]:
    """Signed distance to the edge (positive inside) and its sigma, both (h, w), working pixels."""
    smooth = blur(shape, _SMOOTH)
    down, across = (np.asarray(slope, np.float32) for slope in np.gradient(smooth))
    steepness: _Floats = np.sqrt(down * down + across * across) + np.float32(1e-6)
    # To first order; far from the outline it only has to be large.
    distance = (smooth - np.float32(0.5)) / steepness
    on = (np.abs(distance) < 0.75) & (steepness > 0.04)
    least = np.float32(_SHARPEST * shape.shape[0] / photo.shape[0])
    if not on.any():
        return distance, np.full_like(shape, least)
    rows, columns = np.nonzero(on)
    thinned = slice(None, None, max(1, -(-rows.size // _MOST_PLACES)))
    rows, columns = rows[thinned], columns[thinned]
    normal = np.stack([down[rows, columns], across[rows, columns]]) / steepness[rows, columns]
    places = np.stack([rows, columns]) - distance[rows, columns] * normal
    reading = _read(photo, places.astype(np.float32), normal.astype(np.float32), shape.shape)
    move, sigma = _agree(reading, rows, columns, shape.shape)
    return distance - move, np.maximum(sigma, least)


def _agree(
    reading: _Reading, rows: _Index, columns: _Index, shape: tuple[int, int]
) -> tuple[_Floats, _Floats]:
    """Move and sigma everywhere near the outline, (h, w) each: what neighbouring readings agree on."""
    # Gathered in cells of two by two: averaging over several pixels needs no finer grid.
    cells = (-(-shape[0] // 2), -(-shape[1] // 2))
    cell = (rows // 2) * cells[1] + columns // 2
    weight = reading.weight
    gathered = [
        np.bincount(cell, weights=each, minlength=cells[0] * cells[1]).reshape(cells)
        for each in (weight * reading.move, weight * reading.sigma, weight, np.ones_like(weight))
    ]
    moved, softened, spoken, count = np.moveaxis(
        blur(np.stack(gathered, axis=-1).astype(np.float32), _TANGENT / 2), -1, 0
    )
    count = count + np.float32(1e-6)
    assumed = _ASSUMED * np.clip(count - spoken, 0.02 * count, None)
    move = (moved + _TOO_WIDE * assumed) / (spoken + assumed)
    typical = min(_WIDEST_TYPICAL, float(np.average(reading.sigma, weights=weight + 1e-6)))
    sigma = (softened + _TYPICAL * typical * count) / (spoken + _TYPICAL * count)
    both = pyvips.Image.new_from_array(np.dstack([move, sigma]).astype(np.float32))
    fine = resize_to(both, 2 * cells[1], 2 * cells[0], "linear").numpy()[: shape[0], : shape[1]]
    return fine[..., 0], fine[..., 1]


def _read(
    photo: NDArray[np.uint8] | NDArray[np.uint16], places: _Floats, normal: _Floats, shape: tuple[int, int]
) -> _Reading:
    """Look along the normals at `places`, both (2, N) as row and column of the working grid `shape`."""
    move, sigma, unrest, contrast = _along(_SHORT, photo, places, normal, shape)
    move = np.clip(move, -_LARGEST_MOVE[0], _LARGEST_MOVE[0])
    soft = np.flatnonzero(sigma > _BLURRED)
    if soft.size:
        far = _along(_LONG, photo, places[:, soft], normal[:, soft], shape)
        most, least = _CLEARLY_BLURRED
        believed = (far[1] > _BLURRED) & (far[2] < most) & (far[3] > least)
        chosen = soft[believed]
        move[chosen] = np.clip(far[0][believed], -_LARGEST_MOVE[1], _LARGEST_MOVE[1])
        sigma[chosen], unrest[chosen], contrast[chosen] = (each[believed] for each in far[1:])
    weight = contrast / (contrast + _CONTRAST) * np.exp(-_UNREST * unrest)
    return _Reading(move, sigma, weight.astype(np.float32))


def _along(
    reach: tuple[float, float],
    photo: NDArray[np.uint8] | NDArray[np.uint16],
    places: _Floats,
    normal: _Floats,
    shape: tuple[int, int],
) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """The step fitted to the photo's colours along normals of this reach and step."""
    length, step = reach
    along = np.linspace(-length, length, 2 * round(length / step) + 1, dtype=np.float32)
    rows = places[0][:, None] + along * normal[0][:, None]
    columns = places[1][:, None] + along * normal[1][:, None]
    return _fit(_colours(photo, rows, columns, shape), along)


def _colours(
    photo: NDArray[np.uint8] | NDArray[np.uint16], rows: _Floats, columns: _Floats, shape: tuple[int, int]
) -> _Floats:
    """sRGB codes, 0..1, (N, S, 3), of the photo read bilinearly at places of the working grid."""
    height, width = photo.shape[:2]
    y = np.clip((rows + 0.5) * (height / shape[0]) - 0.5, 0, height - 1)
    x = np.clip((columns + 0.5) * (width / shape[1]) - 0.5, 0, width - 1)
    top, left = y.astype(np.intp), x.astype(np.intp)
    below, right = np.minimum(top + 1, height - 1), np.minimum(left + 1, width - 1)
    down, across = ((to - of)[..., None].astype(np.float32) for to, of in ((y, top), (x, left)))
    full = np.float32(65535.0 if photo.dtype == np.uint16 else 255.0)
    places = (top, left), (top, right), (below, left), (below, right)
    corners = [photo[place].astype(np.float32) for place in places]
    upper = corners[0] + (corners[1] - corners[0]) * across
    lower = corners[2] + (corners[3] - corners[2]) * across
    found: _Floats = (upper + (lower - upper) * down) / full
    return found


def _fit(colours: _Floats, along: _Floats) -> tuple[_Floats, _Floats, _Floats, _Floats]:
    """A step along each normal: where it lies, its sigma, the unrest at the ends, the contrast, each (N,).

    Colours become a share of product by projection on the line from the ground's colour to the product's.
    Where the step lies follows from the area below it, which noise and blur leave as it is; sigma from its
    steepest place.
    """
    reach = float(along[-1])
    ends = max(2, int(_ENDS * along.size))
    ground, product = colours[:, :ends].mean(axis=1), colours[:, -ends:].mean(axis=1)
    apart = product - ground
    contrast = np.square(apart).sum(axis=-1)
    direction = apart / (contrast + 1e-6)[:, None]
    share = np.einsum("nsc,nc->ns", colours, direction) - (ground * direction).sum(axis=-1)[:, None]
    unrest = np.square(share[:, :ends]).mean(axis=1) + np.square(share[:, -ends:] - 1.0).mean(axis=1)
    bounded = np.clip(share, 0.0, 1.0)
    step = float(along[1] - along[0])
    area = (bounded.sum(axis=1) - 0.5 * (bounded[:, 0] + bounded[:, -1])) * step
    move = (reach - area).astype(np.float32)
    arm = max(1, round(0.1 * reach / step))
    slope = (share[:, 2 * arm :] - share[:, : -2 * arm]) / (2 * arm * step)
    close = np.abs(along[arm:-arm] - move[:, None]) <= 0.6 * reach
    steepest = np.where(close, slope, 0.0).max(axis=1)
    sigma = _SOFTER / (np.sqrt(2.0 * np.pi) * np.maximum(steepest, 1e-3))
    return move, sigma.astype(np.float32), unrest.astype(np.float32), contrast.astype(np.float32)

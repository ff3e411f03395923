"""What a matte says about how the product stands: its box, its foot line, where it touches ground.

Called by `placement/place.py` (ground line) and `images/shadow.py` (where shadow belongs).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.images.compiled import compiled
from opal.images.geometry import Box
from opal.images.matte import Matte

SOLID = 0.5
"""Coverage from which a pixel counts as product when lines and boxes are measured."""
FAINT = 0.02
"""Coverage that is still worth keeping; the box holds every pixel above it."""

# Found by looking at shoes, cups, bags, cars and balls. How steep the line may be and how far it may rise:
# little where it bends (the side of a ball), much where it is straight (a sole that recedes from the camera).
_SLOPE_FADE = (0.45, 1.0)
_RISE_FADE = (0.14, 0.40)
_BEND_FADE = 0.10
"""Change of slope over a tenth of the product at which a line no longer counts as straight."""
_FOLLOWED = 0.004
"""Clearance, as a share of the product's size, up to which the outline counts as following the line."""


@dataclass(frozen=True, slots=True)
class Contact:
    """How the product stands, per column of the array it was estimated on; arrays are (W,) float32."""

    support: NDArray[np.float32]
    """Row of the line the product rests on (first row below it)."""
    clearance: NDArray[np.float32]
    """Rows of air between the product's lower edge and that line."""
    rest: NDArray[np.float32]
    """0 nothing above or too steep to rest here .. 1 the line runs level under the product."""
    thickness: NDArray[np.float32]
    """Rows of unbroken product above that lower edge, evened out over 4 % of the product: much for what
    stands, little for a cable or a rim that lies on the ground."""
    ground_row: float
    """Lowest row of the line: the product's foot."""
    size: float
    """Length that shadow widths refer to: the geometric mean of the product's sides."""


def product_box(matte: Matte, threshold: float = FAINT) -> Box | None:
    """Smallest box around coverage above `threshold`; None when nothing is."""
    present = matte > threshold
    rows = np.flatnonzero(present.any(axis=1))
    if rows.size == 0:
        return None
    columns = np.flatnonzero(present.any(axis=0))
    top, left = int(rows[0]), int(columns[0])
    return Box(left, top, int(columns[-1]) - left + 1, int(rows[-1]) - top + 1)


def estimate_contact(alpha: NDArray[np.float32]) -> Contact | None:
    """Estimate ground contact from a product's coverage (H, W); None when nothing is solid.

    A rigid thing on a plane rests on the lower convex hull of its outline. `rest` falls with the hull's
    steepness and with height above the lowest point, sooner where the hull bends (the sides of a ball are
    no ground line) than where it is straight (a shoe seen from its toe);
    `clearance` is what lies between hull and outline (a heel's arch, a car's belly).
    """
    box = product_box(alpha, SOLID)
    if box is None:
        return None
    part = alpha[box.top : box.bottom, box.left : box.right] > SOLID
    present = part.any(axis=0)
    filled = np.flatnonzero(present)
    edge = (box.bottom - np.argmax(part[::-1], axis=0)).astype(np.float64)
    size = math.sqrt(box.width * box.height)
    hull = _lower_hull(filled.astype(np.float64), edge[filled])
    line = np.interp(np.arange(box.width), hull[:, 0], hull[:, 1])
    slope = _smooth(np.gradient(line) if box.width > 1 else np.zeros(1), size)
    rise = (line.max() - line) / size
    clearance = np.maximum(line - edge, 0.0) / size
    straight = np.exp(-((_bend(slope, size) / _BEND_FADE) ** 2))
    # Where the line only bridges air, from a wheel to the bumper, its straightness means nothing.
    straight *= np.exp(-((_smooth(clearance, size) / _FOLLOWED) ** 2))
    slope_fade = _SLOPE_FADE[0] + (_SLOPE_FADE[1] - _SLOPE_FADE[0]) * straight
    rise_fade = _RISE_FADE[0] + (_RISE_FADE[1] - _RISE_FADE[0]) * straight
    level = _smooth(np.exp(-((slope / slope_fade) ** 4) - (rise / rise_fade) ** 2), size)
    columns = slice(box.left, box.right)
    support, air, rest, thickness = (np.zeros(alpha.shape[1], np.float32) for _ in range(4))
    support[columns] = line
    air[columns] = np.where(present, clearance * size, 0.0)
    rest[columns] = np.where(present, level, 0.0)
    thickness[columns] = _smooth(_lowest_run(part), size)
    return Contact(support, air, rest, thickness, float(line.max()), size)


@compiled
def _lowest_run(part: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Length of each column's lowest run of True, 0 where there is none: (W,)."""
    length, ended = np.zeros(part.shape[1]), np.zeros(part.shape[1], np.bool_)
    for y in range(part.shape[0] - 1, -1, -1):
        for x in range(part.shape[1]):
            if part[y, x] and not ended[x]:
                length[x] += 1.0
            elif length[x] > 0.0:
                ended[x] = True
    return length


def _lower_hull(x: NDArray[np.float64], y: NDArray[np.float64]) -> NDArray[np.float64]:
    """Lower convex hull (greatest y, as y grows downwards) of points sorted by x, as (n, 2).

    Andrew's monotone chain (A. M. Andrew, Information Processing Letters 9, 1979).
    """
    hull: list[tuple[float, float]] = []
    for point in zip(x.tolist(), y.tolist(), strict=True):
        while len(hull) > 1:
            (ax, ay), (bx, by) = hull[-2], hull[-1]
            if (bx - ax) * (point[1] - ay) - (by - ay) * (point[0] - ax) < 0:
                break
            hull.pop()
        hull.append(point)
    return np.array(hull)


def _bend(slope: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """How much the slope changes over a tenth of the product around each column."""
    reach = max(1, round(0.05 * size))
    padded = np.pad(slope, reach, mode="edge")
    return np.abs(padded[2 * reach :] - padded[: -2 * reach])


def _smooth(values: NDArray[np.float64], size: float) -> NDArray[np.float64]:
    """Moving average over 4 % of the product, so that single pixels do not make slopes."""
    width = 2 * round(0.02 * size) + 1
    padded = np.pad(values, width // 2, mode="edge")
    return np.convolve(padded, np.full(width, 1.0 / width), mode="valid")

"""Straightening: how far a product leans on its photo, and the photo turned upright.

Called by `placement/upright.py` when a placement asks for it. Pure; y grows downwards, degrees are
clockwise as one looks at the picture.
"""

import math
from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.colour import LINEAR_OF_8_BIT, LINEAR_OF_16_BIT, linear_to_srgb
from opal.images.contact import SOLID, product_box
from opal.images.matte import Matte
from opal.images.photo import Photo

MOST_DEGREES = 12.0
"""What leans further was meant to lean."""
LEAST_DEGREES = 0.5
"""What leans less looks straight; turning it would cost sharpness for nothing."""

# Found on photographs of tins, bottles, bags, mugs, rings and shoes, each turned by known angles.
_SEARCHED_DEGREES = 20.0
"""Sides are looked for up to here: a bag's may spread by some degrees beyond the lean itself."""
_STEP_DEGREES = 0.25
_SIDE_SHARE, _BASE_SHARE = 0.40, 0.60
"""Share of the product's height (width) along which a side (base) must be one straight line."""
_SIDE_SHARE_WITH_BASE = 0.25
"""The same where a straight base says what the sides say: a bag with its handles up."""
_STRAIGHT = 0.004
"""How far an outline may be from its line, as a share of the product's size."""
_SHORTEST_SIDE = 48.0
"""Pixels; the angle of a shorter one is not known to a third of a degree."""
_MOST_SPREAD = 10.0
"""Degrees between the left and the right side of one product; more is a funnel, a shoe or chance."""
_MOST_QUARREL = 1.0
"""Degrees between what the sides say and what a straight base says; more is a product that stands slanted."""
_ROWS = 600
"""Lines of the outline that are looked at: enough for a hundredth of a degree."""

_OPAQUE, _CLEAR = 0.998, 0.002
_Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Side:
    """A straight piece of outline: `across = slope * along + offset` from `first` to `last` along."""

    slope: float
    offset: float
    first: float
    last: float
    share: float
    """Share of the outline looked at that lies on the line."""

    @property
    def length(self) -> float:
        """Pixels from its first to its last point."""
        return self.last - self.first

    @property
    def end(self) -> float:
        """How far across it ends."""
        return self.slope * self.last + self.offset


def turn_needed(matte: Matte) -> float:
    """Degrees clockwise, up to `MOST_DEGREES`, that bring the product of `matte` (H, W) upright; 0 is none.

    The evidence is a left and a right side, each one straight line along much of the product's height and
    beside each other; their mean is the product's axis, whatever perspective or taper spreads them. A
    straight base must agree, and then counts half. Without such sides (what is round or irregular, or has
    its side behind a handle), with a product that leaves the photo, or with a quarrel the answer is 0.
    """
    box = product_box(matte, SOLID)
    if box is None or box.left == 0 or box.top == 0 or not box.inside(matte.shape[1] - 1, matte.shape[0] - 1):
        return 0.0
    part = matte[box.top - 1 : box.bottom + 1, box.left - 1 : box.right + 1]
    size = math.sqrt(box.width * box.height)
    left, right = _straight_side(part, size), _straight_side(part[:, ::-1], size)
    if left is None or right is None or not _beside(left, right):
        return 0.0
    # Mirrored, so its slope has the other sign.
    left_degrees, right_degrees = _degrees(left.slope), -_degrees(right.slope)
    if abs(left_degrees - right_degrees) > _MOST_SPREAD:
        return 0.0
    turn = 0.5 * (left_degrees + right_degrees)
    needed = _SIDE_SHARE
    # Between the sides' lower ends; beyond them a slanted product hangs over its base.
    feet = part[:, max(0, math.floor(left.end)) : math.ceil(part.shape[1] - right.end)]
    base = _straight_side(feet[::-1].T, size)
    if base is not None and base.share >= _BASE_SHARE:
        if abs(_degrees(base.slope) - turn) > _MOST_QUARREL:
            return 0.0
        turn = 0.5 * (turn + _degrees(base.slope))
        needed = _SIDE_SHARE_WITH_BASE
    # A side may be off its line by the tolerance at either end: as much lean as that could be chance.
    chance = 0.5 * (_degrees(_STRAIGHT * size / left.length) + _degrees(_STRAIGHT * size / right.length))
    clear = min(left.share, right.share) >= needed and LEAST_DEGREES + chance <= abs(turn) <= MOST_DEGREES
    return round(turn, 2) if clear else 0.0


def turned(photo: Photo, matte: Matte, degrees: float) -> tuple[Photo, Matte]:
    """Photo and matte turned clockwise by `degrees` about their middle, once, in linear light, bicubically.

    The frame grows to hold every pixel of the photo; its new corners repeat the photo's border and are no
    product. The turned photo has 16 bits per channel, so nothing is lost to rounding.
    """
    table = LINEAR_OF_16_BIT if photo.pixels.format == "ushort" else LINEAR_OF_8_BIT
    linear = photo.pixels.maplut(pyvips.Image.new_from_array(table.reshape(1, -1)))
    pixels = _turn(linear, degrees, extend="copy").clamp()
    coverage = _turn(
        pyvips.Image.new_from_array(np.ascontiguousarray(matte, np.float32)), degrees, extend="black"
    )
    alpha = np.clip(coverage.numpy(), 0.0, 1.0).astype(np.float32)
    # The cubic's sums of one and nothing are so to a rounding only.
    alpha[alpha > _OPAQUE] = 1.0
    alpha[alpha < _CLEAR] = 0.0
    codes = (pixels * 65535.0 + 0.5).cast("ushort").maplut(_CODES_OF_LINEAR).copy(interpretation="rgb16")
    return Photo(codes.copy_memory(), None, photo.source), alpha


def _straight_side(part: NDArray[np.float32], size: float) -> _Side | None:
    """The longest straight line in the left outline of `part` (H, W), whose first column is empty."""
    lines = np.unique(np.linspace(0, len(part) - 1, min(_ROWS, len(part))).astype(np.intp))
    solid = part[lines] > SOLID
    present = solid.any(axis=1)
    lines, solid = lines[present], solid[present]
    if lines.size < 2:
        return None
    first = np.argmax(solid, axis=1)
    inner, outer = part[lines, first], part[lines, first - 1]
    # Where coverage passes one half between two pixel centres.
    across = first - (inner - SOLID) / np.maximum(inner - outer, 1e-6)
    along = lines.astype(np.float64)
    tolerance = _STRAIGHT * size
    slope, offset = _most_followed(along, across.astype(np.float64), tolerance)
    on_line = np.zeros(along.size, bool)
    for _ in range(3):
        on_line = np.abs(across - slope * along - offset) <= tolerance
        if np.count_nonzero(on_line) < 2:
            return None
        slope, offset = np.polyfit(along[on_line], across[on_line], 1)
    followed = along[on_line]
    return _Side(
        float(slope),
        float(offset),
        float(followed[0]),
        float(followed[-1]),
        float(on_line.sum() / present.size),
    )


def _beside(left: _Side, right: _Side) -> bool:
    """Whether the two are long enough to be measured, and stand beside each other."""
    shorter = min(left.length, right.length)
    together = min(left.last, right.last) - max(left.first, right.first)
    return shorter >= _SHORTEST_SIDE and together >= 0.5 * shorter


def _most_followed(along: _Floats, across: _Floats, tolerance: float) -> tuple[float, float]:
    """Slope and offset of the line, among all searched slopes, that most points are near."""
    best, found = 0, (0.0, 0.0)
    steps = round(_SEARCHED_DEGREES / _STEP_DEGREES)
    for degrees in np.arange(-steps, steps + 1) * _STEP_DEGREES:
        slope = math.tan(math.radians(degrees))
        offsets = np.sort(across - slope * along)
        near = np.searchsorted(offsets, offsets + 2.0 * tolerance, side="right") - np.arange(offsets.size)
        most = int(np.argmax(near))
        if near[most] > best:
            best = int(near[most])
            # The middle of those found, not of the window: at its edge rounding would lose an exact line.
            found = (slope, 0.5 * float(offsets[most] + offsets[most + best - 1]))
    return found


def _degrees(slope: float) -> float:
    return math.degrees(math.atan(slope))


def _turn(image: pyvips.Image, degrees: float, *, extend: str) -> pyvips.Image:
    """`image` turned about its middle on a frame that holds it all; what is new is border or black. Lazy."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    width, height = turned_size(image.width, image.height, degrees)
    # As far as a corner of the new frame reaches beyond the old one, and two pixels for the cubic.
    pad_x = math.ceil(max(0.0, 0.5 * (width * cosine + height * abs(sine) - image.width))) + 2
    pad_y = math.ceil(max(0.0, 0.5 * (height * cosine + width * abs(sine) - image.height))) + 2
    padded = image.embed(pad_x, pad_y, image.width + 2 * pad_x, image.height + 2 * pad_y, extend=extend)
    return padded.affine(
        [cosine, -sine, sine, cosine],
        interpolate=pyvips.Interpolate.new("bicubic"),
        # Affine counts from pixel centres: the middle of either frame is half a pixel off its half size.
        idx=0.5 - 0.5 * padded.width,
        idy=0.5 - 0.5 * padded.height,
        odx=0.5 * width - 0.5,
        ody=0.5 * height - 0.5,
        oarea=[0, 0, width, height],
        extend=extend,
    )


def turned_size(width: int, height: int, degrees: float) -> tuple[int, int]:
    """Width and height of the frame that holds a turned picture wholly."""
    cosine, sine = abs(math.cos(math.radians(degrees))), abs(math.sin(math.radians(degrees)))
    return (
        math.ceil(round(width * cosine + height * sine, 6)),
        math.ceil(round(width * sine + height * cosine, 6)),
    )


_CODES_OF_LINEAR = pyvips.Image.new_from_array(
    np.rint(linear_to_srgb(np.arange(65536) / 65535.0) * 65535.0).astype(np.uint16).reshape(1, -1)
)

"""The shadow a product casts on the floor: away from a light, soft or hard, or straight below when it floats.

Called by `placement/place.py`. One photograph does not say how deep a product is. Here each row of its matte
is taken for a slice of a turned body: a run of coverage from a to b is a disc of that width, seen as flat as
the product's own foot looks. That is right for what is round and close for most of the rest; holes and
handles cast as they are. Works in linear light: multiply the ground by the result.
"""

import math
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.contact import SOLID, Contact, product_box
from opal.images.resize import resize_to
from opal.images.shadow import Transmittance

Coverage: TypeAlias = NDArray[np.float32]

TILT = 0.30
"""Length on the canvas of a floor length that runs away from the camera: the sine of a usual camera angle."""


@dataclass(frozen=True, slots=True)
class Light:
    """Where the shadow falls."""

    direction: float
    """Degrees: 0 away from the camera, 90 to the right, 180 towards the camera, 270 to the left."""
    length: float
    """Length of the shadow on the floor as a share of the height that casts it."""

    @property
    def right(self) -> float:
        """Canvas columns per row of height."""
        return self.length * math.sin(math.radians(self.direction))

    @property
    def up(self) -> float:
        """Canvas rows upwards per row of height."""
        return self.length * math.cos(math.radians(self.direction)) * TILT


@dataclass(frozen=True, slots=True)
class _Penumbra:
    """How a shadow softens and pales from the foot to the top of what casts it."""

    work_side: int
    """The product's longer side in pixels of the coarse canvas that the shadow is computed on."""
    blur: tuple[float, float]
    """Standard deviation at foot and top, as shares of the product's size."""
    strength: tuple[float, float]
    """Share of the light lost at foot and top."""
    steps: int
    """Heights at which it is computed; between them the darker of two neighbours counts. Where the shadow
    pales with height, few steps would show as rings."""


_SOFT = _Penumbra(work_side=280, blur=(0.012, 0.070), strength=(0.70, 0.34), steps=24)
_HARD = _Penumbra(work_side=560, blur=(0.0022, 0.012), strength=(0.58, 0.58), steps=5)
# The core under a floating thing, and the loss of sky light around it.
_HOVER = ((0.040, 0.34), (0.100, 0.34))
_HOVER_SIZE = 0.86
"""The core of a shadow from above is smaller than the thing: light reaches in under its rim."""
_REACH = 3.0
"""Blurs are cut at this many standard deviations."""
_LYING = 0.45
"""Blur down the canvas as a share of that across: a penumbra lies on the floor and is seen flat."""
_FLATNESS = (0.14, 0.40)
"""Bounds on how flat the discs are seen, whatever the foot looks like."""


def soft_shadow(
    alpha: Coverage, contact: Contact, light: Light, *, intensity: float, softness: float
) -> Transmittance:
    """Light left (H, W) on the floor when a large lamp shines on coverage `alpha`, all at canvas size.

    `intensity` 0..1 scales darkness, `softness` 0..1 the blur (0.5 is neutral).
    """
    return _cast(alpha, contact, light, _SOFT, intensity=intensity, softness=softness)


def hard_shadow(
    alpha: Coverage, contact: Contact, light: Light, *, intensity: float, softness: float
) -> Transmittance:
    """Like `soft_shadow`, from a small lamp or the sun: a clear edge, evenly dark."""
    return _cast(alpha, contact, light, _HARD, intensity=intensity, softness=softness)


def floating_shadow(
    alpha: Coverage, contact: Contact, drop: float, *, intensity: float, softness: float
) -> Transmittance:
    """Light left (H, W) on a floor that lies `drop` rows below the foot of a product that hangs above it."""
    work = _Work.of(alpha, contact, _SOFT.work_side)
    sigmas = [blur * contact.size / work.factor * 4.0 ** (softness - 0.5) for blur, _ in _HOVER]
    strokes = work.discs(Light(0.0, 0.0), drop=drop / work.factor, shrink=_HOVER_SIZE)
    area = _Area.around(strokes, _REACH * max(sigmas), work.solid.shape)
    discs = area.fill(strokes)
    lost = np.zeros(discs.shape, np.float32)
    for sigma, (_, strength) in zip(sigmas, _HOVER, strict=True):
        lost += np.float32(strength) * _blurred(discs, sigma)
    return work.full_size(1.0 - np.clip(np.float32(intensity) * lost, 0.0, 1.0), area)


def _cast(
    alpha: Coverage, contact: Contact, light: Light, penumbra: _Penumbra, *, intensity: float, softness: float
) -> Transmittance:
    work = _Work.of(alpha, contact, penumbra.work_side)
    steps = penumbra.steps
    share = [(step + 0.5) / steps for step in range(steps)]
    scale = contact.size / work.factor * 4.0 ** (softness - 0.5)
    sigmas = [(penumbra.blur[0] + (penumbra.blur[1] - penumbra.blur[0]) * at) * scale for at in share]
    strokes = work.discs(light)
    area = _Area.around(strokes, _REACH * sigmas[-1], work.solid.shape)
    step_of = np.minimum((strokes.rise / max(1.0, float(strokes.rise.max())) * steps).astype(int), steps - 1)
    below = np.zeros((area.height, area.width), np.float32)
    lost = np.zeros_like(below)
    for step, sigma in enumerate(sigmas):
        # Each step takes in all that is lower, so that no seam opens where two steps meet.
        below = np.maximum(below, area.fill(strokes.where(step_of == step)))
        strength = penumbra.strength[0] + (penumbra.strength[1] - penumbra.strength[0]) * share[step]
        np.maximum(lost, np.float32(strength) * _blurred(below, sigma), out=lost)
    return work.full_size(1.0 - np.float32(intensity) * lost, area)


@dataclass(frozen=True, slots=True)
class _Strokes:
    """Upright strokes, one coarse pixel wide, that together cover a shadow; arrays of one length."""

    column: NDArray[np.intp]
    top: NDArray[np.float64]
    bottom: NDArray[np.float64]
    rise: NDArray[np.float64]
    """Height above the floor of what casts it."""

    def where(self, kept: NDArray[np.bool_]) -> "_Strokes":
        """Some of them."""
        return _Strokes(self.column[kept], self.top[kept], self.bottom[kept], self.rise[kept])


@dataclass(frozen=True, slots=True)
class _Area:
    """The part of the coarse canvas that a shadow with its blur can reach."""

    left: int
    upper: int
    width: int
    height: int

    @classmethod
    def around(cls, strokes: _Strokes, reach: float, shape: tuple[int, ...]) -> "_Area":
        """The strokes' own box, `reach` larger on every side, inside a canvas of `shape`."""
        left = max(0, math.floor(strokes.column.min() - reach))
        upper = max(0, math.floor(strokes.top.min() - reach))
        right = min(shape[1], math.ceil(strokes.column.max() + reach) + 1)
        lower = min(shape[0], math.ceil(strokes.bottom.max() + reach) + 1)
        return cls(left, upper, max(1, right - left), max(1, lower - upper))

    def fill(self, strokes: _Strokes) -> Coverage:
        """The union of the strokes: coverage (height, width)."""
        total = np.zeros((self.height + 1) * self.width)
        column = strokes.column - self.left
        for ends, sign in ((strokes.top, 1.0), (strokes.bottom, -1.0)):
            place = np.clip(ends - self.upper, 0.0, self.height - 1e-6)
            row = place.astype(np.intp)
            part = place - row
            first = row * self.width + column
            total += sign * np.bincount(first, 1.0 - part, total.size)
            total += sign * np.bincount(first + self.width, part, total.size)
        covered = np.cumsum(total.reshape(self.height + 1, self.width), axis=0)[: self.height]
        return np.clip(covered, 0.0, 1.0).astype(np.float32)


@dataclass(frozen=True, slots=True)
class _Work:
    """The product on a coarse canvas, with room around for shadows that leave the picture and come back."""

    solid: NDArray[np.bool_]
    factor: int
    """Canvas pixels per coarse pixel."""
    margin: int
    """Coarse pixels added on every side, so that a blur finds what lies beyond the border."""
    width: int
    height: int
    foot: float
    flatness: float

    @classmethod
    def of(cls, alpha: Coverage, contact: Contact, side: int) -> "_Work":
        height, width = alpha.shape
        box = product_box(alpha, SOLID)
        longest = 1 if box is None else max(box.width, box.height)
        factor = max(1, round(longest / side))
        rows, columns = math.ceil(height / factor), math.ceil(width / factor)
        padded = np.zeros((rows * factor, columns * factor), np.float32)
        padded[:height, :width] = alpha
        small = padded.reshape(rows, factor, columns, factor).mean(axis=(1, 3))
        margin = math.ceil(0.3 * contact.size / factor)
        return cls(
            np.pad(small > SOLID, margin),
            factor,
            margin,
            width,
            height,
            contact.ground_row / factor + margin,
            _flatness(contact),
        )

    def discs(self, light: Light, *, drop: float = 0.0, shrink: float = 1.0) -> _Strokes:
        """The floor under each slice's disc, `shrink` as large, as thrown by `light`."""
        rows, columns = np.nonzero(self.solid)
        starts, ends = _runs(self.solid)
        middle, half = 0.5 * (starts + ends)[rows, columns], 0.5 * (ends - starts)[rows, columns]
        across = (columns + 0.5 - middle) / half
        thick = shrink * half * self.flatness * np.sqrt(np.maximum(1.0 - across * across, 0.0))
        # All of a slice is seen, so it is not much deeper than the product is high there: no cable is a disc.
        upper, lower = _runs(self.solid.T)
        thick = np.minimum(thick, (lower - upper).T[rows, columns])
        base = self.foot - self.flatness * _foot_half_width(self.solid, self.foot, self.flatness)
        rise = np.maximum(base - rows - 0.5, 0.0)
        centre = base + drop - rise * light.up
        # Slices are a row apart in height, so each must reach as far as the next one's place.
        reach = np.maximum(thick, 0.5) + 0.5 * abs(light.up)
        place = middle + shrink * (columns + 0.5 - middle) - 0.5 + rise * light.right
        # Half up, not half to even as np.rint: that would leave every other column empty.
        column = np.clip(np.floor(place + 0.5), 0, self.solid.shape[1] - 1).astype(np.intp)
        kept = np.abs(place - column) < 1.0
        return _Strokes(column, centre - reach, centre + reach, rise).where(kept)

    def full_size(self, left: Coverage, area: _Area) -> Transmittance:
        """A coarse transmittance of one area on the canvas's own pixels, 1 outside it."""
        whole = np.ones((self.height, self.width), np.float32)
        rows, columns = left.shape
        wide = resize_to(
            pyvips.Image.new_from_array(np.ascontiguousarray(left, np.float32)),
            columns * self.factor,
            rows * self.factor,
            "lanczos2",
        )
        top, start = (area.upper - self.margin) * self.factor, (area.left - self.margin) * self.factor
        bottom, stop = top + rows * self.factor, start + columns * self.factor
        upper, first = max(0, top), max(0, start)
        lower, last = min(self.height, bottom), min(self.width, stop)
        if upper >= lower or first >= last:
            return whole
        part: NDArray[np.float32] = wide.crop(first - start, upper - top, last - first, lower - upper).numpy()
        whole[upper:lower, first:last] = np.clip(part, 0.0, 1.0)
        return whole


def _flatness(contact: Contact) -> float:
    """How flat a circle on the floor looks, from the curve of the line that the product rests on."""
    resting = np.flatnonzero(contact.rest > 0.4)
    if resting.size < 3:
        return _FLATNESS[0]
    rise = contact.ground_row - float(contact.support[resting].min())
    half = 0.5 * (resting[-1] - resting[0] + 1)
    # Where the line still counts as level it has risen by about two thirds of the disc's half height.
    return float(np.clip(1.5 * rise / half, *_FLATNESS))


def _foot_half_width(solid: NDArray[np.bool_], foot: float, flatness: float) -> float:
    """Half the width of the product a little above its foot, where the disc it stands on is widest."""
    width = 0.0
    for row in range(min(solid.shape[0], math.ceil(foot)) - 1, -1, -1):
        filled = np.flatnonzero(solid[row])
        if filled.size:
            width = max(width, 0.5 * (filled[-1] - filled[0] + 1))
        if foot - row > flatness * width + 1:
            return width
    return width


def _runs(solid: NDArray[np.bool_]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """For each solid pixel, first column of its run and first column after it: (rows, columns) each."""
    columns = np.arange(solid.shape[1])
    gap = np.where(solid, -1, columns)
    starts = np.maximum.accumulate(gap, axis=1) + 1
    gap = np.where(solid, solid.shape[1], columns)
    ends = np.minimum.accumulate(gap[:, ::-1], axis=1)[:, ::-1]
    return starts.astype(np.float64), ends.astype(np.float64)


def _blurred(coverage: Coverage, sigma: float) -> Coverage:
    """A Gaussian that lies on the floor: `sigma` across the canvas, and `_LYING` of that down it."""
    image = pyvips.Image.new_from_array(coverage)
    for spread, turns in ((sigma, "d0"), (_LYING * sigma, "d90")):
        if spread >= 0.3:
            line = pyvips.Image.gaussmat(spread, 0.03, separable=True, precision="float")
            image = image.conv(line.rot(turns), precision="float")
    blurred: NDArray[np.float32] = image.numpy()
    return blurred

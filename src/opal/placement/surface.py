"""What the floor and wall of a set are made of: concrete, planks, marble, as albedo per pixel.

Called by `placement/sweep.py`. A surface is a function of world coordinates (u across, v along the set,
unrolled from floor to wall), drawn with the seed. Noise is white noise on a lattice, blurred by each
row's footprint and by what the lens leaves out of focus, so it never shimmers and is the same picture
at every size. It is built by matrix products, a band of rows at a time, which is why it is quick.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from numpy.typing import NDArray

Field: TypeAlias = NDArray[np.float32]
SurfaceName: TypeAlias = Literal["concrete", "oak", "marble"]

_CELLS = 256
"""Lattice cells after which an octave repeats; octaves repeat at different lengths, so the sum does not."""
_SMOOTH = 0.55
"""Blur between lattice points, in cells."""
_BLOCK_CELLS = 20
"""Lattice cells that one block of columns spans."""
_UNSEEN = 0.02
"""An octave whose amplitude falls below this in a whole band of rows is left out there."""


@dataclass(frozen=True, slots=True)
class RowView:
    """How each canvas row sees the set; arrays are (rows,) float32, lengths in the set's units."""

    v: Field
    """Place along the unrolled set."""
    pixel: Field
    """Width of one pixel across."""
    length: Field
    """Length of one pixel along the set."""
    blur: Field
    """Radius of the lens blur across."""

    def part(self, start: int, stop: int) -> "RowView":
        """Rows `start` to `stop`."""
        rows = slice(start, stop)
        return RowView(self.v[rows], self.pixel[rows], self.length[rows], self.blur[rows])

    @property
    def spread(self) -> Field:
        """Standard deviation along v of what one pixel gathers."""
        return np.asarray(np.hypot(0.45 * self.length, self.blur / self.pixel * self.length), np.float32)

    def at(self, v: Field) -> "RowView":
        """The same rows, looking at other places."""
        return RowView(v, self.pixel, self.length, self.blur)


class Octave:
    """Smooth noise of one fineness: mean 0, variance 1 where the view resolves it, less elsewhere."""

    def __init__(self, random: np.random.Generator, across: float, along: float, u: Field) -> None:
        """`across` and `along` are cells per unit; `u` the places across at which it is wanted."""
        self._lattice = random.standard_normal((_CELLS, _CELLS), dtype=np.float32)
        shift = random.uniform(0.0, _CELLS, 2)
        self._across, self._along, self._start = across, along, float(shift[1])
        self._blocks = list(_column_blocks(u * across + shift[0]))
        self._width = u.size

    def rows(self, view: RowView) -> Field:
        """The noise in these rows: (rows, u)."""
        blur = np.hypot(_SMOOTH, view.spread * self._along)
        # Across, all rows share one matrix; what the lens blurs away there is taken off the amplitude.
        kept = np.exp(-2.0 * (view.blur * self._across) ** 2)
        if float((kept * _SMOOTH / blur).max()) < _UNSEEN:
            return np.zeros((view.v.size, self._width), np.float32)
        weights = _weights(view.v * self._along + self._start, blur)
        weights *= (2.0 * math.sqrt(math.pi) * _SMOOTH * kept)[:, None].astype(np.float32)
        lines = np.concatenate([part @ self._lattice for part in np.split(weights, _splits(len(weights)))])
        noise = np.empty((view.v.size, self._width), np.float32)
        for columns, cells, share in self._blocks:
            np.matmul(lines[:, cells], share, out=noise[:, columns])
        return noise


def _column_blocks(position: Field) -> Iterator[tuple[slice, NDArray[np.intp], Field]]:
    """Columns in blocks, each with the lattice cells it sees and their weights (cells, columns).

    Products this small stay on one thread: OpenBLAS would otherwise wake all of them for each product and
    let them spin, which costs ten times the arithmetic on a busy machine.
    """
    step = float(position[1] - position[0]) if position.size > 1 else 1.0
    size = int(min(128, max(8, _BLOCK_CELLS / step)))
    for start in range(0, position.size, size):
        columns = slice(start, min(start + size, position.size))
        places = position[columns]
        cells = np.arange(math.floor(float(places[0])) - 2, math.ceil(float(places[-1])) + 3)
        share = np.exp(-0.5 * ((places[None, :] - cells[:, None]) / _SMOOTH) ** 2)
        share /= share.sum(axis=0)
        yield columns, cells % _CELLS, share.astype(np.float32)


def _splits(rows: int) -> range:
    """Where to cut rows so that each part's product with the lattice stays on one thread, see above."""
    return range(4, rows, 4)


def _weights(position: NDArray[np.floating], sigma: NDArray[np.floating]) -> Field:
    """Normalised Gaussian weights (positions, lattice) on a lattice that wraps round."""
    place = np.mod(position, _CELLS).astype(np.float32)
    distance = np.abs(place[:, None] - np.arange(_CELLS, dtype=np.float32))
    np.minimum(distance, np.float32(_CELLS) - distance, out=distance)
    distance /= sigma[:, None].astype(np.float32)
    np.multiply(distance, distance, out=distance)
    distance *= np.float32(-0.5)
    weights = np.exp(distance, out=distance)
    weights /= weights.sum(axis=1, keepdims=True)
    return np.asarray(weights, np.float32)


Painter: TypeAlias = Callable[[RowView], Field]
"""Rows of a surface: (rows, u), a factor on the paper's linear colour with a mean of about 1."""


def surface_painter(name: SurfaceName, u: Field, random: np.random.Generator) -> Painter:
    """The painter of one surface for places `u` across; it draws all it needs from `random` at once."""
    return _SURFACES[name].make(u, random)


def surface_colour(name: SurfaceName, albedo: Field) -> Field:
    """The colour of each albedo (rows, u) as factors on the paper's colour: (rows, u, 3)."""
    deep = np.clip(1.0 - albedo, -0.4, 0.4)
    hue = np.array(_SURFACES[name].hue, np.float32)
    return np.asarray(albedo[..., None] * (1.0 + deep[..., None] * hue), np.float32)


def _concrete(u: Field, random: np.random.Generator) -> Painter:
    """Trowelled concrete: clouds of cement, fine sand, a few pores."""
    clouds = [(0.55, Octave(random, 0.55, 0.55, u)), (0.45, Octave(random, 1.5, 1.5, u))]
    clouds += [(0.30, Octave(random, 4.5, 4.5, u)), (0.22, Octave(random, 13.0, 13.0, u))]
    sand = [(0.7, Octave(random, 60.0, 60.0, u)), (0.7, Octave(random, 170.0, 170.0, u))]
    pores = Octave(random, 24.0, 24.0, u)

    def paint(view: RowView) -> Field:
        cloud = _sum(clouds, view)
        light = 1.0 + 0.10 * cloud + 0.030 * _sum(sand, view)
        light *= 1.0 - 0.45 * _ramp(pores.rows(view), 2.9, 3.4)
        return np.asarray(light, np.float32)

    return paint


_BOARD = 0.56
"""Width of one plank, in units of a product height."""


def _oak(u: Field, random: np.random.Generator) -> Painter:
    """Oiled planks laid across the picture: rings, fibres, pores, and a dark joint between two planks."""
    rings = [(1.0, Octave(random, 0.55, 1.3, u)), (0.16, Octave(random, 2.2, 4.0, u))]
    fibres = [(0.5, Octave(random, 0.7, 9.0, u)), (0.5, Octave(random, 2.0, 32.0, u))]
    fibres += [(0.5, Octave(random, 5.0, 90.0, u)), (0.5, Octave(random, 9.0, 200.0, u))]
    pores = Octave(random, 12.0, 150.0, u)
    start = random.uniform(0.15, 0.35)
    boards = random.standard_normal(64).astype(np.float32)

    def paint(view: RowView) -> Field:
        place = view.v / _BOARD + start
        board = np.floor(place).astype(np.intp)
        # Each plank comes from another part of the tree: it looks at another place of the noise.
        own = view.at((view.v + 5.37 * board).astype(np.float32))
        phase = 2.0 * math.pi * (own.v[:, None] * 4.5 + 1.1 * _sum(rings, own))
        resolved = np.exp(-((view.spread * 32.0) ** 2))[:, None].astype(np.float32)
        # Late wood ends in a sharp dark line, early wood begins softly.
        ring = np.sin(phase + 0.5 * np.sin(phase))
        grain = 0.55 * ring * resolved + _sum(fibres, own)
        light = 1.0 + 0.085 * grain - 0.16 * _ramp(pores.rows(own), 1.5, 2.6)
        light *= 1.0 + 0.055 * boards[board % len(boards)][:, None]
        joint = np.abs(place - np.rint(place)) * _BOARD
        wide = np.hypot(0.0045, view.spread)
        light *= (1.0 - 0.75 * 0.0045 / wide * np.exp(-0.5 * (joint / wide) ** 2))[:, None]
        return np.asarray(light, np.float32)

    return paint


def _marble(u: Field, random: np.random.Generator) -> Painter:
    """Honed white marble: broad grey clouds, and veins where a bent wave crosses zero."""
    bends = [(1.0, Octave(random, 0.45, 0.45, u)), (0.5, Octave(random, 1.2, 1.2, u))]
    bends += [(0.22, Octave(random, 3.5, 3.5, u)), (0.09, Octave(random, 10.0, 10.0, u))]
    fine = [(1.0, Octave(random, 0.9, 0.9, u)), (0.6, Octave(random, 2.6, 2.6, u))]
    fine += [(0.25, Octave(random, 8.0, 8.0, u))]
    presence, clouds = Octave(random, 0.8, 0.8, u), Octave(random, 0.7, 0.7, u)
    crystals = Octave(random, 150.0, 150.0, u)
    turn = random.uniform(0.45, 0.8)

    def paint(view: RowView) -> Field:
        run = 0.85 * (np.cos(turn) * u[None, :] + np.sin(turn) * view.v[:, None])
        bend = _sum(bends, view)
        main = np.sin(math.pi * run + 1.25 * bend)
        here = _ramp(presence.rows(view), -0.9, 1.3)
        soft = view.spread[:, None] * 2.0
        vein = _line(main, np.hypot(0.035, soft), 0.035) + 0.55 * _line(main, 0.22, 0.22)
        web = _line(_sum(fine, view) - 0.3 * bend, np.hypot(0.018, soft), 0.018)
        light = 1.0 + 0.012 * crystals.rows(view) + 0.020 * clouds.rows(view)
        light -= 0.19 * vein * here + 0.10 * web * (1.0 - 0.6 * here)
        return np.asarray(light, np.float32)

    return paint


@dataclass(frozen=True, slots=True)
class _Surface:
    make: Callable[[Field, np.random.Generator], Painter]
    hue: tuple[float, float, float]
    """How the dark places differ in colour: share by which each channel gains per unit of darkness."""


_SURFACES: dict[SurfaceName, _Surface] = {
    "concrete": _Surface(_concrete, hue=(0.05, 0.02, -0.03)),
    # Dark grain in wood is redder than the light between it.
    "oak": _Surface(_oak, hue=(0.20, 0.0, -0.40)),
    "marble": _Surface(_marble, hue=(0.0, 0.02, 0.06)),
}


def _sum(octaves: list[tuple[float, Octave]], view: RowView) -> Field:
    total = np.zeros((), np.float32)
    for weight, octave in octaves:
        total = total + np.float32(weight) * octave.rows(view)
    return np.asarray(total, np.float32)


def _line(field: Field, width: Field | float, full: float) -> Field:
    """1 where the field is 0, falling off over `width`; wider than `full` it pales by as much."""
    return np.asarray(full / width * np.exp(-((field / width) ** 2)), np.float32)


def _ramp(field: Field, low: float, high: float) -> Field:
    share = np.clip((field - low) / (high - low), 0.0, 1.0)
    return np.asarray(share * share * (3.0 - 2.0 * share), np.float32)

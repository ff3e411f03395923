"""The product as all of a photo's pictures need it: where it is, and its light without the old ground.

Made once per photo by scoring and export-worker, and shared by the threads that compose its pictures.
"""

import math
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.errors import NoProductFound, ProductTooSmall
from opal.images.colour import LINEAR_OF_8_BIT, LINEAR_OF_16_BIT, Linear
from opal.images.compiled import compiled
from opal.images.contact import SOLID, product_box
from opal.images.foreground import edge_colours
from opal.images.geometry import Box
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.images.resample import resample

SMALLEST_PRODUCT = 24
"""Shortest product, in photo pixels along its longer side, that is worth placing."""
_FULL = 65535

_Light = NDArray[np.uint16]
"""(h, w, 4): linear red, green and blue, and coverage, all 0..65535."""
_LINEAR = {
    "uchar": np.rint(LINEAR_OF_8_BIT * _FULL).astype(np.uint16),
    "ushort": np.rint(LINEAR_OF_16_BIT * _FULL).astype(np.uint16),
}


@dataclass(slots=True)
class _Levels:
    """What was made for one photo so far; guarded by `lock`, as pictures are made in threads."""

    lock: Lock = field(default_factory=Lock)
    straight: dict[int, _Light] = field(default_factory=dict)
    clean: dict[int, _Light] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Product:
    """A photo and its matte, the product's box in it, and its light at the sizes that pictures need.

    Light is kept as 16-bit steps of linear light: 8 bytes per pixel of the box, at the photo's own size or at
    a half, a quarter and so on, the smallest that is at least twice as large as what is asked for. From there
    each picture is resized once, straight to its own size.
    """

    photo: Photo
    matte: Matte
    """(H, W) at the photo's size."""
    box: Box
    """The product on the photo, faint edges included."""
    foot: int
    """First row below what is solid."""
    _levels: _Levels

    @classmethod
    def of(cls, photo: Photo, matte: Matte) -> "Product":
        """Find the product; raises NoProductFound for an empty matte and ProductTooSmall for a speck."""
        box, foot = _find(matte)
        return cls(photo, matte, box, foot, _Levels())

    def laid_out(self, width: int, height: int) -> tuple[Linear, NDArray[np.float32]]:
        """The product's own colours (height, width, 3) and coverage (height, width), 0..1, its box resized.

        Where product and ground mix, the colour is the product's alone. It is taken apart before resizing and
        resized by its coverage, so no ground comes in again.
        """
        level = self._level(width, height)
        with self._levels.lock:
            clean = self._clean(level)
        return resample(clean, self._span(level), width, height, by_coverage=True)

    def as_photographed(self, width: int, height: int) -> Linear:
        """The photo itself over the box, ground included, resized alike: (height, width, 3), 0..1."""
        level = self._level(width, height)
        with self._levels.lock:
            straight = self._straight(level)
        return resample(straight, self._span(level), width, height, by_coverage=False)[0]

    def _level(self, width: int, height: int) -> int:
        """How often the box may be halved and still have twice the wanted pixels along each side."""
        spare = min(self.box.width / width, self.box.height / height) / 2.0
        return max(0, math.floor(math.log2(spare)))

    def _span(self, level: int) -> tuple[float, float]:
        """Columns and rows of a level that the box covers."""
        return self.box.width / 2**level, self.box.height / 2**level

    def _clean(self, level: int) -> _Light:
        """The product's own light times its coverage, and its coverage; the lock is held."""
        if level not in self._levels.clean:
            self._levels.clean[level] = _by_coverage(self._straight(level))
        return self._levels.clean[level]

    def _straight(self, level: int) -> _Light:
        """The box's light as photographed, and its coverage; the lock is held."""
        if level not in self._levels.straight:
            box = self.box
            pixels = self.photo.pixels.crop(box.left, box.top, box.width, box.height)
            table = pyvips.Image.new_from_array(_LINEAR[pixels.format].reshape(1, -1))
            share = self.matte[box.top : box.bottom, box.left : box.right]
            coverage = np.rint(share * np.float32(_FULL)).astype(np.uint16)
            both = pixels.maplut(table).bandjoin(pyvips.Image.new_from_array(coverage))
            side = 2**level
            made = both.shrink(side, side, ceil=True) if level else both
            self._levels.straight[level] = made.numpy()
        return self._levels.straight[level]


def _find(matte: Matte) -> tuple[Box, int]:
    """The product's box on the photo (faint edges included) and its foot: first row below it.

    Raises NoProductFound and ProductTooSmall.
    """
    solid, box = product_box(matte, SOLID), product_box(matte)
    if solid is None or box is None:
        raise NoProductFound()
    if max(solid.width, solid.height) < SMALLEST_PRODUCT:
        raise ProductTooSmall(
            f"The product is {solid.width} x {solid.height} pixels; "
            f"at least {SMALLEST_PRODUCT} on its longer side are needed."
        )
    return box, solid.bottom


def _by_coverage(straight: _Light) -> _Light:
    """The product's own colours times its coverage: what can be resized, and laid over anything."""
    clean = np.empty_like(straight)
    _multiply(straight, clean)
    alpha = straight[..., 3]
    rows, columns = np.nonzero((alpha > 0) & (alpha < _FULL))
    if rows.size:
        scale = np.float32(1.0 / _FULL)

        def read(row: NDArray[np.intp], column: NDArray[np.intp]) -> NDArray[np.float32]:
            return straight[row, column, :3] * scale

        image = pyvips.Image.new_from_array(straight)[0:3] * float(scale)
        colours = edge_colours(image, alpha * scale, rows, columns, read)
        clean[rows, columns, :3] = np.rint(colours * alpha[rows, columns, None])
    return clean


@compiled
def _multiply(straight: _Light, clean: _Light) -> None:
    """Copy what is all product, blacken what is none; the edge is left to the caller."""
    for y in range(straight.shape[0]):
        for x in range(straight.shape[1]):
            whole = straight[y, x, 3] == _FULL
            for band in range(3):
                clean[y, x, band] = straight[y, x, band] if whole else np.uint16(0)
            clean[y, x, 3] = straight[y, x, 3]

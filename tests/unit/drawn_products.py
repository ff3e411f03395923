"""Small products drawn by arithmetic, with their exact mattes, as decoded photos. For picture tests."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.decode import decode_photo
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.placement.product import Product as FoundProduct

Field = NDArray[np.float64]
Shape = Callable[[Field, Field], NDArray[np.bool_]]

GREEN = (60, 130, 70)


@dataclass(frozen=True, slots=True)
class Product:
    """A photo on a green ground and the share of each pixel that is product."""

    photo: Photo
    matte: Matte

    @property
    def found(self) -> FoundProduct:
        """As it is placed; made anew each time, as tests change what it is made of."""
        return FoundProduct.of(self.photo, self.matte)


def ellipse(x: float, y: float, across: float, down: float) -> Shape:
    return lambda px, py: ((px - x) / across) ** 2 + ((py - y) / down) ** 2 <= 1


def coverage(shape: Shape, width: int, height: int) -> Matte:
    """The shape's share of each pixel, from 4 x 4 samples (2 x 2 in a large picture)."""
    samples = 4 if width * height < 500_000 else 2
    y, x = np.mgrid[0 : height * samples, 0 : width * samples]
    inside = shape((x + 0.5) / samples, (y + 0.5) / samples).astype(np.float32)
    return np.asarray(inside.reshape(height, samples, width, samples).mean(axis=(1, 3)), np.float32)


def product(
    matte: Matte, colours: NDArray[np.floating] | None = None, ground: tuple[int, int, int] = GREEN
) -> Product:
    """Blend `colours` (H, W, 3) codes, or a smooth pattern, over the ground in linear light."""
    height, width = matte.shape
    if colours is None:
        y, x = np.mgrid[0:height, 0:width]
        colours = np.stack([120 + 90 * x / width, 60 + 100 * y / height, np.full_like(x, 90.0)], axis=-1)
    share = matte[..., None]
    linear = share * (colours / 255.0) ** 2.2 + (1 - share) * (np.array(ground) / 255.0) ** 2.2
    codes = np.rint(255.0 * linear ** (1 / 2.2)).astype(np.uint8)
    image = pyvips.Image.new_from_array(codes).copy(interpretation="srgb")
    return Product(decode_photo(image.pngsave_buffer()), matte)


def mug(width: int = 320, height: int = 280) -> Product:
    """A cylinder with a handle that has a hole."""

    def shape(x: Field, y: Field) -> NDArray[np.bool_]:
        u, v = x / width, y / height
        body = (np.abs(u - 0.42) < 0.24) & (v > 0.2) & (v < 0.78)
        base, rim = ellipse(0.42, 0.78, 0.24, 0.08)(u, v), ellipse(0.42, 0.2, 0.24, 0.08)(u, v)
        handle = ellipse(0.68, 0.48, 0.14, 0.18)(u, v) & ~ellipse(0.68, 0.48, 0.08, 0.11)(u, v)
        return np.asarray(body | base | rim | handle)

    return product(coverage(shape, width, height))


def ball(width: int = 300, height: int = 300, *, diameter: float = 0.7) -> Product:
    return product(
        coverage(ellipse(width / 2, height / 2, diameter * width / 2, diameter * height / 2), width, height)
    )


def box_with_label(width: int = 400, height: int = 400) -> Product:
    """A carton with dark stripes as print on a light label."""
    matte = np.zeros((height, width), np.float32)
    matte[60:340, 80:320] = 1.0
    colours = np.full((height, width, 3), (196.0, 150.0, 96.0))
    colours[130:270, 120:280] = (240.0, 236.0, 228.0)
    for row in range(150, 250, 20):
        colours[row : row + 8, 140:260] = (40.0, 42.0, 60.0)
    return product(matte, colours)

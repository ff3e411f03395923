"""Pictures to stand products in, drawn by arithmetic, as decoded photos. For picture tests."""

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.decode import decode_photo
from opal.images.photo import Photo


def picture_bytes(codes: NDArray[np.uint8]) -> bytes:
    data: bytes = pyvips.Image.new_from_array(codes).copy(interpretation="srgb").pngsave_buffer()
    return data


def room_codes(
    width: int = 1200,
    height: int = 900,
    *,
    floor_from: float = 0.6,
    wall: tuple[int, int, int] = (150, 160, 175),
    floor: tuple[int, int, int] = (120, 100, 80),
) -> NDArray[np.uint8]:
    """A striped wall above a chequered floor."""
    y, x = np.mgrid[0:height, 0:width]
    codes = np.empty((height, width, 3), np.uint8)
    stripes = (x // max(1, width // 60)) % 2
    squares = ((x // max(1, width // 60)) + (y // max(1, height // 45))) % 2
    above = y < floor_from * height
    for channel in range(3):
        codes[..., channel] = np.where(
            above, wall[channel] - 40 * stripes, floor[channel] - 40 * squares
        ).astype(np.uint8)
    return codes


def room(
    width: int = 1200,
    height: int = 900,
    *,
    wall: tuple[int, int, int] = (150, 160, 175),
    floor: tuple[int, int, int] = (120, 100, 80),
) -> Photo:
    return decode_photo(picture_bytes(room_codes(width, height, wall=wall, floor=floor)))


def lit(colour: tuple[int, int, int], width: int = 600, height: int = 600) -> Photo:
    """A picture of one colour: nothing but its light."""
    return decode_photo(picture_bytes(np.full((height, width, 3), colour, np.uint8)))

"""What people are shown of photo, matte and cut-out."""

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray

from opal.images.photo import Photo, SourceInfo
from opal.images.shown import cutout_webp, matte_png, photo_jpeg
from opal.images.sniff import ImageFormat

WIDTH, HEIGHT = 300, 200


def photo(*, alpha: bool = False, bits: int = 8) -> Photo:
    """Red on the left, blue on the right; with ``alpha`` the right half is see-through."""
    codes = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    codes[:, : WIDTH // 2, 0] = 200
    codes[:, WIDTH // 2 :, 2] = 200
    pixels = pyvips.Image.new_from_array(codes).copy(interpretation="srgb")
    if bits == 16:
        pixels = pixels.colourspace("rgb16")
    shown = np.zeros((HEIGHT, WIDTH), np.uint8)
    shown[:, : WIDTH // 2] = 255
    source = SourceInfo(ImageFormat.PNG, 1, WIDTH, HEIGHT, 1, None, bits, "")
    return Photo(pixels, pyvips.Image.new_from_array(shown) if alpha else None, source)


def opened(data: bytes) -> NDArray[np.uint8]:
    """The file's codes, (H, W, bands)."""
    image = pyvips.Image.new_from_buffer(data, "")
    codes: NDArray[np.uint8] = image.numpy().reshape(image.height, image.width, image.bands)
    return codes


@pytest.mark.parametrize("bits", [8, 16])
@pytest.mark.parametrize(("side", "size"), [(None, (200, 300)), (150, (100, 150)), (4000, (200, 300))])
def test_a_photo_is_shown_whole_and_never_enlarged(
    bits: int, side: int | None, size: tuple[int, int]
) -> None:
    codes = opened(photo_jpeg(photo(bits=bits), side))
    assert codes.shape == (*size, 3)
    assert np.abs(codes[5, 5].astype(int) - (200, 0, 0)).max() < 8


def test_what_a_transparent_photo_hides_shows_white() -> None:
    codes = opened(photo_jpeg(photo(alpha=True), None))
    assert codes[5, -5].min() > 250
    assert codes[5, 5, 0] > 190


def test_a_matte_is_grey_whatever_it_was_decoded_to() -> None:
    matte = np.repeat(np.linspace(0, 255, WIDTH).astype(np.uint8)[None, :, None], HEIGHT, axis=0)
    decoded = pyvips.Image.new_from_array(np.repeat(matte, 3, axis=2)).copy(interpretation="srgb")
    codes = opened(matte_png(decoded, 150))
    assert codes.shape == (100, 150, 1)
    assert abs(int(codes[50, 75, 0]) - 128) < 4


@pytest.mark.parametrize(("side", "size"), [(None, (200, 300)), (150, (100, 150))])
def test_a_cutout_keeps_its_frame_and_is_empty_around_the_product(
    side: int | None, size: tuple[int, int]
) -> None:
    matte = np.zeros((HEIGHT, WIDTH), np.float32)
    matte[50:150, 40:140] = 1.0
    codes = opened(cutout_webp(photo(), matte, side))
    assert codes.shape == (*size, 4)
    middle = codes[size[0] // 2, size[1] * 90 // WIDTH]
    assert middle[3] == 255
    assert np.abs(middle[:3].astype(int) - (200, 0, 0)).max() < 10
    assert codes[2, 2, 3] == 0


def test_a_cutout_of_nothing_is_empty() -> None:
    codes = opened(cutout_webp(photo(), np.zeros((HEIGHT, WIDTH), np.float32), None))
    assert not codes[..., 3].any()

"""A finished picture is read as a marketplace would see it: what is stored, not what was meant."""

import numpy as np
import pytest
import pyvips
from tests.unit.photo_files import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    SRGB,
    codes,
    file_of,
    grey_profile,
    image,
    jpeg_with_profile,
    rgb_profile,
    with_profile,
)

from opal.errors import InvalidPhoto, PhotoEmpty, PhotoTruncated, UnsupportedFormat
from opal.images.finished import read_finished


@pytest.mark.parametrize(
    ("picture", "space", "bands", "bits"),
    [
        (image(codes()), "srgb", 3, 8),
        (with_profile(image(codes()), rgb_profile(SRGB, None, "Vendor sRGB")), "srgb", 3, 8),
        (
            with_profile(image(codes()), rgb_profile(ADOBE_RGB, ADOBE_GAMMA, "Adobe RGB (1998)")),
            "Adobe RGB (1998)",
            3,
            8,
        ),
        (with_profile(image(codes()), rgb_profile(ADOBE_RGB, ADOBE_GAMMA, "\x01")), "rgb", 3, 8),
        (image(codes()[..., 0], "b-w"), "b-w", 1, 8),
        (image(codes().astype(np.uint16) * 257, "rgb16"), "srgb", 3, 16),
    ],
)
def test_the_colour_space_is_judged_by_the_profile(
    picture: pyvips.Image, space: str, bands: int, bits: int
) -> None:
    found = read_finished(picture.tiffsave_buffer())
    assert found.pixels.shape == (120, 160, bands)
    assert found.bits == bits
    assert found.colour_space == space


@pytest.mark.parametrize("profile", [grey_profile(2.2), b"junk" * 50])
def test_a_profile_that_does_not_fit_is_not_taken_for_srgb(profile: bytes) -> None:
    assert read_finished(jpeg_with_profile(image(codes()), profile)).colour_space in {"Grey", "rgb"}


def test_codes_are_as_stored_without_orientation_or_conversion() -> None:
    stored = with_profile(image(codes()), rgb_profile(ADOBE_RGB, ADOBE_GAMMA, "Adobe RGB (1998)"))
    stored.set_type(pyvips.GValue.gint_type, "orientation", 6)
    assert np.array_equal(read_finished(stored.tiffsave_buffer()).pixels, codes())


def test_four_inks_are_called_so() -> None:
    printed = image(codes()).icc_transform("cmyk", input_profile="srgb")
    assert read_finished(printed.jpegsave_buffer()).colour_space == "cmyk"


@pytest.mark.parametrize("dpi", [72, 96, 300])
def test_resolution_is_in_dots_per_inch(dpi: int) -> None:
    per_mm = dpi / 25.4
    assert read_finished(image(codes()).copy(xres=per_mm, yres=per_mm).pngsave_buffer()).dpi == dpi


def test_alpha_counts_by_its_channel() -> None:
    assert read_finished(file_of("png", image(np.dstack([codes(), codes()[..., 0]])))).has_alpha
    assert not read_finished(file_of("png")).has_alpha


def test_what_is_no_whole_picture_is_refused() -> None:
    data = file_of("png")
    with pytest.raises(PhotoTruncated):
        read_finished(data[: len(data) // 2])
    with pytest.raises(PhotoEmpty):
        read_finished(b"")
    with pytest.raises(UnsupportedFormat):
        read_finished(b"<html>not found</html>")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF
    with pytest.raises(InvalidPhoto):
        read_finished(bytes(flipped))

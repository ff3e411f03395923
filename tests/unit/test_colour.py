"""Colours become sRGB once, by the numbers; light and codes convert to and fro."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.photo_files import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    Floats,
    codes,
    grey_profile,
    image,
    jpeg_with_profile,
    rgb_profile,
    to_xyz,
    with_profile,
)

from opal.errors import UnsupportedFormat
from opal.images.colour import convert_to_srgb, linear_to_srgb, srgb_to_linear, to_linear, to_srgb8
from opal.images.decode import decode_photo

SPACES = {
    "Display P3": (DISPLAY_P3, None),
    "Adobe RGB (1998)": (ADOBE_RGB, ADOBE_GAMMA),
    "Gamma 1.8": (SRGB, 1.8),
}


def lattice() -> np.ndarray[tuple[int, int, int], np.dtype[np.uint8]]:
    """4913 colours over the whole cube, as a picture large enough to be a photo."""
    levels = np.linspace(0, 255, 17).round().astype(np.uint8)
    cube = np.stack(np.meshgrid(levels, levels, levels, indexing="ij"), axis=-1).reshape(17, -1, 3)
    return np.repeat(cube, 4, axis=0)


def expected(stored: Floats, primaries: tuple[tuple[float, float], ...], gamma: float | None) -> Floats:
    """The same colours in sRGB, 0..1, by matrix arithmetic in double precision; clipped at the gamut."""
    linear = srgb_to_linear(stored) if gamma is None else stored**gamma
    return linear_to_srgb(linear @ (np.linalg.inv(to_xyz(SRGB)) @ to_xyz(primaries)).T)


@pytest.mark.parametrize("name", SPACES)
@pytest.mark.parametrize("version", [2, 4])
def test_eight_bit_colours_are_converted_within_one_code(name: str, version: int) -> None:
    primaries, gamma = SPACES[name]
    stored = with_profile(image(lattice()), rgb_profile(primaries, gamma, name, version=version))
    photo = decode_photo(stored.pngsave_buffer())
    wanted = expected(lattice() / 255.0, primaries, gamma) * 255.0
    assert np.abs(photo.pixels.numpy() - wanted).max() <= 1.0
    assert np.abs(photo.pixels.numpy().astype(int) - lattice()).max() > 10  # it did something
    assert photo.source.profile == name


@pytest.mark.parametrize("name", SPACES)
def test_sixteen_bit_colours_are_converted_at_their_depth(name: str) -> None:
    primaries, gamma = SPACES[name]
    deep = lattice().astype(np.uint16) * 257
    photo = decode_photo(
        with_profile(image(deep, "rgb16"), rgb_profile(primaries, gamma, name)).tiffsave_buffer()
    )
    assert photo.pixels.format == "ushort"
    wanted = expected(deep / 65535.0, primaries, gamma)
    # In 8-bit codes; the direct transform of lcms is off by 2.9 here.
    assert np.abs(photo.pixels.numpy() / 65535.0 - wanted).max() * 255 <= 0.6


def test_a_photo_is_converted_once_only() -> None:
    stored = with_profile(image(lattice()), rgb_profile(DISPLAY_P3, None, "Display P3"))
    once = decode_photo(stored.pngsave_buffer()).pixels
    again = decode_photo(once.pngsave_buffer()).pixels
    assert "icc-profile-data" not in once.get_fields()
    assert np.array_equal(once.numpy(), again.numpy())


@pytest.mark.parametrize("version", [2, 4])
def test_somebodys_own_srgb_changes_no_pixel(version: int) -> None:
    # Off by a rounding, as vendors' profiles are: converting would move many codes by one.
    nearly = ((0.63994, 0.33006), (0.30006, 0.59994), (0.15, 0.06006))
    stored = with_profile(image(lattice()), rgb_profile(nearly, None, "Camera sRGB", version=version))
    photo = decode_photo(stored.pngsave_buffer())
    assert np.array_equal(photo.pixels.numpy(), lattice())
    assert photo.source.profile == "Camera sRGB"


def test_greys_with_a_curve_of_their_own_are_converted() -> None:
    ramp = np.tile(np.arange(256, dtype=np.uint8), (80, 1))
    grey = decode_photo(with_profile(image(ramp, "b-w"), grey_profile(1.8)).pngsave_buffer()).pixels.numpy()
    wanted = linear_to_srgb((ramp[0] / 255.0) ** 1.8) * 255.0
    error = np.abs(grey[0] - wanted[:, None])
    # In the deepest shadows lcms' own grey curve is a little coarse.
    assert error.max() <= 1.5
    assert error[20:].max() <= 1.0


@pytest.mark.parametrize(
    "profile", [grey_profile(2.2), rgb_profile(DISPLAY_P3, None, "P3")[:300], b"junk" * 50]
)
def test_a_profile_that_does_not_fit_is_left_aside(profile: bytes) -> None:
    for picture in (image(codes()), image(codes()[..., 0], "b-w")):
        if profile[16:20] == b"GRAY" and picture.bands == 1:
            continue  # that one fits
        plain = decode_photo(picture.jpegsave_buffer(Q=95, keep="none"))
        odd = decode_photo(jpeg_with_profile(picture, profile))
        assert np.array_equal(odd.pixels.numpy(), plain.pixels.numpy())


@pytest.mark.parametrize("save", ["jpegsave_buffer", "tiffsave_buffer"])
@pytest.mark.parametrize("keep", ["icc", "none"])
def test_cmyk_comes_back_as_the_colours_it_was_printed_from(save: str, keep: str) -> None:
    blocks = np.zeros((80, 160, 3), np.uint8)
    colours = ((250, 250, 248), (40, 40, 42), (190, 60, 50), (70, 120, 60), (60, 80, 130))
    for column, colour in enumerate(colours):
        blocks[:, 32 * column : 32 * column + 32] = colour
    printed = image(blocks).icc_transform(
        "cmyk", input_profile="srgb", intent="relative", black_point_compensation=True
    )
    data = getattr(printed, save)(keep=keep)
    photo = decode_photo(data)
    assert photo.pixels.interpretation == "srgb"
    assert (photo.source.profile is None) is (keep == "none")
    for column, colour in enumerate(colours):
        found = photo.pixels.numpy()[20:60, 32 * column + 10 : 32 * column + 22].reshape(-1, 3).mean(axis=0)
        # Four inks in 8 bits, and JPEG: near, and nowhere near the negative that a wrong sign gives.
        assert np.abs(found - colour).max() < 12, (column, found)


@pytest.mark.parametrize(
    ("picture", "interpretation"),
    [("float grey", "b-w"), ("signed", "srgb")],
)
def test_pixels_of_instruments_are_refused(picture: str, interpretation: str) -> None:
    kind = np.float32 if picture == "float grey" else np.int16
    pixels = codes()[..., 0] if interpretation == "b-w" else codes()
    with pytest.raises(UnsupportedFormat, match="8 or 16 bits"):
        convert_to_srgb(image(pixels.astype(kind), interpretation))


def test_floating_point_and_lab_pictures_keep_their_colours() -> None:
    for data in (
        image(codes()).colourspace("scrgb").tiffsave_buffer(),
        image(codes()).colourspace("lab").tiffsave_buffer(),
    ):
        photo = decode_photo(data)
        assert photo.pixels.format == "ushort"
        assert np.abs(photo.pixels.numpy() / 257.0 - codes()).max() < 1.0


def test_the_curve_has_its_published_values() -> None:
    # IEC 61966-2-1: mid grey 128 is 21.586 % of the light, and the straight foot ends at 0.04045.
    assert abs(float(srgb_to_linear(np.array(128 / 255.0))) - 0.2158605) < 1e-6
    assert abs(float(srgb_to_linear(np.array(0.04045))) - 0.04045 / 12.92) < 1e-9
    assert float(srgb_to_linear(np.array(1.0))) == 1.0


@given(st.floats(0, 1))
def test_the_curve_and_its_inverse_cancel(value: float) -> None:
    assert abs(float(linear_to_srgb(srgb_to_linear(np.array(value)))) - value) < 1e-6


def test_every_code_survives_the_way_to_light_and_back() -> None:
    every = np.arange(256, dtype=np.uint8)
    assert np.array_equal(to_srgb8(to_linear(every)), every)
    deep = np.arange(65536, dtype=np.uint16)
    # Nearest, up to the step of the table that is looked up.
    assert np.abs(to_srgb8(to_linear(deep)) - deep / 257.0).max() < 0.53


def test_light_beyond_the_range_is_clipped_and_the_input_kept() -> None:
    light = np.array([-0.5, 0.0, 1.0, 7.0], np.float32)
    before = light.copy()
    assert to_srgb8(light).tolist() == [0, 0, 255, 255]
    assert np.array_equal(light, before)


def test_dither_keeps_the_mean_and_repeats_by_its_seed() -> None:
    light = np.full((200, 200), srgb_to_linear(np.array(100.3 / 255.0)), np.float32)
    dithered = to_srgb8(light, dither_seed=4)
    assert abs(dithered.mean() - 100.3) < 0.02
    assert len(np.unique(dithered)) > 1
    assert np.array_equal(dithered, to_srgb8(light, dither_seed=4))
    assert not np.array_equal(dithered, to_srgb8(light, dither_seed=5))
    assert np.unique(to_srgb8(light)).tolist() == [100]

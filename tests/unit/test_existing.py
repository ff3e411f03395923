"""A stranger's picture is measured upright in sRGB, and judged as the file is."""

from dataclasses import replace

import numpy as np
import pytest
import pyvips
from tests.unit.photo_files import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    codes,
    file_of,
    frames,
    image,
    rgb_profile,
    with_profile,
)

from opal.decoder.pictures import read_existing
from opal.errors import InvalidPhoto, PhotoTruncated, TooManyPixels
from opal.images.encode import encode
from opal.images.finished import FinishedPicture, read_finished
from opal.images.limits import Limits


def read(data: bytes) -> FinishedPicture:
    return read_existing(data, Limits()).finished


def cut_out() -> np.ndarray[tuple[int, ...], np.dtype[np.uint8]]:
    """The pattern behind an alpha that shows its middle."""
    alpha = np.zeros((120, 160, 1), np.uint8)
    alpha[30:90, 40:120] = 255
    return np.concatenate([codes(), alpha], axis=2)


def test_the_fourth_ink_is_no_alpha_and_white_paper_is_white() -> None:
    white = image(np.full((80, 90, 3), 255, np.uint8)).icc_transform("cmyk", input_profile="srgb")
    found = read(white.jpegsave_buffer(Q=95))
    assert (found.colour_space, found.has_alpha, found.coverage) == ("cmyk", False, None)
    assert found.pixels.shape == (80, 90, 3)
    assert found.pixels.min() == 255


def test_pixels_are_upright_and_in_srgb_though_the_file_is_not() -> None:
    stored = with_profile(image(codes()), rgb_profile(ADOBE_RGB, ADOBE_GAMMA, "Adobe RGB (1998)"))
    lying = read(stored.tiffsave_buffer()).pixels
    stored.set_type(pyvips.GValue.gint_type, "orientation", 6)
    found = read(stored.tiffsave_buffer())
    assert (found.width, found.height) == (120, 160)
    assert found.colour_space == "Adobe RGB (1998)"
    assert np.array_equal(np.rot90(found.pixels), lying)
    # The same codes mean other colours in Adobe's space.
    assert np.abs(lying.astype(int) - codes()).max() > 20


@pytest.mark.parametrize(
    ("picture", "bands", "bits"),
    [
        (image(codes().astype(np.uint16) * 257, "rgb16"), 3, 16),
        (image(codes()[..., 0], "b-w"), 3, 8),
        (image(np.dstack([codes()[..., 0], np.full((120, 160), 255, np.uint8)]), "b-w"), 3, 8),
        (image(cut_out()), 4, 8),
        (image(cut_out().astype(np.uint16) * 257, "rgb16"), 4, 16),
    ],
)
def test_whatever_is_stored_is_measured_in_eight_bits(picture: pyvips.Image, bands: int, bits: int) -> None:
    found = read(picture.pngsave_buffer())
    assert found.pixels.dtype == np.uint8
    assert found.pixels.shape == (120, 160, bands)
    assert found.bits == bits
    assert found.has_alpha is bool(picture.hasalpha())


def test_only_an_alpha_that_tells_a_product_apart_is_its_coverage() -> None:
    own = read(file_of("png", image(cut_out())))
    assert own.see_through
    assert own.coverage is not None
    assert own.coverage.mean() == pytest.approx(0.25)
    full = np.full((120, 160), 255, np.uint8)
    opaque = read(file_of("png", image(np.dstack([codes(), full]))))
    assert (opaque.has_alpha, opaque.see_through, opaque.coverage) == (True, False, None)
    full[0, 0] = 0
    corner = read(file_of("png", image(np.dstack([codes(), full]))))
    assert (corner.has_alpha, corner.see_through, corner.coverage) == (True, True, None)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp"])
def test_a_resolution_that_is_not_stated_is_not_made_up(kind: str) -> None:
    save = {"jpeg": "jpegsave_buffer", "png": "pngsave_buffer", "webp": "webpsave_buffer"}[kind]
    assert read(getattr(image(codes()), save)(keep="none")).dpi is None
    assert read(encode(codes(), "jpeg", 90, dpi=96)).dpi == 96


def test_animations_and_single_pixels_can_be_judged() -> None:
    assert read(frames("gif")).frames == 2
    assert read(frames("tiff")).frames == 2
    assert read(file_of("png", image(codes()[:1, :1]))).pixels.shape == (1, 1, 3)


def test_what_opal_wrote_is_read_the_same_both_ways() -> None:
    data = encode(codes(), "jpeg", 92, dpi=300)
    ours, theirs = read_finished(data), read(data)
    assert np.array_equal(ours.pixels, theirs.pixels)
    for fact in ("format", "bytes", "bits", "dpi", "colour_space", "frames", "has_alpha", "block"):
        assert getattr(ours, fact) == getattr(theirs, fact), fact


def test_colour_at_half_resolution_ripples_twice_as_far() -> None:
    assert read(image(codes()).jpegsave_buffer(Q=75, subsample_mode="on")).block == 16
    assert read(image(codes()).jpegsave_buffer(Q=75, subsample_mode="off")).block == 8


def test_damage_and_size_are_refused_and_nothing_is_halved() -> None:
    data = file_of("jpeg")
    with pytest.raises(PhotoTruncated):
        read(data[: len(data) // 2])
    with pytest.raises(InvalidPhoto):
        read(b"<html>not found</html>")
    with pytest.raises(TooManyPixels):
        read_existing(data, replace(Limits(), max_pixels=10_000, halve=True))

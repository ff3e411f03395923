"""What is written can be read back by anyone: pixels, sRGB profile, resolution, provenance; nothing else."""

import numpy as np
import pytest
import pyvips
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from tests.unit.photo_files import codes, file_of, image

from opal.images.decode import decode_photo
from opal.images.encode import EXTENSION, MEDIA_TYPE, OutputFormat, encode
from opal.images.finished import read_finished
from opal.images.metadata import DigitalSourceType, PictureMetadata, read_digital_source_type
from opal.images.profile import embedded_profile, equals_srgb
from opal.images.sniff import sniff

FORMATS: tuple[OutputFormat, ...] = ("jpeg", "png", "webp")
Codes = NDArray[np.uint8]


def with_alpha() -> Codes:
    alpha = np.tile(np.linspace(0, 255, 160).round().astype(np.uint8), (120, 1))
    return np.dstack([codes(), alpha])


def opened(data: bytes) -> pyvips.Image:
    loader = {"jpeg": "jpegload_buffer", "png": "pngload_buffer", "webp": "webpload_buffer"}[
        sniff(data).value
    ]
    return getattr(pyvips.Image, loader)(data)


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_comes_back_with_its_profile_and_resolution(kind: OutputFormat) -> None:
    data = encode(codes(), kind, 95, dpi=300)
    back = read_finished(data)
    assert (back.format, back.width, back.height, back.bits, back.dpi) == (kind, 160, 120, 8, 300)
    assert (back.colour_space, back.has_alpha, back.bytes) == ("srgb", False, len(data))
    profile = embedded_profile(opened(data))
    assert profile is not None
    assert equals_srgb(profile)
    assert opened(data).get("exif-ifd2-ColorSpace").startswith("1 ")  # EXIF 2.32: sRGB
    assert np.abs(back.pixels.astype(int) - codes()).mean() < 4


@settings(deadline=None, max_examples=25)
@given(st.integers(1, 30), st.integers(1, 30), st.sampled_from([3, 4]), st.integers(0, 9))
def test_png_and_lossless_webp_keep_every_code(width: int, height: int, bands: int, seed: int) -> None:
    pixels = np.random.default_rng(seed).integers(0, 256, (height, width, bands), dtype=np.uint8)
    if bands == 4:
        pixels[..., 3] |= 1  # WebP may change colours that cannot be seen
    for kind in ("png", "webp"):
        assert np.array_equal(
            read_finished(encode(pixels, "png" if kind == "png" else "webp", 100)).pixels, pixels
        )


@pytest.mark.parametrize("kind", ["png", "webp"])
def test_alpha_is_stored_straight(kind: OutputFormat) -> None:
    back = read_finished(encode(with_alpha(), kind, 100))
    assert back.has_alpha
    seen = with_alpha()[..., 3] > 0
    assert np.array_equal(back.pixels[seen], with_alpha()[seen])


@pytest.mark.parametrize("kind", FORMATS)
@pytest.mark.parametrize("source_type", [None, DigitalSourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA])
def test_provenance_is_in_the_file(kind: OutputFormat, source_type: DigitalSourceType | None) -> None:
    data = encode(
        codes(), kind, metadata=PictureMetadata(digital_source_type=source_type, title="A “mug” & more")
    )
    assert read_digital_source_type(data) == (None if source_type is None else source_type.value)
    packet = bytes(opened(data).get("xmp-data")).decode()
    assert "Opal" in packet
    assert "A “mug” &amp; more" in packet


@pytest.mark.parametrize("kind", FORMATS)
def test_nothing_of_the_photos_own_story_is_in_the_file(kind: OutputFormat) -> None:
    private = image(codes())
    private.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Artist", "Jane Doe")
    private.set_type(pyvips.GValue.gstr_type, "exif-ifd3-GPSLatitude", "52/1 5/1 30/1")
    photo = decode_photo(file_of("jpeg", private))
    data = encode(photo.pixels.numpy(), kind)
    told = {f for f in opened(data).get_fields() if f.startswith("exif-ifd")}
    assert not {f for f in told if "GPS" in f or "Artist" in f or "Date" in f or "Make" in f or "Model" in f}
    assert b"Jane" not in data


def test_full_chroma_keeps_a_red_label_sharp() -> None:
    stripes = np.zeros((96, 96, 3), np.uint8)
    stripes[...] = (255, 255, 255)
    stripes[:, ::2] = (220, 10, 20)
    full = read_finished(encode(stripes, "jpeg", 92)).pixels.astype(int)
    half = read_finished(encode(stripes, "jpeg", 92, chroma="4:2:0")).pixels.astype(int)
    assert np.abs(full - stripes).mean() < 3
    assert np.abs(half - stripes).mean() > 30
    assert len(encode(codes(), "jpeg", 92)) > len(encode(codes(), "jpeg", 92, chroma="4:2:0"))


@pytest.mark.parametrize("kind", ["jpeg", "webp"])
def test_quality_costs_bytes(kind: OutputFormat) -> None:
    low, high = (encode(codes(), kind, quality) for quality in (40, 95))
    assert len(low) < len(high)


@pytest.mark.parametrize(
    ("pixels", "kind", "why"),
    [
        (with_alpha(), "jpeg", "no alpha"),
        (codes()[..., 0], "png", "uint8"),
        (codes()[..., :2], "png", "uint8"),
        (codes().astype(np.float32), "png", "uint8"),
    ],
)
def test_what_cannot_be_written_is_refused(pixels: Codes, kind: OutputFormat, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        encode(pixels, kind)


def test_the_caller_may_pass_a_cut_out_view() -> None:
    view = codes()[10:90, 20:140]
    assert np.array_equal(read_finished(encode(view, "png")).pixels, view)


def test_every_format_has_its_extension_and_type() -> None:
    for kind in FORMATS:
        assert MEDIA_TYPE[kind] == sniff(encode(codes(), kind)).media_type
    assert (EXTENSION["jpeg"], EXTENSION["png"], EXTENSION["webp"]) == ("jpg", "png", "webp")

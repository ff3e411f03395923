"""From a stranger's bytes to a `Photo`: upright, sRGB, in memory, or a named refusal."""

import hashlib
import struct
from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from tests.unit.photo_files import codes, file_of, frames, image, png_header

from opal.errors import (
    InvalidPhoto,
    PhotoAnimated,
    PhotoCorrupt,
    PhotoEmpty,
    PhotoTruncated,
    TooManyPixels,
    UnsupportedFormat,
)
from opal.images.decode import decode_photo
from opal.images.limits import Limits

KINDS = ("jpeg", "png", "webp", "gif", "tiff", "avif")
LOSSLESS = ("png", "webp", "tiff")
# What EXIF orientation 1 to 8 asks a viewer to do with the stored pixels (EXIF 2.32, tag 0x0112).
UPRIGHT = {
    1: lambda a: a,
    2: np.fliplr,
    3: lambda a: np.rot90(a, 2),
    4: np.flipud,
    5: lambda a: np.swapaxes(a, 0, 1),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: np.rot90(np.swapaxes(a, 0, 1), 2),
    8: lambda a: np.rot90(a, 1),
}


def flat_grey(depth: int = 8) -> pyvips.Image:
    grey = codes()[..., 0]
    return image(grey, "b-w") if depth == 8 else image(grey.astype(np.uint16) * 257, "grey16")


def hole(width: int = 160, height: int = 120) -> np.ndarray[tuple[int, int], np.dtype[np.uint8]]:
    """An alpha that shows the right half, with one half-shown column between."""
    alpha = np.zeros((height, width), np.uint8)
    alpha[:, width // 2] = 128
    alpha[:, width // 2 + 1 :] = 255
    return alpha


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_becomes_a_photo(kind: str) -> None:
    data = file_of(kind)
    photo = decode_photo(data)
    pixels = photo.pixels.numpy()
    assert (photo.width, photo.height, pixels.dtype) == (160, 120, np.uint8)
    assert (photo.pixels.interpretation, photo.alpha) == ("srgb", None)
    error = np.abs(pixels.astype(int) - codes())
    assert error.max() == 0 if kind in LOSSLESS else error.mean() < 5
    source = photo.source
    assert (source.format.value, source.bytes, source.bits) == (kind, len(data), 8)
    assert source.sha256 == hashlib.sha256(data).hexdigest()


def test_bytes_and_file_give_the_same_photo(tmp_path: Path) -> None:
    data = file_of("png")
    (tmp_path / "photo").write_bytes(data)
    from_file, from_bytes = decode_photo(tmp_path / "photo"), decode_photo(data)
    assert from_file.source == from_bytes.source
    assert np.array_equal(from_file.pixels.numpy(), from_bytes.pixels.numpy())


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.97])
def test_a_file_cut_short_is_called_truncated(kind: str, share: float) -> None:
    data = file_of(kind)
    with pytest.raises(PhotoTruncated, match="upload it again"):
        decode_photo(data[: max(16, int(len(data) * share))])


def test_a_tiff_that_lost_only_its_directorys_end_is_at_least_refused() -> None:
    with pytest.raises(InvalidPhoto):
        decode_photo(file_of("tiff")[:-20])


@pytest.mark.parametrize("kind", ["jpeg", "png", "tiff"])
def test_bytes_after_the_end_do_no_harm(kind: str) -> None:
    assert decode_photo(file_of(kind) + b"\0" * 500).width == 160


def test_damage_inside_is_called_corrupt() -> None:
    data = bytearray(file_of("png"))
    data[len(data) // 2] ^= 0xFF
    with pytest.raises(PhotoCorrupt):
        decode_photo(bytes(data))


def test_damage_that_a_jpegs_decoder_steps_over_is_refused_where_it_matters() -> None:
    data = file_of("jpeg", image(codes(1000, 800)))
    middle = len(data) // 2
    damaged = data[:middle] + b"\xff" * 300 + data[middle + 300 :]
    photo = decode_photo(damaged)
    assert (photo.width, photo.source.blemished) == (1000, True)
    assert not decode_photo(data).source.blemished
    with pytest.raises(PhotoCorrupt):
        decode_photo(damaged, unblemished=True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_whole_is_unblemished(kind: str) -> None:
    assert decode_photo(file_of(kind), unblemished=True).width == 160


@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(KINDS),
    st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=4),
    st.floats(0.1, 1),
)
def test_no_damage_escapes_as_another_error(kind: str, hits: list[tuple[float, int]], kept: float) -> None:
    data = bytearray(file_of(kind))
    for place, value in hits:
        data[int(place * len(data))] = value
    try:
        photo = decode_photo(bytes(data[: int(kept * len(data))]))
    except InvalidPhoto:
        return
    assert photo.pixels.numpy().shape == (photo.height, photo.width, 3)


def test_refusals_are_named() -> None:
    with pytest.raises(PhotoEmpty):
        decode_photo(b"")
    with pytest.raises(UnsupportedFormat, match="SVG"):
        decode_photo(b"<svg xmlns='http://www.w3.org/2000/svg' width='100' height='100'/>")
    with pytest.raises(PhotoAnimated):
        decode_photo(frames("gif"))
    with pytest.raises(TooManyPixels):
        decode_photo(file_of("jpeg"), Limits(max_pixels=160 * 120 - 1))
    with pytest.raises(PhotoCorrupt):
        decode_photo(png_header(100, 100))


def test_heic_is_refused_with_a_way_out() -> None:
    box = b"ftypheic\0\0\0\0mif1heic"
    with pytest.raises(UnsupportedFormat, match="Most Compatible"):
        decode_photo(struct.pack(">I", len(box) + 4) + box + bytes(200))


@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_comes_out_upright(orientation: int) -> None:
    stored = image(codes())
    stored.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    upright = UPRIGHT[orientation](codes())
    photo = decode_photo(stored.tiffsave_buffer())
    assert np.array_equal(photo.pixels.numpy(), upright)
    assert (photo.source.width, photo.source.height) == (160, 120)
    assert photo.source.orientation == orientation
    # JPEG keeps the orientation in EXIF instead of a tag of its own.
    lossy = decode_photo(stored.jpegsave_buffer(Q=95)).pixels.numpy()
    assert lossy.shape == upright.shape
    assert np.abs(lossy.astype(int) - upright).mean() < 5


def test_alpha_turns_with_its_photo() -> None:
    stored = image(np.dstack([codes(), hole()]))
    stored.set_type(pyvips.GValue.gint_type, "orientation", 6)
    photo = decode_photo(stored.tiffsave_buffer())
    assert photo.alpha is not None
    assert np.array_equal(photo.alpha.numpy(), np.rot90(hole(), -1))


@pytest.mark.parametrize("save", ["pngsave_buffer", "tiffsave_buffer"])
def test_sixteen_bits_are_kept(save: str) -> None:
    deep = np.random.default_rng(1).integers(0, 65536, (80, 100, 3), dtype=np.uint16)
    photo = decode_photo(getattr(image(deep, "rgb16"), save)())
    assert (photo.pixels.format, photo.pixels.interpretation, photo.source.bits) == ("ushort", "rgb16", 16)
    assert np.array_equal(photo.pixels.numpy(), deep)


def test_a_ten_bit_avif_keeps_its_depth() -> None:
    deep = image(codes().astype(np.uint16) * 257, "rgb16")
    photo = decode_photo(deep.heifsave_buffer(compression="av1", bitdepth=10, Q=95, effort=0))
    assert (photo.pixels.format, photo.source.bits) == ("ushort", 10)
    assert np.abs(photo.pixels.numpy() / 257.0 - codes()).mean() < 3


@pytest.mark.parametrize("depth", [8, 16])
def test_grey_becomes_three_equal_bands(depth: int) -> None:
    pixels = decode_photo(flat_grey(depth).pngsave_buffer()).pixels.numpy()
    scale = 1 if depth == 8 else 257
    assert np.array_equal(pixels, np.repeat(codes()[..., :1].astype(pixels.dtype) * scale, 3, axis=2))


def test_a_palette_png_shows_its_colours() -> None:
    blocks = np.zeros((80, 90, 3), np.uint8)
    for column, colour in enumerate(((255, 0, 0), (12, 200, 30), (0, 40, 250))):
        blocks[:, 30 * column : 30 * column + 30] = colour
    data = image(blocks).pngsave_buffer(palette=True, dither=0)
    assert data[25] == 3  # IHDR's colour type: palette
    assert np.abs(decode_photo(data).pixels.numpy().astype(int) - blocks).max() <= 2


@pytest.mark.parametrize("kind", ["png", "webp", "tiff"])
def test_a_useful_alpha_is_kept_apart(kind: str) -> None:
    photo = decode_photo(file_of(kind, image(np.dstack([codes(), hole()]))))
    assert photo.pixels.bands == 3
    assert photo.alpha is not None
    assert (photo.alpha.bands, photo.alpha.format) == (1, "uchar")
    assert np.array_equal(photo.alpha.numpy(), hole())


def test_an_alpha_of_any_depth_comes_as_eight_bits() -> None:
    deep = np.dstack([codes(), hole()]).astype(np.uint16) * 257
    floating = image(np.dstack([codes(), hole()])).colourspace("scrgb")
    grey = image(np.dstack([codes()[..., 0], hole()]), "b-w")
    for data in (image(deep, "rgb16").pngsave_buffer(), floating.tiffsave_buffer(), grey.pngsave_buffer()):
        photo = decode_photo(data)
        assert photo.alpha is not None
        assert np.array_equal(photo.alpha.numpy(), hole())


@pytest.mark.parametrize(
    ("hidden_rows", "shown", "kept"), [(0, 255, False), (1, 255, False), (60, 255, True), (120, 0, False)]
)
def test_an_alpha_that_tells_nothing_is_dropped(hidden_rows: int, shown: int, kept: bool) -> None:
    alpha = np.full((120, 160), shown, np.uint8)
    alpha[:hidden_rows] = 0
    photo = decode_photo(file_of("png", image(np.dstack([codes(), alpha]))))
    assert (photo.alpha is not None) is kept
    assert np.array_equal(photo.pixels.numpy(), codes())


def test_where_and_when_a_photo_was_taken_does_not_travel_on() -> None:
    private = image(np.dstack([codes(), hole()]))
    for field, value in (
        ("exif-ifd3-GPSLatitude", "52/1 5/1 30/1"),
        ("exif-ifd0-Artist", "Jane Doe"),
        ("exif-ifd2-DateTimeOriginal", "2024:01:02 03:04:05"),
    ):
        private.set_type(pyvips.GValue.gstr_type, field, value)
    private.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta>Jane Doe</x:xmpmeta>")
    private.set_type(pyvips.GValue.gstr_type, "png-comment-0-Author", "Jane Doe")
    photographs = {
        "jpeg": private[:3].copy(interpretation="srgb").jpegsave_buffer(),
        "png": private.pngsave_buffer(),
        "webp": private.webpsave_buffer(),
        "tiff": private.tiffsave_buffer(),
    }
    for kind, data in photographs.items():
        assert b"Jane Doe" in data, kind
        photo = decode_photo(data)
        for part in (photo.pixels, photo.alpha):
            if part is not None:
                told = [f for f in part.get_fields() if f.startswith(("exif", "xmp", "iptc", "png-", "icc"))]
                assert told == [], kind
                again = part.pngsave_buffer() + part.jpegsave_buffer() + part.webpsave_buffer()
                assert b"Jane" not in again
                assert b"2024:01" not in again


def test_pixels_lie_in_memory_and_may_be_read_again() -> None:
    photo = decode_photo(file_of("jpeg"))
    first = photo.pixels.numpy()
    # A decoder's own sequential access would refuse to go back up.
    assert np.array_equal(photo.pixels.crop(0, 60, 160, 60).numpy(), first[60:])
    assert np.array_equal(photo.pixels.crop(0, 0, 160, 60).numpy(), first[:60])


def test_a_photo_with_too_many_pixels_is_halved_where_the_limits_say_so() -> None:
    codes = np.zeros((200, 300, 3), np.uint8)
    codes[::2, ::2] = codes[1::2, 1::2] = 255  # half the light in every two by two pixels
    codes[:, 150:] = (200, 60, 30)
    turned = image(codes).copy()
    turned.set_type(pyvips.GValue.gint_type, "orientation", 6)
    limits = Limits(max_pixels=20_000, min_side=1, halve=True)
    for source, size in ((image(codes), (150, 100)), (turned, (100, 150))):
        halved = decode_photo(source.pngsave_buffer(), limits)
        assert (halved.width, halved.height) == size
        assert halved.source.halved
        assert (halved.source.width, halved.source.height) == (300, 200)
    for shown, kept in ((255, False), (0, False), (np.arange(300) % 256, True)):  # opaque, unused, useful
        alpha = np.broadcast_to(np.uint8(shown), (200, 300))[..., None]
        with_alpha = decode_photo(image(np.dstack([codes, alpha])).pngsave_buffer(), limits)
        assert (with_alpha.width, with_alpha.height) == (150, 100)
        assert (with_alpha.alpha is not None) is kept
        assert with_alpha.alpha is None or with_alpha.alpha.width == 150
    small = decode_photo(image(codes).pngsave_buffer(), limits).pixels.numpy()
    assert np.abs(small[20:80, 10:70].astype(int) - 188).max() <= 1  # 0.5 in linear light
    assert np.abs(small[20:80, 90:140].astype(int) - (200, 60, 30)).max() <= 1
    with pytest.raises(TooManyPixels):
        decode_photo(image(codes).pngsave_buffer(), Limits(max_pixels=14_000, min_side=1, halve=True))
    with pytest.raises(TooManyPixels):
        decode_photo(image(codes).pngsave_buffer(), Limits(max_pixels=20_000, min_side=1))
    assert not decode_photo(image(codes).pngsave_buffer(), Limits(min_side=1)).source.halved

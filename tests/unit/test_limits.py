"""What a photo may cost is decided on its header, before a pixel is decoded."""

from pathlib import Path

import numpy as np
import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.photo_files import chunk, codes, file_of, frames, image, png_header

from opal.errors import (
    InterlacedTooLarge,
    InvalidPhoto,
    PhotoAnimated,
    PhotoEmpty,
    PhotoTooLarge,
    PhotoTooSmall,
    SideTooLong,
    TooManyPixels,
)
from opal.images.limits import Header, Limits, check, probe
from opal.images.sniff import ImageFormat


def header(
    width: int, height: int, *, frames: int = 1, interlaced: bool = False, orientation: int = 1
) -> Header:
    return Header(ImageFormat.PNG, 1000, width, height, 3, 8, orientation, frames, interlaced)


@pytest.mark.parametrize("kind", ["jpeg", "png", "webp", "gif", "tiff", "avif"])
def test_the_header_says_what_the_file_is(kind: str) -> None:
    data = file_of(kind, image(codes(130, 70)))
    found = probe(data)
    assert (found.format.value, found.bytes) == (kind, len(data))
    assert (found.width, found.height, found.bands, found.bits) == (130, 70, 3, 8)
    assert (found.frames, found.orientation, found.interlaced) == (1, 1, False)


def test_sixteen_bits_are_seen() -> None:
    deep = image(codes().astype(np.uint16) * 257, "rgb16")
    assert probe(deep.pngsave_buffer()).bits == probe(deep.tiffsave_buffer()).bits == 16


@pytest.mark.parametrize("source", ["bytes", "file"])
def test_nothing_and_too_much_are_refused_by_size(tmp_path: Path, source: str) -> None:
    data = file_of("jpeg")
    (tmp_path / "empty").write_bytes(b"")
    (tmp_path / "photo").write_bytes(data)
    with pytest.raises(PhotoEmpty):
        probe(b"" if source == "bytes" else tmp_path / "empty")
    photo = data if source == "bytes" else tmp_path / "photo"
    with pytest.raises(PhotoTooLarge, match=f"{len(data):,} bytes"):
        probe(photo, Limits(max_bytes=len(data) - 1))
    assert probe(photo, Limits(max_bytes=len(data))).bytes == len(data)


def test_a_bomb_is_refused_by_its_header() -> None:
    # 100 bytes that claim 200 megapixels: nothing may be allocated for them.
    with pytest.raises(TooManyPixels, match="200"):
        probe(png_header(16000, 12500))
    with pytest.raises(SideTooLong, match="16384"):
        probe(png_header(16385, 64))


def test_a_large_interlaced_png_is_refused_and_a_plain_one_of_its_size_is_not() -> None:
    with pytest.raises(InterlacedTooLarge, match="interlacing"):
        probe(png_header(6000, 6000, interlaced=True))
    assert probe(png_header(6000, 6000)).width == 6000
    assert probe(png_header(5000, 5000, interlaced=True)).interlaced


def test_a_progressive_jpeg_is_not_called_interlaced() -> None:
    assert not probe(image(codes()).jpegsave_buffer(interlace=True)).interlaced


@pytest.mark.parametrize("kind", ["gif", "webp", "tiff", "avif"])
def test_animations_and_pages_are_refused(kind: str) -> None:
    with pytest.raises(PhotoAnimated, match="2 frames"):
        probe(frames(kind))


@pytest.mark.parametrize(("count", "refused"), [(1, False), (3, True)])
def test_an_animated_png_is_refused_though_libvips_sees_one_picture(count: int, refused: bool) -> None:
    data = file_of("png")
    at = 8 + 25  # after the signature and IHDR
    moving = data[:at] + chunk(b"acTL", count.to_bytes(4, "big") + bytes(4)) + data[at:]
    if refused:
        with pytest.raises(PhotoAnimated, match="3 frames"):
            probe(moving)
    else:
        assert probe(moving).frames == 1


@pytest.mark.parametrize(
    ("size", "error"),
    [((64, 64), None), ((63, 900), PhotoTooSmall), ((900, 63), PhotoTooSmall), ((1, 1), PhotoTooSmall)],
)
def test_a_photo_has_a_least_size(size: tuple[int, int], error: type[InvalidPhoto] | None) -> None:
    data = file_of("png", image(codes(*size)))
    if error is None:
        assert probe(data).width == size[0]
    else:
        with pytest.raises(error, match=f"{size[0]} × {size[1]}"):
            probe(data)


@given(st.integers(1, 20000), st.integers(1, 20000), st.booleans(), st.integers(1, 3))
def test_check_lets_pass_exactly_what_fits(width: int, height: int, interlaced: bool, count: int) -> None:
    limits = Limits(max_pixels=9_000_000, max_side=9_000, min_side=50, max_interlaced_pixels=1_000_000)
    fits = (
        max(width, height) <= 9_000
        and width * height <= (1_000_000 if interlaced else 9_000_000)
        and min(width, height) >= 50
        and count == 1
    )
    try:
        check(header(width, height, frames=count, interlaced=interlaced), limits)
    except InvalidPhoto:
        assert not fits
    else:
        assert fits


@pytest.mark.parametrize("orientation", range(1, 9))
def test_the_upright_size_follows_the_orientation(orientation: int) -> None:
    turned = orientation in {5, 6, 7, 8}
    assert header(300, 200, orientation=orientation).upright_size == ((200, 300) if turned else (300, 200))


@pytest.mark.parametrize("orientation", [0, 9, 77])
def test_an_orientation_that_does_not_exist_is_none(orientation: int) -> None:
    odd = image(codes())
    odd.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    assert probe(odd.tiffsave_buffer()).orientation == 1

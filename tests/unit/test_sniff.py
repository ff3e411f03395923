"""The format is what the bytes say, whatever the file is called."""

import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.photo_files import file_of

from opal.errors import PhotoEmpty, UnsupportedFormat
from opal.images.decode import decode_photo
from opal.images.sniff import HEAD_BYTES, ImageFormat, sniff

KINDS = ("jpeg", "png", "webp", "gif", "tiff", "avif")


def iso_file(brand: bytes, *compatible: bytes) -> bytes:
    """The first box of an ISO media file."""
    box = b"ftyp" + brand + b"\0\0\0\0" + b"".join(compatible)
    return struct.pack(">I", len(box) + 4) + box + bytes(40)


@pytest.mark.parametrize("kind", KINDS)
def test_every_format_is_known_by_its_bytes(kind: str) -> None:
    data = file_of(kind)
    assert sniff(data).value == kind
    assert sniff(data[:HEAD_BYTES]).value == kind


@pytest.mark.parametrize(
    ("named", "really"),
    [("photo.jpg", "png"), ("photo.png", "webp"), ("photo.tif", "jpeg"), ("photo", "avif")],
)
def test_a_file_name_is_not_believed(tmp_path: Path, named: str, really: str) -> None:
    (tmp_path / named).write_bytes(file_of(really))
    assert decode_photo(tmp_path / named).source.format.value == really


@pytest.mark.parametrize(
    ("data", "expected"),
    [
        (b"II*\0" + bytes(20), ImageFormat.TIFF),
        (b"MM\0*" + bytes(20), ImageFormat.TIFF),
        (b"II+\0" + bytes(20), ImageFormat.TIFF),
        (iso_file(b"avif"), ImageFormat.AVIF),
        (iso_file(b"mif1", b"miaf", b"avif"), ImageFormat.AVIF),
        (iso_file(b"avis", b"msf1"), ImageFormat.AVIF),
        (iso_file(b"heic", b"mif1"), ImageFormat.HEIC),
        (iso_file(b"mif1", b"heic"), ImageFormat.HEIC),
    ],
)
def test_relatives_are_told_apart(data: bytes, expected: ImageFormat) -> None:
    assert sniff(data) is expected


def test_no_bytes_are_an_empty_photo() -> None:
    with pytest.raises(PhotoEmpty):
        sniff(b"")


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"%PDF-1.7", "PDF"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "SVG"),
        (b"\xef\xbb\xbf \n<?xml version='1.0'?><svg/>", "SVG"),
        (b"<!DOCTYPE html>", "HTML"),
        (b"8BPS\0\x01", "Photoshop"),
        (b"BM\x36\0\0\0", "BMP"),
        (b"PK\x03\x04", "ZIP"),
        (iso_file(b"isom", b"mp42"), "film"),
        (b"RIFF\x24\0\0\0WAVEfmt ", "not a known picture"),
        (b"hello", "not a known picture"),
    ],
)
def test_what_is_no_photo_is_called_by_its_name(data: bytes, named: str) -> None:
    with pytest.raises(UnsupportedFormat, match=named):
        sniff(data)


@given(st.binary(max_size=64) | st.binary(max_size=40).map(lambda tail: b"\0\0\0\x18ftyp" + tail))
def test_any_bytes_have_an_answer(data: bytes) -> None:
    try:
        assert sniff(data) in ImageFormat
    except (PhotoEmpty, UnsupportedFormat):
        return


def test_media_types_are_the_registered_ones() -> None:
    assert {f.media_type for f in ImageFormat} == {
        f"image/{name}" for name in ("jpeg", "png", "webp", "gif", "tiff", "avif", "heic")
    }

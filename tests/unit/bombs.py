"""Files that cost next to nothing to send and are meant to cost a decoder everything; made on the spot.

Each comes with the code that it must be refused with.
"""

import struct
import zlib
from collections.abc import Callable
from functools import cache

import numpy as np
import pyvips
from tests.unit.photo_files import chunk, codes, file_of, image

_MB = 1_000_000
METADATA = 60 * _MB

Maker = Callable[[], bytes]


def _zeros(size: int) -> bytes:
    """`size` zero bytes, deflated without ever being in memory."""
    packer = zlib.compressobj(9)
    pieces = [packer.compress(bytes(min(_MB, size - at))) for at in range(0, size, _MB)]
    return b"".join([*pieces, packer.flush()])


def png(width: int, height: int, *, interlaced: bool = False, before: bytes = b"") -> bytes:
    """A whole grey PNG with one bit per pixel, all black."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 1, 0, 0, 0, int(interlaced)))
    # Interlacing splits the rows into seven pictures: near enough the same number of bytes.
    rows = _zeros(height * (1 + -(-width // 8)) * (2 if interlaced else 1))
    return b"\x89PNG\r\n\x1a\n" + header + before + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def many_frames(count: int) -> bytes:
    """A GIF of `count` frames of 2000 x 2000, each of a few bytes."""
    screen = b"GIF89a" + struct.pack("<HHBBB", 2000, 2000, 0x80, 0, 0) + bytes((0, 0, 0, 255, 255, 255))
    frame = b"\x2c" + struct.pack("<HHHHB", 0, 0, 2000, 2000, 0) + b"\x02\x02\x4c\x01\x00"
    return screen + frame * count + b"\x3b"


def jpeg_sized(width: int, height: int, *, progressive: bool) -> bytes:
    """A JPEG whose frame header claims a size that its data do not have."""
    small = image(codes()).jpegsave_buffer(interlace=progressive)
    at = small.index(b"\xff\xc2" if progressive else b"\xff\xc0")
    return bytes(small[: at + 5] + struct.pack(">HH", height, width) + small[at + 9 :])


def webp_largest() -> bytes:
    """A lossless WebP of 16383 x 16383, the format's most, by its header."""
    small = file_of("webp")
    at = small.index(b"VP8L") + 9
    bits = int.from_bytes(small[at : at + 4], "little") >> 28 << 28 | 16382 << 14 | 16382
    grown = small[:at] + bits.to_bytes(4, "little") + small[at + 4 :]
    canvas = grown.index(b"VP8X") + 12
    return grown[:canvas] + 2 * (16382).to_bytes(3, "little") + grown[canvas + 6 :]


def avif_sized(width: int, height: int) -> bytes:
    """An AVIF whose container claims a size."""
    small = file_of("avif")
    at = small.index(b"ispe") + 8
    return small[:at] + struct.pack(">II", width, height) + small[at + 8 :]


def tiff_pages(count: int) -> bytes:
    """A TIFF of `count` pages that are all the same strip."""
    entries: tuple[tuple[int, int, int, int], ...] = (
        (256, 3, 1, 64),
        (257, 3, 1, 64),
        (258, 3, 1, 8),
        (259, 3, 1, 1),
        (262, 3, 1, 1),
    )
    entries += ((273, 4, 1, 8), (277, 3, 1, 1), (278, 3, 1, 64), (279, 4, 1, 4096))
    body = b"".join(struct.pack("<HHII", *entry) for entry in entries)
    size = 2 + len(body) + 4
    first = 8 + 4096
    pages = (
        struct.pack("<H", len(entries))
        + body
        + struct.pack("<I", first + (number + 1) * size if number + 1 < count else 0)
        for number in range(count)
    )
    return b"II*\x00" + struct.pack("<I", first) + bytes(4096) + b"".join(pages)


def tiff_with(tag: int, size: int) -> bytes:
    """A TIFF of 64 x 64 with `size` bytes under `tag`."""
    page = bytearray(tiff_pages(1))
    at = 8 + 4096
    entries = [bytes(page[at + 2 + 12 * n : at + 14 + 12 * n]) for n in range(9)]
    entries.append(struct.pack("<HHII", tag, 1 if tag == 700 else 7, size, at + 2 + 12 * 10 + 4))
    entries.sort(key=lambda entry: int.from_bytes(entry[:2], "little"))
    return bytes(page[:at]) + struct.pack("<H", 10) + b"".join(entries) + bytes(4) + bytes(size)


def jpeg_segments(marker: int, label: bytes, size: int) -> bytes:
    """A JPEG with `size` bytes in segments of one kind before its picture."""
    small = file_of("jpeg")
    body = label + bytes(65_000 - len(label))
    segment = bytes((0xFF, marker)) + struct.pack(">H", len(body) + 2) + body
    return small[:2] + segment * (size // len(body)) + small[2:]


def webp_with(kind: bytes, size: int) -> bytes:
    """An extended WebP with one large chunk."""
    inner = file_of("webp")[12:]
    flag = {b"ICCP": 0x20, b"XMP ": 0x04}[kind]
    head = b"VP8X" + struct.pack("<IB", 10, flag) + bytes(3) + (159).to_bytes(3, "little")
    head += (119).to_bytes(3, "little")
    large = kind + struct.pack("<I", size) + bytes(size)
    body = b"WEBP" + head + (large + inner if kind == b"ICCP" else inner + large)
    return b"RIFF" + struct.pack("<I", len(body)) + body


def avif_with_xmp(size: int) -> bytes:
    """An AVIF whose index names an XMP item of `size` bytes at its end."""
    picture = image(codes())
    picture.set_type(pyvips.GValue.blob_type, "xmp-data", b"x" * 0xA5A5)
    data = bytearray(picture.heifsave_buffer(compression="av1", effort=0, keep="xmp"))
    iloc = data.index(b"iloc")
    at = data.index(struct.pack(">I", 0xA5A5), iloc)
    data[at : at + 4] = struct.pack(">I", size)
    offset = int.from_bytes(data[at - 4 : at], "big")
    mdat = data.index(b"mdat")
    # The box grows to the end of the file.
    data[mdat - 4 : mdat] = bytes(4)
    return bytes(data) + bytes(max(0, offset + size - len(data)))


def many_scans(count: int) -> bytes:
    """A progressive JPEG of 48 megapixels, within every limit, each of whose scans costs a walk over it."""
    data = jpeg_sized(8000, 6000, progressive=True)
    end = data.rindex(b"\xff\xd9")
    last = data.rindex(b"\xff\xda")
    return data[:end] + data[last:end] * count + data[end:]


def mat_file() -> bytes:
    """The head of a MATLAB 5 file, whose loader was CVE-2026-66066's."""
    return b"MATLAB 5.0 MAT-file, Platform: GLNXA64".ljust(124) + b"\x00\x01IM" + bytes(4096)


@cache
def bombs() -> dict[str, tuple[Maker, str]]:
    """Each bomb's maker and code by its name."""
    too_many, metadata = "image_too_many_pixels", "image_metadata_too_large"
    profile = chunk(b"iCCP", b"p\x00\x00" + _zeros(METADATA))
    words = chunk(b"iTXt", b"XML:com.adobe.xmp\x00\x01\x00\x00\x00" + _zeros(METADATA))
    flood = chunk(b"tEXt", b"k\x00v") * 1_000_000
    svg = b"<?xml version='1.0'?><svg xmlns='http://www.w3.org/2000/svg'>" + b"<g>" * 100_000
    return {
        "PNG 50,000 x 50,000": (lambda: png(50_000, 50_000), "image_side_too_long"),
        "PNG 16,000 x 16,000": (lambda: png(16_000, 16_000), too_many),
        "interlaced PNG 30,000 x 30,000": (
            lambda: png(30_000, 30_000, interlaced=True),
            "image_side_too_long",
        ),
        "interlaced PNG 6,000 x 6,000": (
            lambda: png(6_000, 6_000, interlaced=True),
            "image_interlaced_too_large",
        ),
        "GIF of 300 frames": (lambda: many_frames(300), "image_animated"),
        "GIF of 200,000 frames": (lambda: many_frames(200_000), "image_animated"),
        "progressive JPEG 10,000 x 10,000": (
            lambda: jpeg_sized(10_000, 10_000, progressive=True),
            too_many,
        ),
        "JPEG 65,500 x 65,500": (
            lambda: jpeg_sized(65_500, 65_500, progressive=False),
            "image_side_too_long",
        ),
        "WebP at its most": (webp_largest, too_many),
        "AVIF at its most": (lambda: avif_sized(16_384, 16_384), too_many),
        "TIFF of 500 pages": (lambda: tiff_pages(500), "image_animated"),
        "TIFF of 60,000 pages": (lambda: tiff_pages(60_000), metadata),
        "PNG with a profile of 60 MB": (lambda: png(200, 200, before=profile), metadata),
        "PNG with XMP of 60 MB": (lambda: png(200, 200, before=words), metadata),
        "PNG of a million chunks": (lambda: png(200, 200, before=flood), metadata),
        "JPEG with XMP of 60 MB": (
            lambda: jpeg_segments(0xE1, b"http://ns.adobe.com/xap/1.0/\x00", METADATA - _MB),
            metadata,
        ),
        "JPEG with a profile of 60 MB": (
            lambda: jpeg_segments(0xE2, b"ICC_PROFILE\x00\x01\xff", METADATA - _MB),
            metadata,
        ),
        "WebP with a profile of 59 MB": (lambda: webp_with(b"ICCP", METADATA - _MB), metadata),
        "WebP with XMP of 59 MB": (lambda: webp_with(b"XMP ", METADATA - _MB), metadata),
        "TIFF with a profile of 59 MB": (lambda: tiff_with(34675, METADATA - _MB), metadata),
        "TIFF with XMP of 59 MB": (lambda: tiff_with(700, METADATA - _MB), metadata),
        "AVIF with XMP of 59 MB": (lambda: avif_with_xmp(METADATA - _MB), metadata),
        "SVG called JPEG": (lambda: svg, "unsupported_format"),
        "PDF called JPEG": (lambda: b"%PDF-1.7\n" + bytes(100_000), "unsupported_format"),
        "MATLAB file called JPEG": (mat_file, "unsupported_format"),
        "libvips' own file called JPEG": (
            lambda: b"\x08\xf2\xa6\xb6" + bytes(100_000),
            "unsupported_format",
        ),
    }


def picture_of(side: int) -> bytes:
    """An ordinary photo, to compare with."""
    smooth = np.broadcast_to(np.linspace(0, 255, side, dtype=np.uint8)[:, None, None], (side, side, 3))
    data: bytes = image(smooth).jpegsave_buffer(Q=90)
    return data

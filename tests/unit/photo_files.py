"""Photos as files of every kind, made on the spot with libvips; and ICC profiles written out by hand."""

import struct
import zlib
from functools import cache
from typing import Any

import numpy as np
import pyvips
from numpy.typing import NDArray

import opal.images  # noqa: F401 - hardens libvips before a test opens anything
from opal.images.colour import srgb_to_linear

Codes = NDArray[np.uint8]
Floats = NDArray[np.float64]

# Chromaticities of red, green, blue; all three spaces have the white point D65.
SRGB = ((0.64, 0.33), (0.30, 0.60), (0.15, 0.06))
DISPLAY_P3 = ((0.680, 0.320), (0.265, 0.690), (0.150, 0.060))
ADOBE_RGB = ((0.64, 0.33), (0.21, 0.71), (0.15, 0.06))
ADOBE_GAMMA = 563 / 256
_D65, _D50 = np.array([0.95047, 1.0, 1.08883]), np.array([0.96420, 1.0, 0.82491])
_BRADFORD = np.array([[0.8951, 0.2664, -0.1614], [-0.7502, 1.7135, 0.0367], [0.0389, -0.0685, 1.0296]])


def codes(width: int = 160, height: int = 120, seed: int = 1) -> Codes:
    """A smooth, lopsided colour pattern with a little noise: every turn and every cut shows in it."""
    y, x = np.mgrid[0:height, 0:width]
    across, down = x / max(1, width - 1), y / max(1, height - 1)
    smooth = np.stack([30 + 190 * across, 40 + 160 * down, 200 - 120 * across * down], axis=-1)
    noise = np.random.default_rng(seed).normal(0, 4, smooth.shape)
    return np.clip(np.rint(smooth + noise), 0, 255).astype(np.uint8)


def image(pixels: NDArray[Any], interpretation: str = "srgb") -> pyvips.Image:
    return pyvips.Image.new_from_array(np.ascontiguousarray(pixels)).copy(interpretation=interpretation)


def file_of(kind: str, picture: pyvips.Image | None = None) -> bytes:
    """The picture (or the pattern) saved as ``jpeg``, ``png``, ``webp``, ``gif``, ``tiff`` or ``avif``."""
    picture = image(codes()) if picture is None else picture
    save: dict[str, tuple[str, dict[str, Any]]] = {
        "jpeg": ("jpegsave_buffer", {"Q": 95}),
        "png": ("pngsave_buffer", {}),
        "webp": ("webpsave_buffer", {"lossless": True, "effort": 0}),
        "gif": ("gifsave_buffer", {}),
        "tiff": ("tiffsave_buffer", {"compression": "deflate"}),
        "avif": ("heifsave_buffer", {"compression": "av1", "effort": 0}),
    }
    method, options = save[kind]
    data: bytes = getattr(picture, method)(**options)
    return data


def frames(kind: str, count: int = 2) -> bytes:
    """An animation or a document with pages that differ."""
    film = image(np.concatenate([codes(80, 70, seed)[:, ::step] for seed, step in ((1, 1), (2, -1))][:count]))
    film.set_type(pyvips.GValue.gint_type, "page-height", 70)
    return file_of(kind, film)


def chunk(kind: bytes, body: bytes) -> bytes:
    """One PNG chunk."""
    return struct.pack(">I", len(body)) + kind + body + struct.pack(">I", zlib.crc32(kind + body))


def png_header(width: int, height: int, *, interlaced: bool = False) -> bytes:
    """A PNG that claims a size and has next to no pixels: what a bomb looks like from outside."""
    size = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, int(interlaced))
    pixels = b"\x78\x9c\x63\x00\x00\x00\x01\x00\x01"
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def with_profile(picture: pyvips.Image, profile: bytes) -> pyvips.Image:
    picture = picture.copy()
    picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    return picture


def jpeg_with_profile(picture: pyvips.Image, profile: bytes) -> bytes:
    """A JPEG with these very bytes as its profile; libvips itself would leave out what does not fit."""
    data = picture.jpegsave_buffer(Q=95, keep="none")
    body = b"ICC_PROFILE\0\x01\x01" + profile
    return bytes(data[:2] + b"\xff\xe2" + struct.pack(">H", len(body) + 2) + body + data[2:])


def to_xyz(primaries: tuple[tuple[float, float], ...]) -> Floats:
    """Linear RGB to XYZ under D65: the primaries' matrix scaled so that white is white."""
    columns = np.array([[x / y, 1.0, (1 - x - y) / y] for x, y in primaries]).T
    return np.asarray(columns * np.linalg.solve(columns, _D65), np.float64)


@cache
def rgb_profile(
    primaries: tuple[tuple[float, float], ...], gamma: float | None, name: str, *, version: int = 4
) -> bytes:
    """A display profile of three primaries and one curve (sRGB's where `gamma` is None); ICC.1:2022, 8.3.

    Version 2 has its name as plain text, version 4 as a localised string.
    """
    cone = np.diag((_BRADFORD @ _D50) / (_BRADFORD @ _D65))
    colorants = np.linalg.inv(_BRADFORD) @ cone @ _BRADFORD @ to_xyz(primaries)
    curve = (
        _srgb_curve(version) if gamma is None else b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    )
    tags = {
        b"desc": _name(name, version),
        b"wtpt": _xyz(_D50),
        **{tag: _xyz(colorants[:, i]) for i, tag in enumerate((b"rXYZ", b"gXYZ", b"bXYZ"))},
        **dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve),
    }
    return _profile(b"RGB ", tags, version)


@cache
def grey_profile(gamma: float) -> bytes:
    """A grey profile with one curve."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256))
    return _profile(b"GRAY", {b"desc": _name("Grey", 4), b"wtpt": _xyz(_D50), b"kTRC": curve}, 4)


def _profile(model: bytes, tags: dict[bytes, bytes], version: int) -> bytes:
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for tag, value in tags.items():
        table += tag + struct.pack(">II", start + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    header = struct.pack(">I4xI4s4s4s", start + len(body), version << 24, b"mntr", model, b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + bytes(28) + _xyz(_D50)[8:]
    return header.ljust(128, b"\0") + table + body


def _name(name: str, version: int) -> bytes:
    if version == 2:
        text = name.encode() + b"\0"
        return b"desc\0\0\0\0" + struct.pack(">I", len(text)) + text + bytes(78)
    text = name.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(text), 28) + text


def _srgb_curve(version: int) -> bytes:
    if version == 2:
        table = np.rint(srgb_to_linear(np.arange(1024) / 1023.0) * 65535).astype(">u2")
        return b"curv\0\0\0\0" + struct.pack(">I", table.size) + table.tobytes()
    return (
        b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + _fixed(2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)
    )


def _xyz(value: Floats) -> bytes:
    return b"XYZ \0\0\0\0" + _fixed(*value)


def _fixed(*values: float) -> bytes:
    """ICC's s15Fixed16Number."""
    return b"".join(struct.pack(">i", round(float(value) * 65536)) for value in values)

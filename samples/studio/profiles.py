"""The ICC profile for Display P3, written out by hand: a display profile of three primaries and one curve.

Figures are the D50-adapted primaries of Display P3 and the sRGB curve, in ICC.1:2022 (version 4) layout.
"""

import struct

PRIMARIES = {
    b"rXYZ": (0.51512, 0.24120, -0.00105),
    b"gXYZ": (0.29198, 0.69225, 0.04189),
    b"bXYZ": (0.15710, 0.06657, 0.78407),
}
WHITE = (0.96420, 1.0, 0.82491)
# Y = (aX + b)^g above d, cX below it.
SRGB_CURVE = (2.4, 1 / 1.055, 0.055 / 1.055, 1 / 12.92, 0.04045)


def _fixed(value: float) -> bytes:
    """ICC's s15Fixed16Number."""
    return struct.pack(">i", round(value * 65536))


def _xyz(value: tuple[float, float, float]) -> bytes:
    return b"XYZ \0\0\0\0" + b"".join(_fixed(v) for v in value)


def _text(value: str) -> bytes:
    """A one-language localised string."""
    encoded = value.encode("utf-16-be")
    return b"mluc\0\0\0\0" + struct.pack(">II2s2sII", 1, 12, b"en", b"US", len(encoded), 28) + encoded


def display_p3() -> bytes:
    """The whole profile file."""
    curve = b"para\0\0\0\0" + struct.pack(">HH", 3, 0) + b"".join(_fixed(v) for v in SRGB_CURVE)
    tags = {
        b"desc": _text("Display P3"),
        b"cprt": _text("Public domain"),
        b"wtpt": _xyz(WHITE),
        **{name: _xyz(value) for name, value in PRIMARIES.items()},
        b"rTRC": curve,
        b"gTRC": curve,
        b"bTRC": curve,
    }
    start = 128 + 4 + 12 * len(tags)
    table, body = struct.pack(">I", len(tags)), b""
    for name, value in tags.items():
        table += name + struct.pack(">II", start + len(body), len(value))
        body += value + b"\0" * (-len(value) % 4)
    size = start + len(body)
    header = struct.pack(">I4xI4s4s4s", size, 0x04400000, b"mntr", b"RGB ", b"XYZ ")
    header += struct.pack(">6H", 2026, 1, 1, 0, 0, 0) + b"acsp" + b"\0" * 24 + struct.pack(">I", 0)
    header += b"".join(_fixed(v) for v in WHITE)
    return header.ljust(128, b"\0") + table + body

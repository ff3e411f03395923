"""Embedded ICC profiles: their name, and whether they are sRGB in all but name.

Called by `colour.convert_to_srgb` and `decode_photo`.
"""

from functools import lru_cache

import numpy as np
import pyvips

_LATTICE = 9
"""Steps per channel of the test lattice; 729 colours show any other primaries or curve."""


def embedded_profile(image: pyvips.Image) -> bytes | None:
    """The ICC profile that came with the file, or None."""
    if "icc-profile-data" not in image.get_fields():
        return None
    profile: bytes = image.get("icc-profile-data")
    return profile


def profile_name(profile: bytes | None) -> str | None:
    """The profile's description ("Display P3"), or None where it has none that can be read.

    Reads the `desc` tag as in ICC.1:2001 (textDescriptionType) and ICC.1:2010
    (multiLocalizedUnicodeType).
    """
    if profile is None or len(profile) < 132:
        return None
    count = min(int.from_bytes(profile[128:132], "big"), 100)
    for entry in (profile[132 + 12 * i : 144 + 12 * i] for i in range(count)):
        if entry[:4] == b"desc" and len(entry) == 12:
            start, size = int.from_bytes(entry[4:8], "big"), int.from_bytes(entry[8:12], "big")
            return _description(profile[start : start + size])
    return None


def _description(tag: bytes) -> str | None:
    if tag[:4] == b"desc":
        length = int.from_bytes(tag[8:12], "big")
        text = tag[12 : 12 + length].decode("ascii", "replace")
    elif tag[:4] == b"mluc" and len(tag) >= 28:
        length, offset = int.from_bytes(tag[20:24], "big"), int.from_bytes(tag[24:28], "big")
        text = tag[offset : offset + length].decode("utf-16-be", "replace")
    else:
        return None
    return "".join(c for c in text if c.isprintable())[:120].strip() or None


@lru_cache(maxsize=32)
def equals_srgb(profile: bytes) -> bool:
    """Whether converting from `profile` to sRGB moves no 8-bit value by more than one.

    Most photos carry some vendor's sRGB; converting those would only add rounding.
    """
    levels = np.linspace(0, 255, _LATTICE).round().astype(np.uint8)
    lattice = np.stack(np.meshgrid(levels, levels, levels), axis=-1).reshape(1, -1, 3)
    image = pyvips.Image.new_from_array(lattice).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    try:
        # libvips passes over a profile that is damaged or not RGB and takes the one named here: with
        # other primaries, so that it cannot be mistaken for sRGB.
        converted = image.icc_transform(
            "srgb", embedded=True, input_profile="p3", intent="relative", black_point_compensation=True
        ).numpy()
    except pyvips.Error:
        return False
    return bool(np.abs(converted.astype(np.int16) - lattice).max() <= 1)

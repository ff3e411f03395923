"""Colour: any file's colours to sRGB once, and between sRGB codes and linear light.

`convert_to_srgb` is called by `decode_photo`; the rest by everything that resizes or composes.
"""

from typing import TypeAlias

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.errors import UnsupportedFormat
from opal.images.profile import embedded_profile, equals_srgb

Linear: TypeAlias = NDArray[np.float32]
"""(H, W, 3) linear light, sRGB primaries, 0..1."""

_SRGB_LIKE = {"srgb": "srgb", "rgb": "srgb", "b-w": "srgb", "rgb16": "rgb16", "grey16": "rgb16"}


def srgb_to_linear(value: NDArray[np.floating]) -> NDArray[np.float64]:
    """The sRGB transfer curve undone (IEC 61966-2-1), 0..1 to 0..1."""
    value = value.astype(np.float64)
    return np.where(value <= 0.04045, value / 12.92, ((value + 0.055) / 1.055) ** 2.4)


def linear_to_srgb(value: NDArray[np.floating]) -> NDArray[np.float64]:
    """The sRGB transfer curve (IEC 61966-2-1), 0..1 to 0..1."""
    value = np.clip(value.astype(np.float64), 0.0, 1.0)
    return np.where(value <= 0.0031308, value * 12.92, 1.055 * value ** (1 / 2.4) - 0.055)


LINEAR_OF_8_BIT: NDArray[np.float32] = srgb_to_linear(np.arange(256) / 255.0).astype(np.float32)
LINEAR_OF_16_BIT: NDArray[np.float32] = srgb_to_linear(np.arange(65536) / 65535.0).astype(np.float32)

# Codes (0..255, fractional) of 65536 linear steps. The curve's steepest place is its straight foot
# (12.92), where one step is 0.05 of a code, so the table never costs a visible rounding.
CODE_OF_LINEAR: NDArray[np.float32] = (linear_to_srgb(np.arange(65536) / 65535.0) * 255.0).astype(np.float32)
CODE8_OF_LINEAR: NDArray[np.uint8] = (CODE_OF_LINEAR + np.float32(0.5)).astype(np.uint8)


def to_linear(pixels: NDArray[np.uint8] | NDArray[np.uint16]) -> Linear:
    """sRGB codes (8 or 16 bit) of any shape to linear light, float32 0..1."""
    table = LINEAR_OF_16_BIT if pixels.dtype == np.uint16 else LINEAR_OF_8_BIT
    return table[pixels]


def to_codes(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear light of any shape to sRGB codes that are not rounded yet, 0..255; the rest is clipped."""
    return CODE_OF_LINEAR[_step(linear)]


def _step(linear: NDArray[np.float32]) -> NDArray[np.uint16]:
    """The nearest of the tables' 65536 steps."""
    index = np.clip(linear, 0.0, 1.0)
    index *= 65535.0
    index += 0.5
    return index.astype(np.uint16)


def to_srgb8(linear: NDArray[np.float32], *, dither_seed: int | None = None) -> NDArray[np.uint8]:
    """Linear light of any shape to 8-bit sRGB codes; out-of-range values are clipped.

    With `dither_seed` rounding is by triangular noise of one code (the same seed gives the same
    picture), which keeps smooth gradients free of bands.
    """
    if dither_seed is None:
        return CODE8_OF_LINEAR[_step(linear)]
    codes = to_codes(linear)
    random = np.random.default_rng(dither_seed)
    codes += random.random(codes.shape, dtype=np.float32)
    codes -= random.random(codes.shape, dtype=np.float32)
    codes += 0.5
    np.clip(codes, 0.0, 255.0, out=codes)
    return codes.astype(np.uint8)


def convert_to_srgb(image: pyvips.Image) -> pyvips.Image:
    """An image without alpha to 3-band sRGB, 8 or 16 bit as it came. Lazy: nothing is computed yet.

    Uses the embedded profile where there is a usable one, else libvips' own CMYK profile for CMYK
    and sRGB for the rest. Relative colorimetric with black point compensation, as photo editors
    do by default: colours inside sRGB stay what they were. Raises UnsupportedFormat for colour
    models that are not photographs' (more inks, index maps).
    """
    depth = 16 if image.format == "ushort" else 8
    profile = embedded_profile(image)
    if image.interpretation == "cmyk":
        return _by_profile(image, depth, "cmyk")
    if image.interpretation not in _SRGB_LIKE or image.format not in {"uchar", "ushort"}:
        return _from_other_space(image)
    if profile is not None and not (image.bands == 3 and equals_srgb(profile)):
        try:
            return _by_profile(image, depth) if depth == 8 else _deep_by_profile(image)
        except pyvips.Error:
            # A profile that does not fit the pixels says nothing about them.
            pass
    return image.colourspace("rgb16" if depth == 16 else "srgb")


_INTENT = {"embedded": True, "intent": "relative", "black_point_compensation": True}


def _by_profile(image: pyvips.Image, depth: int, fallback: str = "srgb") -> pyvips.Image:
    return image.icc_transform("srgb", input_profile=fallback, depth=depth, **_INTENT)


def _deep_by_profile(image: pyvips.Image) -> pyvips.Image:
    """By way of XYZ in floating point: the direct way samples a coarse lattice at 16 bit.

    Against matrix arithmetic it errs by up to 2.9 8-bit codes in dark channels of bright colours; this
    by 0.6.
    """
    return image.icc_import(pcs="xyz", **_INTENT).colourspace("rgb16")


def _from_other_space(image: pyvips.Image) -> pyvips.Image:
    """Lab, scRGB and floating-point pictures, kept at 16 bit."""
    if image.interpretation not in {"lab", "labs", "scrgb", "xyz"}:
        raise UnsupportedFormat(
            f"Its pixels ({image.interpretation}, {image.format}) are not a photograph's; "
            "save it as RGB with 8 or 16 bits per channel."
        )
    return image.colourspace("rgb16")

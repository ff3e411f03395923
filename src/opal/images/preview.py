"""Small pictures for pages: reports, and the console. Called by `opal process`, `opal check` and web-api."""

import pyvips

SIDE = 240
"""Longer side of a preview in pixels; shown at half of that, for dense screens."""


def preview_of_file(data: bytes, side: int = SIDE) -> bytes:
    """A finished picture's file as a small WebP, transparency kept; decoded no larger than it has to be.

    ``side`` is the longer side in pixels.

    Raises pyvips.Error for what is no picture.
    """
    return _webp(pyvips.Image.thumbnail_buffer(data, side, height=side, size="down"))


def preview(pixels: pyvips.Image, alpha: pyvips.Image | None = None) -> bytes:
    """Decoded sRGB pixels (8 or 16 bit), and their 8-bit alpha where there is one, as a small WebP."""
    eight = pixels if pixels.format == "uchar" else pixels.colourspace("srgb")
    whole = eight if alpha is None else eight.bandjoin(alpha)
    return _webp(whole.thumbnail_image(SIDE, height=SIDE, size="down"))


def small_webp(pixels: pyvips.Image, side: int) -> bytes:
    """Decoded 8-bit sRGB pixels as a WebP whose longer side is at most ``side``."""
    return _webp(pixels.thumbnail_image(side, height=side, size="down"))


def _webp(image: pyvips.Image) -> bytes:
    data: bytes = image.webpsave_buffer(Q=80, effort=2, keep="none")
    return data

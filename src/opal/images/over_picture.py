"""Lays straight-alpha codes over a colour or a picture in linear light, in bands, so that it takes no room.

Called by web-api's remove.bg routes, whose pictures may have 50 megapixels. All product keeps its codes.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.images.colour import LINEAR_OF_8_BIT, to_codes, to_srgb8
from opal.images.shadow import Transmittance

Codes = NDArray[np.uint8]
_BAND = 64


@dataclass(frozen=True, slots=True)
class Ground:
    """What lies behind: (H, W, 3) sRGB codes, or (1, 1, 3) for one colour, all of one opacity 0..1."""

    codes: Codes
    opacity: float = 1.0


def shade_under(product: Codes, shade: Transmittance) -> Codes:
    """The product, (H, W, 4) sRGB codes with straight alpha, with its shadow as black of partial alpha.

    As `over_nothing`: whoever lays it on a page mixes codes, so the shadow's alpha is that of codes.
    """
    result = np.empty_like(product)
    for top in range(0, product.shape[0], _BAND):
        rows = slice(top, top + _BAND)
        alpha = product[rows, :, 3].astype(np.float32) / np.float32(255.0)
        left = to_codes(shade[rows]) / np.float32(255.0)
        total = 1.0 - left * (1.0 - alpha)
        share = alpha / np.maximum(total, np.float32(1e-6))
        result[rows, :, :3] = np.rint(product[rows, :, :3] * share[..., None])
        result[rows, :, 3] = np.rint(total * np.float32(255.0))
    return result


def over_picture(product: Codes, ground: Ground, shade: Transmittance | None) -> Codes:
    """The product over `ground`, which `shade` (H, W) dims: (H, W, 3), or (H, W, 4) if it is not opaque."""
    height, width = product.shape[:2]
    opaque = ground.opacity >= 1.0
    result = np.empty((height, width, 3 if opaque else 4), np.uint8)
    for top in range(0, height, _BAND):
        rows = slice(top, min(height, top + _BAND))
        above = product[rows]
        below = ground.codes if ground.codes.shape[0] == 1 else ground.codes[rows]
        below = np.broadcast_to(below, (*above.shape[:2], 3))
        result[rows] = _band(above, below, ground.opacity, None if shade is None else shade[rows])
    return result


def _band(above: Codes, below: Codes, opacity: float, shade: Transmittance | None) -> Codes:
    alpha = above[..., 3]
    opaque = opacity >= 1.0
    result = np.empty((*alpha.shape, 3 if opaque else 4), np.uint8)
    result[..., :3] = np.where((alpha == 255)[..., None], above[..., :3], below)
    if not opaque:
        result[..., 3] = np.where(alpha == 255, 255, np.uint8(round(255.0 * opacity)))
    # Only where two things show at once there is something to compute.
    mixed = (alpha > 0) & (alpha < 255)
    if shade is not None:
        mixed |= (alpha < 255) & (shade < 1.0)
    if mixed.any():
        left = np.float32(1.0) if shade is None else shade[mixed][:, None]
        colours, total = _mix(above[mixed], below[mixed], np.float32(opacity), left)
        result[mixed, :3] = to_srgb8(colours)
        if not opaque:
            result[mixed, 3] = np.rint(total[:, 0] * np.float32(255.0))
    return result


def _mix(
    above: Codes, below: Codes, opacity: np.float32, left: NDArray[np.float32] | np.float32
) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    """Linear colours (N, 3) and alpha (N, 1) of product over shadow over ground."""
    alpha = above[:, 3:].astype(np.float32) / np.float32(255.0)
    # A black layer that lets `left` through, over the ground.
    under_alpha = np.float32(1.0) - left * (np.float32(1.0) - opacity)
    under = LINEAR_OF_8_BIT[below] * (opacity * left)
    total = alpha + under_alpha * (np.float32(1.0) - alpha)
    colours = LINEAR_OF_8_BIT[above[:, :3]] * alpha + under * (np.float32(1.0) - alpha)
    return (
        np.asarray(colours / np.maximum(total, np.float32(1e-6)), np.float32),
        np.asarray(np.broadcast_to(total, alpha.shape), np.float32),
    )

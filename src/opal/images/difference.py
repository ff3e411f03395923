"""Colour difference as the eye sees it: linear light to CIE L*a*b*, and CIEDE2000.

Called by `fidelity.py`.
"""

import math
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Channel: TypeAlias = NDArray[np.floating]
Lab: TypeAlias = NDArray[np.floating]
"""(..., 3): L* 0..100, a*, b*."""

# IEC 61966-2-1 primaries to XYZ, each row divided by the D65 white, so that white is (1, 1, 1).
_TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
_TO_XYZ /= _TO_XYZ.sum(axis=1, keepdims=True)

# CIE's cube root with its straight foot, in 65536 steps: wrong by 0.007 L* at worst, and ten times faster.
_STEPS = np.arange(65536) / 65535
_CURVE = np.where(_STEPS > 216 / 24389, np.cbrt(_STEPS), (24389 / 27 * _STEPS + 16) / 116).astype(np.float32)

_COS = {degrees: float(np.cos(np.radians(degrees))) for degrees in (6, 30, 63, 275)}
_SIN = {degrees: float(np.sin(np.radians(degrees))) for degrees in (6, 30, 63, 275)}


def linear_to_lab(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear sRGB 0..1 of shape (n, 3) to CIE 1976 L*a*b* under D65 (CIE 15:2018)."""
    steps = np.clip(linear @ _TO_XYZ.T.astype(np.float32), 0.0, 1.0)
    steps *= 65535.0
    steps += 0.5
    curve = _CURVE[steps.astype(np.uint16)]
    lab = np.empty_like(curve)
    lab[..., 0] = 116 * curve[..., 1] - 16
    lab[..., 1] = 500 * (curve[..., 0] - curve[..., 1])
    lab[..., 2] = 200 * (curve[..., 1] - curve[..., 2])
    return lab


def delta_e2000(one: Lab, other: Lab) -> Channel:
    """CIEDE2000 between arrays of L*a*b*, all three weights 1; the dtype of the input is kept.

    G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 Color-Difference Formula", Color Research and
    Application 30 (2005). Hue angles are kept as vectors (cosine and sine), which needs one arctangent
    instead of five and no case for angles across 360 degrees.
    """
    l1, a1, b1 = one[..., 0], one[..., 1], one[..., 2]
    l2, a2, b2 = other[..., 0], other[..., 1], other[..., 2]
    g = 1.0 + 0.5 * (1.0 - _chroma_weight(0.5 * (_length(a1, b1) + _length(a2, b2))))
    a1, a2 = a1 * g, a2 * g
    c1, c2 = _length(a1, b1), _length(a2, b2)
    mean_l, mean_c = 0.5 * (l1 + l2), 0.5 * (c1 + c2)
    hue_difference = _hue_difference(a1, b1, c1, a2, b2, c2)
    cos_h, sin_h = _mean_hue(a1, b1, c1, a2, b2, c2)

    cos_2h, sin_2h = 2 * cos_h * cos_h - 1, 2 * sin_h * cos_h
    cos_3h, sin_3h = cos_2h * cos_h - sin_2h * sin_h, sin_2h * cos_h + cos_2h * sin_h
    cos_4h, sin_4h = 2 * cos_2h * cos_2h - 1, 2 * sin_2h * cos_2h
    t = 1.0 - 0.17 * (cos_h * _COS[30] + sin_h * _SIN[30]) + 0.24 * cos_2h
    t += 0.32 * (cos_3h * _COS[6] - sin_3h * _SIN[6])
    t -= 0.20 * (cos_4h * _COS[63] + sin_4h * _SIN[63])

    off_mid = (mean_l - 50.0) ** 2
    lightness = (l2 - l1) / (1.0 + 0.015 * off_mid / np.sqrt(20.0 + off_mid))
    chroma = (c2 - c1) / (1.0 + 0.045 * mean_c)
    hue = hue_difference / (1.0 + 0.015 * mean_c * t)
    rotation = _blue_rotation(mean_c, cos_h * _COS[275] + sin_h * _SIN[275])
    square = lightness**2 + chroma**2 + hue**2 + rotation * chroma * hue
    return np.asarray(np.sqrt(np.maximum(square, 0.0)))


def _blue_rotation(mean_c: Channel, near_blue: Channel) -> Channel:
    """The rotation term R_T; `near_blue` is the cosine of the mean hue's distance to 275 degrees."""
    rotation = np.zeros_like(mean_c)
    # Further than 95 degrees away it is below 1e-6, and most products are not blue: save the arc cosine.
    blue = near_blue > -0.09
    distance = np.degrees(np.arccos(np.minimum(near_blue[blue], 1.0))) / 25.0
    turn = np.sin(math.radians(60.0) * np.exp(-distance * distance))
    rotation[blue] = -2.0 * _chroma_weight(mean_c[blue]) * turn
    return rotation


def _length(x: Channel, y: Channel) -> Channel:
    return np.asarray(np.sqrt(x * x + y * y))


def _chroma_weight(chroma: Channel) -> Channel:
    """sqrt(C^7 / (C^7 + 25^7))."""
    ratio = chroma / 25.0
    cube = ratio * ratio * ratio
    seventh = cube * cube * ratio
    return np.asarray(np.sqrt(seventh / (seventh + 1.0)))


def _hue_difference(*vectors: Channel) -> Channel:
    """2 sqrt(C1 C2) sin(dh / 2), signed, from cross and dot product; 0 where a colour has no hue."""
    a1, b1, c1, a2, b2, c2 = vectors
    cross = a1 * b2 - a2 * b1
    both = c1 * c2
    dot = a1 * a2 + b1 * b2
    # 2 (C1 C2 - dot) is exact for opposite hues, cross / sqrt(...) for near ones.
    wide = np.sqrt(np.maximum(2.0 * (both - dot), 0.0))
    near = np.abs(cross) / np.sqrt(np.maximum(0.5 * (both + dot), np.finfo(both.dtype).tiny))
    return np.asarray(np.copysign(np.where(dot > 0.0, near, wide), cross))


def _mean_hue(*vectors: Channel) -> tuple[Channel, Channel]:
    """Cosine and sine of the mean hue, on the shorter way round; the other's hue where one has none."""
    a1, b1, c1, a2, b2, c2 = vectors
    tiny = np.finfo(c1.dtype).tiny
    cos_1, sin_1 = a1 / np.maximum(c1, tiny), b1 / np.maximum(c1, tiny)
    x, y = cos_1 + a2 / np.maximum(c2, tiny), sin_1 + b2 / np.maximum(c2, tiny)
    length = _length(x, y)
    # Opposite hues have two means; the paper's arithmetic takes the one 90 degrees below the greater angle.
    opposite = length < 1e-6
    side = np.where((b1 < 0.0) | ((b1 == 0.0) & (a1 < 0.0)), 1.0, -1.0).astype(c1.dtype)
    length = np.maximum(length, tiny)
    return np.where(opposite, side * sin_1, x / length), np.where(opposite, -side * cos_1, y / length)

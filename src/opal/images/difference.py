"""Colour difference as the eye sees it: linear light to CIE L*a*b*, and CIEDE2000.

Called by `fidelity.py` and `alteration.py`.
"""

import math
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray

from opal.images.compiled import compiled

Channel: TypeAlias = NDArray[np.floating]
Lab: TypeAlias = NDArray[np.floating]
"""(..., 3): L* 0..100, a*, b*."""

# IEC 61966-2-1 primaries to XYZ, each row divided by the D65 white, so that white is (1, 1, 1).
TO_XYZ = np.array(
    [[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]]
)
TO_XYZ /= TO_XYZ.sum(axis=1, keepdims=True)
TO_XYZ = TO_XYZ.astype(np.float32)

# CIE's cube root with its straight foot, in 65536 steps: wrong by 0.007 L* at worst, and ten times faster.
_STEPS = np.arange(65536) / 65535
CURVE = np.where(_STEPS > 216 / 24389, np.cbrt(_STEPS), (24389 / 27 * _STEPS + 16) / 116).astype(np.float32)

# Plain numbers of single precision: doubles would make every vector half as long.
_F: Final = np.float32
_ZERO, _HALF, _ONE, _TWO = _F(0.0), _F(0.5), _F(1.0), _F(2.0)
_TINY: Final[Any] = _F(1e-30)
_NO_HUE: Final = _F(1e-12)
_COS_6, _COS_30, _COS_63, _COS_275 = (_F(math.cos(math.radians(at))) for at in (6, 30, 63, 275))
_SIN_6, _SIN_30, _SIN_63, _SIN_275 = (_F(math.sin(math.radians(at))) for at in (6, 30, 63, 275))

_TURNS: Final = 4096
# -sin(2 x 30 degrees x exp(-((h - 275) / 25)^2)) by the cosine of h - 275 degrees from -1 to 1, in which it
# is smooth: read with linear interpolation it errs by 1.5e-6.
_BLUE_TURN = -np.sin(
    math.radians(60.0)
    * np.exp(
        -((np.degrees(np.arccos(np.minimum(np.arange(_TURNS + 2) * 2.0 / _TURNS - 1.0, 1.0))) / 25.0) ** 2)
    )
).astype(np.float32)


def linear_to_lab(linear: NDArray[np.float32]) -> NDArray[np.float32]:
    """Linear sRGB 0..1 of shape (n, 3) to CIE 1976 L*a*b* under D65 (CIE 15:2018)."""
    planes = np.empty((3, len(linear)), np.float32)
    _fill_lab(linear, planes)
    return np.ascontiguousarray(planes.T)


def delta_e2000(one: Lab, other: Lab) -> Channel:
    """CIEDE2000 between (n, 3) arrays of L*a*b*, all three weights 1; the dtype of the input is kept.

    G. Sharma, W. Wu, E. N. Dalal, "The CIEDE2000 Color-Difference Formula", Color Research and
    Application 30 (2005). Hue angles are kept as vectors (cosine and sine), which needs no arctangent and
    no case for angles across 360 degrees.
    """
    result = np.empty(len(one), one.dtype)
    difference_of_planes(np.ascontiguousarray(one.T), np.ascontiguousarray(other.T), result)
    return result


@compiled
def _fill_lab(linear: NDArray[np.float32], planes: NDArray[np.float32]) -> None:
    for i in range(linear.shape[0]):
        planes[0, i], planes[1, i], planes[2, i] = lab_of(linear[i, 0], linear[i, 1], linear[i, 2])


@compiled
def lab_of(red: np.float32, green: np.float32, blue: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    """L*, a*, b* of one pixel of linear light, 0..1."""
    x = _root(TO_XYZ[0, 0] * red + TO_XYZ[0, 1] * green + TO_XYZ[0, 2] * blue)
    y = _root(TO_XYZ[1, 0] * red + TO_XYZ[1, 1] * green + TO_XYZ[1, 2] * blue)
    z = _root(TO_XYZ[2, 0] * red + TO_XYZ[2, 1] * green + TO_XYZ[2, 2] * blue)
    return _F(116.0) * y - _F(16.0), _F(500.0) * (x - y), _F(200.0) * (y - z)


@compiled
def _root(share: np.float32) -> np.float32:
    step: np.float32 = CURVE[int(min(max(share, _ZERO), _ONE) * _F(65535.0) + _HALF)]
    return step


@compiled
def difference_of_planes(one: NDArray[Any], other: NDArray[Any], result: NDArray[Any]) -> None:
    """`delta_e2000` between planes of L*, a* and b*, each (3, n or more), of the `result`'s n colours."""
    for i in range(result.size):
        l1, a1, b1 = one[0, i], one[1, i], one[2, i]
        l2, a2, b2 = other[0, i], other[1, i], other[2, i]
        mean = _HALF * (math.sqrt(a1 * a1 + b1 * b1) + math.sqrt(a2 * a2 + b2 * b2))
        g = _ONE + _HALF * (_ONE - _chroma_weight(mean))
        a1, a2 = a1 * g, a2 * g
        c1, c2 = math.sqrt(a1 * a1 + b1 * b1), math.sqrt(a2 * a2 + b2 * b2)
        mean_l, mean_c = _HALF * (l1 + l2), _HALF * (c1 + c2)

        # 2 sqrt(C1 C2) sin(dh / 2), signed, from cross and dot product; 0 where a colour has no hue.
        # 2 (C1 C2 - dot) is exact for opposite hues, cross / sqrt(...) for near ones.
        cross, both, dot = a1 * b2 - a2 * b1, c1 * c2, a1 * a2 + b1 * b2
        near = cross / math.sqrt(max(_HALF * (both + dot), _TINY))
        wide = math.sqrt(max(_TWO * (both - dot), _ZERO))
        wide = wide if cross >= _ZERO else -wide
        hue_difference = near if dot > _ZERO else wide

        # Cosine and sine of the mean hue, on the shorter way round; the other's hue where one has none.
        share_1, share_2 = _ONE / max(c1, _TINY), _ONE / max(c2, _TINY)
        x, y = a1 * share_1 + a2 * share_2, b1 * share_1 + b2 * share_2
        square = x * x + y * y
        length = _ONE / math.sqrt(max(square, _TINY))
        # Opposite hues have two means; the paper's arithmetic takes the one 90 degrees below the greater
        # angle.
        side = _ONE if b1 < _ZERO else -_ONE
        side = _ONE if b1 == _ZERO and a1 < _ZERO else side
        cos_h = side * b1 * share_1 if square < _NO_HUE else x * length
        sin_h = -side * a1 * share_1 if square < _NO_HUE else y * length

        cos_2h, sin_2h = _TWO * cos_h * cos_h - _ONE, _TWO * sin_h * cos_h
        cos_3h, sin_3h = cos_2h * cos_h - sin_2h * sin_h, sin_2h * cos_h + cos_2h * sin_h
        cos_4h, sin_4h = _TWO * cos_2h * cos_2h - _ONE, _TWO * sin_2h * cos_2h
        t = _ONE - _F(0.17) * (cos_h * _COS_30 + sin_h * _SIN_30) + _F(0.24) * cos_2h
        t += _F(0.32) * (cos_3h * _COS_6 - sin_3h * _SIN_6)
        t -= _F(0.20) * (cos_4h * _COS_63 + sin_4h * _SIN_63)

        off_mid = (mean_l - _F(50.0)) * (mean_l - _F(50.0))
        lightness = (l2 - l1) / (_ONE + _F(0.015) * off_mid / math.sqrt(_F(20.0) + off_mid))
        chroma = (c2 - c1) / (_ONE + _F(0.045) * mean_c)
        hue = hue_difference / (_ONE + _F(0.015) * mean_c * t)

        place = (cos_h * _COS_275 + sin_h * _SIN_275 + _ONE) * _F(_TURNS / 2)
        turn = min(max(np.int32(place), np.int32(0)), np.int32(_TURNS))
        blue = _BLUE_TURN[turn] + (place - turn) * (_BLUE_TURN[turn + 1] - _BLUE_TURN[turn])
        rotation = _TWO * _chroma_weight(mean_c) * blue
        total = lightness * lightness + chroma * chroma + hue * hue + rotation * chroma * hue
        result[i] = math.sqrt(max(total, _ZERO))


@compiled
def _chroma_weight(chroma: np.float32) -> np.float32:
    """sqrt(C^7 / (C^7 + 25^7))."""
    ratio = chroma * _F(1.0 / 25.0)
    cube = ratio * ratio * ratio
    seventh = cube * cube * ratio
    root: np.float32 = math.sqrt(seventh / (seventh + _ONE))  # type: ignore[assignment] # compiled, it is
    return root

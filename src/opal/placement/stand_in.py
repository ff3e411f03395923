"""A plain bottle of matt clay, drawn by arithmetic: what stands in a scene when no product is there yet.

Called by `thumbnail.py`. It is drawn in the scene's own light: a thumbnail shows where that comes from.
"""

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.cast import Light
from opal.images.colour import to_srgb8
from opal.images.matte import Matte
from opal.images.photo import Photo, SourceInfo
from opal.images.sniff import ImageFormat

_WIDTH, _HEIGHT = 500, 940
"""Pixels; about three times what a thumbnail needs, so that its edges come out smooth."""
_CLAY = np.array([0.70, 0.68, 0.65], np.float32)
"""Reflectance, linear: a light warm grey that is seen on white and on charcoal."""
_ELEVATION = math.radians(9.0)
"""The camera's angle above the floor: about that of the studio looks."""


@dataclass(frozen=True, slots=True)
class _Cylinder:
    """A rounded cylinder, in units of the bottle's height."""

    half_width: float
    height: float
    rounding: float
    base: float


_BODY = _Cylinder(0.235, 0.70, 0.075, 0.0)
_NECK = _Cylinder(0.085, 0.10, 0.01, 0.66)
_CAP = _Cylinder(0.118, 0.20, 0.022, 0.735)
_SHOULDER = 0.05
"""How softly body and neck run into each other."""

_STEPS = 64
_NEAR = np.float32(4e-4)
_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class StandIn:
    """The bottle as if it had been photographed and cut out."""

    photo: Photo
    matte: Matte


@lru_cache(maxsize=32)
def stand_in(light: Light) -> StandIn:
    """Draw the bottle as lit by `light`, the one that the scene's cast shadows follow."""
    points, normals, found = _shape()
    shown = np.zeros((_HEIGHT * _WIDTH, 3), np.float32)
    shown[found] = _lit(points, normals, light)
    # What is no bottle has the bottle's mean colour, so that a soft edge mixes nothing foreign in.
    shown[~found] = shown[found].mean(axis=0)
    codes = to_srgb8(shown.reshape(_HEIGHT, _WIDTH, 3))
    image = pyvips.Image.new_from_array(codes).copy(interpretation="srgb").copy_memory()
    source = SourceInfo(ImageFormat.PNG, codes.nbytes, _WIDTH, _HEIGHT, 1, None, 8, "")
    return StandIn(Photo(image, None, source), found.reshape(_HEIGHT, _WIDTH).astype(np.float32))


@lru_cache(maxsize=1)
def _shape() -> tuple[_Floats, _Floats, NDArray[np.bool_]]:
    """The same in every light: points and normals (n, 3) of what is bottle, and which pixels are (H * W)."""
    points, found = _trace()
    return points, _normals(points), found


def _trace() -> tuple[_Floats, NDArray[np.bool_]]:
    """Where each pixel's ray meets the bottle: points (n, 3) of those that do, and which do (H * W)."""
    size = 1.04 / _HEIGHT
    right = (np.arange(_WIDTH, dtype=np.float32) + 0.5 - _WIDTH / 2) * np.float32(size)
    up = (_HEIGHT / 2 - np.arange(_HEIGHT, dtype=np.float32) - 0.5) * np.float32(size)
    across, above = np.meshgrid(right, up)
    # Parallel rays from the front, somewhat downwards; x right, y up, z away from the camera.
    cosine, sine = np.float32(math.cos(_ELEVATION)), np.float32(math.sin(_ELEVATION))
    towards = np.array([0.0, -sine, cosine], np.float32)
    middle = np.array([0.0, 0.47, 0.0], np.float32)
    points = (
        middle
        + across.reshape(-1, 1) * np.array([1.0, 0.0, 0.0], np.float32)
        + above.reshape(-1, 1) * np.array([0.0, cosine, sine], np.float32)
        - towards
    )
    travelling = np.flatnonzero(np.abs(points[:, 0]) < 0.26)
    found = np.zeros(len(points), bool)
    for _ in range(_STEPS):
        distance = _distance(points[travelling])
        found[travelling[distance < _NEAR]] = True
        going = (distance >= _NEAR) & (points[travelling, 2] < 1.0)
        travelling = travelling[going]
        if not travelling.size:
            break
        points[travelling] += distance[going, None] * towards
    return points[found], found


def _distance(points: _Floats) -> _Floats:
    """Signed distance (n,) from points (n, 3) to it, by I. Quilez' rounded cylinder and smooth union."""
    radius = np.hypot(points[:, 0], points[:, 2])
    body, neck, cap = (_to_cylinder(radius, points[:, 1], part) for part in (_BODY, _NECK, _CAP))
    blend = np.maximum(_SHOULDER - np.abs(body - neck), 0.0) / _SHOULDER
    glass = np.minimum(body, neck) - 0.25 * _SHOULDER * blend * blend
    return np.asarray(np.minimum(glass, cap), np.float32)


def _to_cylinder(radius: _Floats, height: _Floats, part: _Cylinder) -> _Floats:
    across = radius - np.float32(part.half_width - part.rounding)
    along = np.abs(height - np.float32(part.base + 0.5 * part.height))
    along -= np.float32(0.5 * part.height - part.rounding)
    outside = np.hypot(np.maximum(across, 0.0), np.maximum(along, 0.0))
    inner = np.minimum(np.maximum(across, along), 0.0)
    return np.asarray(inner + outside - np.float32(part.rounding), np.float32)


def _normals(points: _Floats) -> _Floats:
    step = np.float32(2e-3)
    axes = np.eye(3, dtype=np.float32)
    slopes = [_distance(points + step * axis) - _distance(points - step * axis) for axis in axes]
    normals = np.stack(slopes, axis=1)
    return np.asarray(normals / np.maximum(np.linalg.norm(normals, axis=1, keepdims=True), 1e-6), np.float32)


def _lit(points: _Floats, normals: _Floats, light: Light) -> _Floats:
    """Linear colours (n, 3): a large softbox, the room, what the floor gives back, a rim, a little gloss."""
    key = _key(light)
    eye = np.array([0.0, math.sin(_ELEVATION), -math.cos(_ELEVATION)], np.float32)
    # A softbox reaches around edges.
    direct = np.clip((normals @ key + 0.30) / 1.30, 0.0, 1.0) ** 1.4
    up, height = normals[:, 1], points[:, 1]
    near_floor = np.clip(height / 0.09, 0.0, 1.0)
    room = (0.55 + 0.45 * up) * (0.65 + 0.35 * near_floor)
    bounce = np.clip(0.4 - 0.6 * up, 0.0, 1.0) * near_floor
    # A light behind it does little for the front and draws its outline.
    rim = 1.6 * max(0.0, float(key[2])) * (1.0 - np.clip(-(normals @ -eye), 0.0, 1.0)) ** 2.5 * near_floor
    inner = np.hypot(points[:, 0], points[:, 2]) < _CAP.half_width
    crease = 1.0 - 0.5 * inner * np.exp(-(((height - _CAP.base) / 0.012) ** 2))
    half = (key + eye) / np.linalg.norm(key + eye)
    gloss = 0.05 * np.clip(normals @ half, 0.0, 1.0) ** 20
    shade = (0.88 * direct + 0.24 * room + 0.10 * bounce + rim) * crease
    return np.asarray(_CLAY * shade[:, None] + gloss[:, None], np.float32)


def _key(light: Light) -> _Floats:
    """Unit vector (3,) towards the light: shadows fall away from it, the longer the lower it hangs.

    Tipped sideways by half as much again, as one that hangs right above leaves the front in the dark.
    """
    direction = math.radians(light.direction)
    key = np.array([-1.5 * math.sin(direction) * light.length, 0.55, -math.cos(direction) * light.length])
    return np.asarray(key / np.linalg.norm(key), np.float32)

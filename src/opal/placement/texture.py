"""Lays a surface over a set in perspective and out of focus, a band of rows at a time.

Called by `placement/sweep.py`.
"""

import math

import numpy as np
from numpy.typing import NDArray

from opal.placement.camera import View, hit_rows
from opal.placement.looks import Look
from opal.placement.surface import Painter, RowView, surface_colour, surface_painter

Field = NDArray[np.float32]


class Texture:
    """What the set is made of, laid over its light at full size, in perspective and out of focus."""

    def __init__(self, look: Look, view: View, random: np.random.Generator) -> None:
        self._painter: Painter | None = None
        if look.surface is None:
            return
        self._name = look.surface
        rows = np.arange(view.height, dtype=np.float32) + np.float32(0.5)
        hit = hit_rows(look, rows, view)
        arc = look.floor_depth + 0.5 * math.pi * look.bend_radius * hit.turn
        v = np.where(hit.turn <= 0.0, hit.z, arc + np.maximum(hit.y - look.bend_radius, 0.0))
        pixel = hit.travel * hit.unit
        blur = look.aperture * np.abs(hit.travel - look.distance) / look.distance
        length = np.abs(np.gradient(v)) if view.height > 1 else pixel
        self._rows = RowView(*(np.asarray(each, np.float32) for each in (v, pixel, length, blur)))
        # On the wall the surface fades out unless the wall is of the same stuff.
        self._share = np.asarray(1.0 if look.wall is None else 1.0 - np.clip(hit.turn * 4.0, 0.0, 1.0))
        self._share = np.broadcast_to(self._share, rows.shape).astype(np.float32)
        finest = float(np.interp(view.ground_row, rows, pixel))
        used = pixel[self._share > 0.0]
        half = 0.5 * (view.width + 2) * (float(used.max()) if used.size else finest)
        self._u = (np.arange(-half, half + 2 * finest, finest)).astype(np.float32)
        self._offsets = (np.arange(view.width) + 0.5 - view.width / 2).astype(np.float32)
        self._painter = surface_painter(look.surface, self._u, random)

    def apply(self, light: Field, top: int, bottom: int) -> None:
        """Multiply rows `top` to `bottom` of the light, (rows, width, 3), in place."""
        if self._painter is None or not self._share[top:bottom].any():
            return
        painted = self._painter(self._rows.part(top, bottom))
        step = self._u[1] - self._u[0]
        albedo = np.empty(light.shape[:2], np.float32)
        for line, factor in enumerate(painted):
            place = self._offsets * (self._rows.pixel[top + line] / step) - self._u[0] / step
            np.clip(place, 0.0, len(self._u) - 1.01, out=place)
            first = place.astype(np.int32)
            left = factor[first]
            albedo[line] = left + (place - first) * (factor[first + 1] - left)
        share = self._share[top:bottom, None]
        light *= surface_colour(self._name, 1.0 + share * (albedo - 1.0))

"""A round stand under the product, drawn over its set: a lit top, a shaded side, a soft shadow on the floor.

Called by `placement/sweep.py`. The stand is sharp, so its edges are exact curves with their share of each
pixel, while its light is as smooth as the set's.
"""

import math

import numpy as np
from numpy.typing import NDArray

from opal.placement.camera import Standing, View
from opal.placement.lighting import SetLight, roll_off
from opal.placement.looks import Podium

Field = NDArray[np.float32]

_BEHIND = 0.30
"""How far the middle of the stand lies behind the product's foot, as a share of the product's width."""
_BOUNCED = 1.35
"""Power of the stand's colour that light shows after bouncing about the set."""
_LINES = 65
"""Places along each axis at which the light on the stand is computed."""


class Stand:
    """One podium as it stands under one product on one canvas."""

    def __init__(
        self, podium: Podium, colour: Field, lights: SetLight, view: View, product: Standing
    ) -> None:
        """`colour` is its linear RGB, `product` what stands on it."""
        self._scale = min(view.width, view.height) / lights.look.view
        self._tilt = math.sin(math.radians(lights.look.elevation))
        self._view, self._podium = view, podium
        self._radius = podium.overhang * product.width
        self._centre = product.centre
        self._middle = view.ground_row - _BEHIND * product.width * self._tilt
        self._flat = self._radius * self._tilt
        self._drop = podium.drop * self._scale * math.cos(math.radians(lights.look.elevation))
        # Seen from further above, the lower rim is a little rounder than the upper.
        self._round = 1.12 * self._flat
        columns = (np.arange(view.width) + 0.5 - self._centre) / self._radius
        self._across = columns.astype(np.float32)
        self._arc = np.sqrt(np.maximum(1.0 - self._across**2, 0.0))
        self._within = np.clip(self._radius * (1.0 - np.abs(self._across)) + 0.5, 0.0, 1.0)
        self._top_rows, self._top_light = self._light_on_top(lights, colour)
        # Most of the side's light has met the paper before, and has taken on its colour.
        self._side_light = self._light_on_side(lights, colour**_BOUNCED)
        self.top = np.zeros((view.height, view.width), np.float32)
        """Share of each pixel that is the stand's top: only there the product's shadow falls."""

    def apply(self, pixels: Field, start: int, stop: int) -> None:
        """Draw the stand's part in rows `start` to `stop` over the set's pixels there, in place."""
        y = (np.arange(start, stop) + 0.5 - self._middle).astype(np.float32)[:, None]
        if float(y[-1, 0]) < -self._flat - 1.0:
            return
        pixels *= self._floor_shade(y)[..., None]
        arc = self._arc[None, :]
        back = np.clip(y + self._flat * arc + 0.5, 0.0, 1.0) * self._within
        foot = np.clip(self._drop + self._round * arc - y + 0.5, 0.0, 1.0)
        front = np.clip(self._flat * arc - y + 0.5, 0.0, 1.0)
        self.top[start:stop] = back * front
        # The rim is a little rounded: it catches the light where the top turns into the side.
        rim = (y - self._flat * arc) / (0.006 * self._radius + 0.8)
        catch = 1.0 + 0.07 * np.exp(-(rim**2)) * (y > 0.0)
        side = self._side_light[None, :, :] * self._side_fade(y)[..., None]
        stand = (side + front[..., None] * (self._top(start, stop) - side)) * catch[..., None]
        pixels += (back * foot)[..., None] * (stand.astype(np.float32) - pixels)

    def _side_fade(self, y: Field) -> Field:
        """The side darkens towards the floor, which sends less light back than the sky gives."""
        down = np.clip((y - self._flat * self._arc) / self._drop, 0.0, 1.0)
        return np.asarray(1.0 - 0.22 * down, np.float32)

    def _floor_shade(self, y: Field) -> Field:
        """Light left on the floor around the stand's foot."""
        away = np.hypot(self._across[None, :], (y - self._drop) / self._round) - 1.0
        return np.asarray(1.0 - 0.40 * np.exp(-((np.maximum(away, 0.0) / 0.22) ** 2) / 2.0), np.float32)

    def _top(self, start: int, stop: int) -> Field:
        place = (np.arange(start, stop) + 0.5 - self._top_rows[0]) / (self._top_rows[1] - self._top_rows[0])
        place = np.clip(place, 0.0, _LINES - 1.001)
        first = place.astype(np.intp)
        part = (place - first).astype(np.float32)[:, None, None]
        light = self._top_light[first] * (1.0 - part) + self._top_light[first + 1] * part
        return np.asarray(light, np.float32)

    def _light_on_top(self, lights: SetLight, colour: Field) -> tuple[Field, Field]:
        rows = np.linspace(self._middle - self._flat, self._middle + self._flat, _LINES)
        x, columns = self._places()
        shape = (_LINES, columns.size)
        z = (self._view.ground_row - rows) / (self._scale * self._tilt)
        point = np.stack(
            [
                np.broadcast_to(x[None, :], shape),
                np.full(shape, self._podium.drop),
                np.broadcast_to(z[:, None], shape),
            ]
        )
        normal = np.broadcast_to(np.array([0.0, 1.0, 0.0]).reshape(3, 1, 1), (3, *shape))
        light = roll_off(lights.on(point.astype(np.float32), normal.astype(np.float32)) * colour)
        return rows.astype(np.float32), self._to_columns(light, columns)

    def _light_on_side(self, lights: SetLight, colour: Field) -> Field:
        x, columns = self._places()
        s = np.clip((columns - self._centre) / self._radius, -1.0, 1.0)
        forward = np.sqrt(1.0 - s * s)
        z = -self._radius / self._scale * forward
        point = np.stack([x, np.full(x.shape, self._podium.drop - 0.1), z])[:, None, :]
        normal = np.stack([s, np.zeros(x.shape), -forward])[:, None, :]
        light = roll_off(lights.on(point.astype(np.float32), normal.astype(np.float32)) * colour)
        return np.asarray(self._to_columns(light, columns)[0], np.float32)

    def _places(self) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Columns at which light is computed: as places on the set, and as canvas columns.

        Closer together towards the sides, where the round side turns away fastest.
        """
        columns = self._centre - self._radius * np.cos(np.linspace(0.0, math.pi, 2 * _LINES))
        return (columns - self._view.width / 2) / self._scale, columns

    def _to_columns(self, light: Field, columns: NDArray[np.float64]) -> Field:
        """Light (rows, places, 3) to every column of the canvas: (rows, width, 3)."""
        wanted = np.clip(np.arange(self._view.width) + 0.5, columns[0], columns[-1])
        first = np.clip(np.searchsorted(columns, wanted) - 1, 0, columns.size - 2)
        part = (wanted - columns[first]) / (columns[first + 1] - columns[first])
        part = part.astype(np.float32)[None, :, None]
        wide = light[:, first] * (1.0 - part) + light[:, first + 1] * part
        return np.asarray(wide, np.float32)

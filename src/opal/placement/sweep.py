"""Renders a studio sweep (floor bending into a wall, lit by a softbox) as linear-light pixels.

Called by `placement/studio.py`. A small ray caster on purpose: the falloff, the soft horizon and the
glow come out of the set's geometry, which is why it does not look like a gradient. Light varies
slowly, so it is computed on a coarse grid and enlarged; surfaces and grain are added at full size.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.placement.camera import Standing, View, hit_set
from opal.placement.lighting import SetLight, corner, roll_off, vignette
from opal.placement.looks import Look
from opal.placement.podium import Stand
from opal.placement.texture import Texture

Field = NDArray[np.float32]

GRID_POINTS = 125
"""Computed points along the shorter canvas side; the sharpest feature, the bend, spans over ten."""
_BAND = 64
"""Rows enlarged at a time, so that the intermediate arrays stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Paint:
    """Linear RGB of a set's parts, (3,) each."""

    paper: Field
    wall: Field
    podium: Field


def render_sweep(
    look: Look, paint: Paint, view: View, product: Standing, *, seed: int
) -> tuple[Field, Field | None]:
    """Paint the set as a (height, width, 3) float32 array, linear light, 0..1.

    The view's ground row is where the product touches the floor, so that the horizon follows the product in
    every aspect. Beside the picture: what of it catches the product's shadow, None for all. The same
    arguments give the same pixels.
    """
    width, height = view.width, view.height
    random = np.random.Generator(np.random.SFC64(seed))
    lights = SetLight.place(look, random, view.drop)
    step = min(width, height) / GRID_POINTS
    columns, rows = _grid(width, step), _grid(height, step)
    point, normal = hit_set(look, columns, rows, view)
    light = lights.on(point, normal)
    light *= vignette(look, columns, rows, width, height)[..., None]
    light *= corner(look, point)[..., None]
    coarse = roll_off(light * _colour(paint, normal))
    texture = Texture(look, view, np.random.Generator(np.random.SFC64([seed, 1])))
    stand = Stand(look.podium, paint.podium, lights, view, product) if look.podium else None
    pixels = np.empty((height, width, 3), np.float32)
    wide = _enlarge(coarse.transpose(1, 0, 2).reshape(columns.size, -1), columns, 0, width)
    wide = wide.reshape(width, rows.size, 3).transpose(1, 0, 2).reshape(rows.size, -1)
    for top in range(0, height, _BAND):
        bottom = min(top + _BAND, height)
        part = _enlarge(wide, rows, top, bottom).reshape(-1, width, 3)
        grain = random.standard_normal(part.shape[:2], dtype=np.float32)
        grain *= np.float32(look.grain)
        grain += np.float32(1.0)
        texture.apply(part, top, bottom)
        if stand is not None:
            stand.apply(part, top, bottom)
        np.multiply(part, grain[..., None], out=pixels[top:bottom])
    np.clip(pixels, 0.0, 1.0, out=pixels)
    return pixels, None if stand is None else stand.top


def _grid(side: int, step: float) -> Field:
    """Positions of the coarse grid on the canvas, beyond both ends so that enlarging needs no edge rule."""
    return ((np.arange(math.ceil(side / step) + 4) - 1.5) * step).astype(np.float32)


def _colour(paint: Paint, normal: Field) -> Field:
    """Paper where the set lies, wall where it stands: (h, w, 3)."""
    standing = np.clip(-normal[2], 0.0, 1.0)[..., None]
    return np.asarray(paint.paper + standing * (paint.wall - paint.paper), np.float32)


def _enlarge(coarse: Field, grid: Field, start: int, stop: int) -> Field:
    """Lines `start` to `stop` of the canvas from lines of the coarse grid at positions `grid`.

    Cubic B-spline: smooth to the eye. It blurs by about one grid step, which the light is too even to show.
    """
    step = float(grid[1] - grid[0])
    position = (np.arange(start, stop) + 0.5 - float(grid[0])) / step
    first = np.floor(position).astype(np.intp) - 1
    result = np.zeros((stop - start, coarse.shape[1]), np.float32)
    for tap in range(4):
        distance = np.abs(position - (first + tap))
        near = 2.0 / 3.0 - distance**2 + distance**3 / 2.0
        far = np.maximum(2.0 - distance, 0.0) ** 3 / 6.0
        weight = np.where(distance < 1.0, near, far).astype(np.float32)
        result += coarse[first + tap] * weight[:, None]
    return result

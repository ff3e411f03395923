"""Renders a studio sweep (floor bending into a wall, lit by a softbox) as linear-light pixels.

Called by `placement/studio.py`. A small ray caster on purpose: the falloff, the soft horizon and the
glow come out of the set's geometry, which is why it does not look like a gradient. Light varies
slowly, so it is computed on a coarse grid and enlarged; grain is added at full size.
"""

import math

import numpy as np
from numpy.typing import NDArray

from opal.placement.looks import Look

Field = NDArray[np.float32]

GRID_POINTS = 125
"""Computed points along the shorter canvas side; the sharpest feature, the bend, spans over ten."""
_BAND = 64
"""Rows enlarged at a time, so that the intermediate arrays stay in the processor's cache."""
LIGHT_SAMPLES = 6
"""The softbox is summed over this many points squared."""
SHOULDER = 0.85
"""Light above this share of white rolls off softly instead of clipping."""


def render_sweep(look: Look, paper: Field, width: int, height: int, *, ground_row: float, seed: int) -> Field:
    """Paint the sweep as a (height, width, 3) float32 array, linear light, 0..1.

    `paper` is the look's linear RGB; `ground_row` the canvas row where the product touches the floor,
    so that the horizon follows the product in every aspect. The same arguments give the same pixels.
    """
    random = np.random.Generator(np.random.SFC64(seed))
    jitter = random.uniform(-0.15, 0.15, 3)
    key = (look.key[0] + jitter[0], look.key[1] + 0.5 * jitter[1], look.key[2] + 0.5 * jitter[2])
    step = min(width, height) / GRID_POINTS
    columns, rows = _grid(width, step), _grid(height, step)
    point, normal = _hit_set(look, columns, rows, width=width, height=height, ground_row=ground_row)
    front = np.array([0.0, 0.0, -0.15], np.float32).reshape(3, 1, 1)
    up = np.array([1.0, 0.0], np.float32).reshape(2, 1, 1)
    reference = float(_softbox(front, up, key, look.key_size)[0, 0])
    direct = _softbox(point, normal, key, look.key_size) / reference
    glow = look.wall_glow * _wall_spot(look, point)
    # A surface sees the more of the bright room the more it faces up; the bend sees the rest of the set.
    room = look.fill_light * (0.55 + 0.45 * normal[0])
    tint = np.array(look.key_tint, np.float32)
    scale = look.exposure / (1.0 + look.fill_light)
    light = scale * (tint * (direct + glow)[..., None] + room[..., None])
    light *= _vignette(look, columns, rows, width, height)[..., None]
    coarse = _roll_off(light * paper)
    pixels = np.empty((height, width, 3), np.float32)
    wide = _enlarge(coarse.transpose(1, 0, 2).reshape(columns.size, -1), columns, 0, width)
    wide = wide.reshape(width, rows.size, 3).transpose(1, 0, 2).reshape(rows.size, -1)
    for top in range(0, height, _BAND):
        bottom = min(top + _BAND, height)
        part = _enlarge(wide, rows, top, bottom).reshape(-1, width, 3)
        grain = random.standard_normal(part.shape[:2], dtype=np.float32)
        grain *= np.float32(look.grain)
        grain += np.float32(1.0)
        np.multiply(part, grain[..., None], out=pixels[top:bottom])
    return np.clip(pixels, 0.0, 1.0, out=pixels)


def _grid(side: int, step: float) -> Field:
    """Positions of the coarse grid on the canvas, beyond both ends so that enlarging needs no edge rule."""
    return ((np.arange(math.ceil(side / step) + 4) - 1.5) * step).astype(np.float32)


def _hit_set(
    look: Look, columns: Field, rows: Field, *, width: int, height: int, ground_row: float
) -> tuple[Field, Field]:
    """Where each pixel's ray meets the set: points (3, h, w) and normals in y and z (2, h, w).

    The camera looks at the product's foot; moving that point on the canvas is a shift lens, so
    verticals stay vertical.
    """
    angle = math.radians(look.elevation)
    camera = np.array([0.0, math.sin(angle), -math.cos(angle)], np.float32) * np.float32(look.distance)
    unit = look.view / min(width, height) / look.distance
    across = ((columns - width / 2) * unit)[None, :]
    down = ((rows - ground_row) * unit)[:, None]
    step_y = -math.sin(angle) - down * math.cos(angle)
    step_z = math.cos(angle) - down * math.sin(angle)
    depth, radius = look.floor_depth, look.bend_radius

    with np.errstate(divide="ignore", invalid="ignore"):
        to_floor = np.where(step_y < 0, -camera[1] / step_y, np.inf)
        to_wall = (depth + radius - camera[2]) / step_z
        # The bend: a quarter circle around (y, z) = (radius, depth), hit from inside.
        offset_y, offset_z = camera[1] - radius, camera[2] - depth
        square = step_y**2 + step_z**2
        half = offset_y * step_y + offset_z * step_z
        under = half**2 - square * (offset_y**2 + offset_z**2 - radius**2)
        to_bend = (-half + np.sqrt(np.maximum(under, 0.0))) / square
    on_floor = camera[2] + to_floor * step_z <= depth
    on_wall = camera[1] + to_wall * step_y >= radius
    travel = np.where(on_floor, to_floor, np.where(on_wall, to_wall, to_bend))
    y, z = camera[1] + travel * step_y, camera[2] + travel * step_z
    # Paper eases into its bend: a true circle would show a line where floor and bend meet.
    bend = np.clip((depth - z) / -radius, 0.0, 1.0)
    turn = np.where(on_floor, 0.0, np.where(on_wall, 1.0, 2.0 / math.pi * np.arcsin(bend)))
    turn = 0.5 * math.pi * turn * turn * (3.0 - 2.0 * turn)
    normal_y, normal_z = np.cos(turn), -np.sin(turn)

    shape = (rows.size, columns.size)
    point = np.stack([travel * across, np.broadcast_to(y, shape), np.broadcast_to(z, shape)])
    normal = np.stack([np.broadcast_to(normal_y, shape), np.broadcast_to(normal_z, shape)])
    return point.astype(np.float32), normal.astype(np.float32)


def _softbox(point: Field, normal: Field, key: tuple[float, float, float], size: float) -> Field:
    """Light from a square softbox that faces the product: Lambert's law summed over its area."""
    centre = np.array(key)
    facing = -centre / np.linalg.norm(centre)
    right = np.cross(facing, [0.0, 1.0, 0.0])
    right /= np.linalg.norm(right)
    upward = np.cross(right, facing)
    total = np.zeros(point.shape[1:])
    offsets = (np.arange(LIGHT_SAMPLES) + 0.5) / LIGHT_SAMPLES - 0.5
    for a in offsets:
        for b in offsets:
            x, y, z = (float(v) for v in centre + size * (a * right + b * upward))
            dx, dy, dz = x - point[0], y - point[1], z - point[2]
            square = dx * dx + dy * dy + dz * dz
            received = np.maximum(normal[0] * dy + normal[1] * dz, 0.0)
            leaving = -(facing[0] * dx + facing[1] * dy + facing[2] * dz)
            total += received * np.maximum(leaving, 0.0) / (square * square)
    return total.astype(np.float32)


def _wall_spot(look: Look, point: Field) -> Field:
    """A round, very soft pool of light on the wall behind the product, 1 at its centre."""
    rise = (point[1] - 1.1) / 1.6
    across = point[0] / 1.9
    behind = np.clip((point[2] - look.floor_depth) / look.bend_radius, 0.0, 1.0)
    return np.asarray(np.exp(-(rise * rise + across * across)) * behind * behind, np.float32)


def _vignette(look: Look, columns: Field, rows: Field, width: int, height: int) -> Field:
    """The lens's loss of light towards the corners, 1 at the centre."""
    corner = (width**2 + height**2) / 4
    x = (columns - width / 2) ** 2
    y = (rows - height / 2) ** 2
    share = (x[None, :] + y[:, None]) / corner
    return np.asarray(1.0 - look.vignette * share, np.float32)


def _roll_off(light: Field) -> Field:
    """Bend values above the shoulder towards 1, as film does; below it nothing changes."""
    room = 1.0 - SHOULDER
    over = np.maximum(light - SHOULDER, 0.0)
    return np.asarray(np.minimum(light, SHOULDER) + room * (1.0 - np.exp(-over / room)), np.float32)


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

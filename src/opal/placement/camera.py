"""The camera of a studio set: where on the set each pixel looks.

Called by `sweep.py`, `texture.py` and `podium.py`. Plain geometry, no light.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.placement.looks import Look

Field = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class View:
    """The camera on a set: canvas size, row of the product's foot, height of that above the set's floor."""

    width: int
    height: int
    ground_row: float
    drop: float = 0.0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where the product stands: middle column and width on the canvas."""

    centre: float
    width: float


@dataclass(frozen=True, slots=True)
class Rows:
    """Where the ray of each row meets the set: the camera does not roll, so columns share it."""

    travel: Field
    """Length of the ray, in units of its step."""
    unit: float
    """Sideways step of one pixel."""
    y: Field
    z: Field
    turn: Field
    """0 on the floor .. 1 on the wall."""


def hit_rows(look: Look, rows: Field, view: View) -> Rows:
    """Meet the set along each row.

    The camera looks at the product's foot; moving that point on the canvas is a shift lens, so
    verticals stay vertical.
    """
    angle = math.radians(look.elevation)
    camera_y = np.float32(math.sin(angle)) * np.float32(look.distance) + np.float32(view.drop)
    camera_z = np.float32(-math.cos(angle)) * np.float32(look.distance)
    unit = look.view / min(view.width, view.height) / look.distance
    down = (rows - view.ground_row) * unit
    step_y = -math.sin(angle) - down * math.cos(angle)
    step_z = math.cos(angle) - down * math.sin(angle)
    depth, radius = look.floor_depth, look.bend_radius

    with np.errstate(divide="ignore", invalid="ignore"):
        to_floor = np.where(step_y < 0, -camera_y / step_y, np.inf)
        to_wall = (depth + radius - camera_z) / step_z
        # The bend: a quarter circle around (y, z) = (radius, depth), hit from inside.
        offset_y, offset_z = camera_y - radius, camera_z - depth
        square = step_y**2 + step_z**2
        half = offset_y * step_y + offset_z * step_z
        under = half**2 - square * (offset_y**2 + offset_z**2 - radius**2)
        to_bend = (-half + np.sqrt(np.maximum(under, 0.0))) / square
    on_floor = camera_z + to_floor * step_z <= depth
    on_wall = camera_y + to_wall * step_y >= radius
    travel = np.where(on_floor, to_floor, np.where(on_wall, to_wall, to_bend))
    y, z = camera_y + travel * step_y, camera_z + travel * step_z
    bend = np.clip((z - depth) / radius, 0.0, 1.0)
    turn = np.where(on_floor, 0.0, np.where(on_wall, 1.0, 2.0 / math.pi * np.arcsin(bend)))
    return Rows(travel, unit, y, z, turn)


def hit_set(look: Look, columns: Field, rows: Field, view: View) -> tuple[Field, Field]:
    """Where each pixel's ray meets the set: points (3, h, w) and normals (3, h, w)."""
    hit = hit_rows(look, rows, view)
    across = (columns - view.width / 2) * hit.unit
    # Paper eases into its bend: a true circle would show a line where floor and bend meet.
    turn = 0.5 * math.pi * hit.turn * hit.turn * (3.0 - 2.0 * hit.turn)
    shape = (rows.size, columns.size)
    lines = (hit.y, hit.z, np.zeros_like(turn), np.cos(turn), -np.sin(turn))
    y, z, *normal = (np.broadcast_to(line[:, None], shape) for line in lines)
    point = np.stack([hit.travel[:, None] * across[None, :], y, z])
    return point.astype(np.float32), np.stack(normal).astype(np.float32)

"""The light around a product: a painted room seen from its middle, and soft boxes.

A bare white sky makes any render look like one; what gives shiny things away is what they mirror. So the
environment is a whole room with windows, a dark side and a ceiling lamp, worked out per direction.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import mitsuba as mi
import numpy as np

from studio.model import Array, Material
from studio.noise import field


@dataclass(frozen=True)
class Window:
    """A window: wall name, centre along the wall and height in cm from the middle, size, radiance."""

    wall: str
    centre: tuple[float, float]
    size: tuple[float, float]
    light: float
    tint: tuple[float, float, float] = (0.86, 0.95, 1.1)
    panes: tuple[int, int] = (2, 2)
    frame: float = 4.0


@dataclass(frozen=True)
class Room:
    """A room of half sizes (x, y, z) in cm around the product; wall, floor and ceiling as radiance."""

    half: tuple[float, float, float] = (220.0, 130.0, 260.0)
    walls: tuple[float, float, float] = (0.42, 0.4, 0.37)
    floor: tuple[float, float, float] = (0.16, 0.12, 0.09)
    ceiling: tuple[float, float, float] = (0.6, 0.59, 0.57)
    windows: Sequence[Window] = ()
    clutter: float = 0.6
    seed: int = 1


def directions(height: int) -> Array:
    """The direction of each pixel of a (height, 2 height) panorama, in the renderer's convention."""
    theta = (np.arange(height) + 0.5) / height * np.pi
    phi = (np.arange(2 * height) + 0.5) / height * np.pi
    theta, phi = np.meshgrid(theta, phi, indexing="ij")
    return np.stack([np.sin(phi) * np.sin(theta), np.cos(theta), -np.cos(phi) * np.sin(theta)], axis=-1)


def room(spec: Room, height: int = 512) -> Array:
    """The room as a (height, 2 height, 3) panorama of linear radiance."""
    d = directions(height)
    half = np.array(spec.half)
    reach = half / np.maximum(np.abs(d), 1e-9)
    axis = reach.argmin(axis=-1)
    hit = d * reach.min(axis=-1)[..., None]
    x, y, z = hit[..., 0], hit[..., 1], hit[..., 2]
    out = np.empty(d.shape)
    # Walls darken towards the floor and the corners, as bounced light does.
    fade = 0.75 + 0.25 * y / half[1]
    corner = 1 - 0.35 * (np.abs(x / half[0]) * np.abs(z / half[2])) ** 3
    out[:] = np.array(spec.walls) * (fade * corner)[..., None]
    out[(axis == 1) & (y > 0)] = spec.ceiling
    out[(axis == 1) & (y < 0)] = spec.floor
    out *= _clutter(spec, axis, x, y, z)[..., None]
    for window in spec.windows:
        _paint(out, spec, window, axis, (x, y, z))
    return np.asarray(out.astype(np.float32), dtype=np.float64)


def _along(wall: str, x: Array, z: Array) -> tuple[int, Array, Array]:
    """Axis number, which side counts (its sign test as a mask source) and the coordinate along a wall."""
    return {"left": (0, -x, z), "right": (0, x, z), "back": (2, -z, x), "front": (2, z, x)}[wall]


def _clutter(spec: Room, axis: Array, x: Array, y: Array, z: Array) -> Array:
    """A factor that puts shelves, doors and furniture as darker and lighter blocks on the walls."""
    rng = np.random.default_rng(spec.seed)
    factor = np.ones(x.shape)
    for wall in ("left", "right", "back", "front"):
        number, side, along = _along(wall, x, z)
        for _ in range(9):
            width, tall = rng.uniform(20, 120), rng.uniform(25, 150)
            left, base = (
                rng.uniform(-250, 200),
                -spec.half[1] + (0 if rng.random() < 0.6 else rng.uniform(40, 150)),
            )
            tone = 1 + spec.clutter * rng.uniform(-1.1, 0.5)
            inside = (axis == number) & (side > 0) & (along > left) & (along < left + width)
            factor[inside & (y > base) & (y < base + tall)] *= max(tone, 0.12)
    return factor * (1 + 0.04 * field((x.shape[0], x.shape[1]), spec.seed + 9, slope=1.2, low=3))


def _paint(out: Array, spec: Room, window: Window, axis: Array, place: tuple[Array, Array, Array]) -> None:
    """One window into `out`: sky above, paler horizon, darker trees below, bars between panes."""
    x, y, z = place
    number, side, along = _along(window.wall, x, z)
    across = (along - window.centre[0]) / window.size[0] + 0.5
    up = (y - window.centre[1]) / window.size[1] + 0.5
    inside = (axis == number) & (side > 0) & (across > 0) & (across < 1) & (up > 0) & (up < 1)
    if window.panes == (0, 0):
        edge = np.clip(8 * np.minimum(np.minimum(across, 1 - across), np.minimum(up, 1 - up)), 0, 1)
        glow = (window.light * (0.25 + 0.75 * edge))[..., None] * np.array(window.tint)
        out[inside] = glow[inside]
        return
    trees = 0.28 + 0.06 * field((x.shape[0], x.shape[1]), spec.seed + 20, slope=1.3, low=4)
    sky = np.where(up > trees, 0.8 + 0.4 * up, 0.22)
    light = (window.light * sky)[..., None] * np.array(window.tint)
    light[..., 1][up <= trees] *= 1.12
    columns, rows = window.panes
    bar_x = np.abs((across * columns) % 1 - 0.5) > 0.5 - window.frame * columns / window.size[0] / 2
    bar_y = np.abs((up * rows) % 1 - 0.5) > 0.5 - window.frame * rows / window.size[1] / 2
    light[bar_x | bar_y] = np.array([0.5, 0.5, 0.48])
    out[inside] = light[inside]


def soft_box(
    centre: Sequence[float],
    target: Sequence[float],
    size: tuple[float, float],
    light: float,
    tint: Sequence[float] = (1.0, 1.0, 1.0),
) -> Material:
    """A rectangular lamp of `size` cm at `centre` facing `target`; `light` is its radiance."""
    up = [0, 1, 0] if abs(centre[0] - target[0]) + abs(centre[2] - target[2]) > 1e-3 else [0, 0, 1]
    place = mi.ScalarTransform4f().look_at(origin=list(centre), target=list(target), up=up)
    return {
        "type": "rectangle",
        "to_world": place @ mi.ScalarTransform4f().scale([size[0] / 2, size[1] / 2, 1]),
        "emitter": {"type": "area", "radiance": {"type": "rgb", "value": [light * t for t in tint]}},
    }

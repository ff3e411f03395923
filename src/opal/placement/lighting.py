"""The light of a studio set: a softbox, the room, a spot on the wall, and what lens and film make of it.

Called by `sweep.py` and `podium.py`.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.placement.looks import Look

Field = NDArray[np.float32]

LIGHT_SAMPLES = 6
"""The softbox is summed over this many points squared."""
SHOULDER = 0.85
"""Light above this share of white rolls off softly instead of clipping."""
_CORNER_REACH = 0.30
"""Distance from the corner of floor and wall at which the light it swallows has fallen to 1/e."""


@dataclass(frozen=True, slots=True)
class SetLight:
    """The lights of one set, measured at the product: 1 is the key and the room together there."""

    look: Look
    key: tuple[float, float, float]
    reference: float
    """The key's light at the product."""

    @classmethod
    def place(cls, look: Look, random: np.random.Generator, drop: float) -> "SetLight":
        """Hang the lights, moved a little by `random`; the product stands `drop` above the set's floor."""
        jitter = random.uniform(-0.15, 0.15, 3)
        key = (look.key[0] + jitter[0], look.key[1] + 0.5 * jitter[1] + drop, look.key[2] + 0.5 * jitter[2])
        front = np.array([0.0, drop, -0.15], np.float32).reshape(3, 1, 1)
        up = np.array([0.0, 1.0, 0.0], np.float32).reshape(3, 1, 1)
        return cls(look, key, float(softbox(front, up, key, look.key_size)[0, 0]))

    def on(self, point: Field, normal: Field) -> Field:
        """Linear light (h, w, 3) on points (3, h, w) with normals (3, h, w)."""
        look = self.look
        direct = softbox(point, normal, self.key, look.key_size) / self.reference
        glow = look.wall_glow * wall_spot(look, point)
        # A surface sees the more of the bright room the more it faces up; the bend sees the rest of the set.
        room = look.fill_light * (0.55 + 0.45 * normal[1])
        tint = np.array(look.key_tint, np.float32)
        scale = look.exposure / (1.0 + look.fill_light)
        return np.asarray(scale * (tint * (direct + glow)[..., None] + room[..., None]), np.float32)


def corner(look: Look, point: Field) -> Field:
    """Light left near a sharp corner of floor and wall, where each hides half of the room from the other."""
    away = np.hypot(point[1], look.floor_depth + look.bend_radius - point[2])
    return np.asarray(1.0 - look.corner * np.exp(-away / _CORNER_REACH), np.float32)


def softbox(point: Field, normal: Field, key: tuple[float, float, float], size: float) -> Field:
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
            received = np.maximum(normal[0] * dx + normal[1] * dy + normal[2] * dz, 0.0)
            leaving = -(facing[0] * dx + facing[1] * dy + facing[2] * dz)
            total += received * np.maximum(leaving, 0.0) / (square * square)
    return total.astype(np.float32)


def wall_spot(look: Look, point: Field) -> Field:
    """A round, very soft pool of light on the wall behind the product, 1 at its centre."""
    rise = (point[1] - look.spot[0]) / 1.6
    across = point[0] / look.spot[1]
    behind = np.clip((point[2] - look.floor_depth) / look.bend_radius, 0.0, 1.0)
    return np.asarray(np.exp(-(rise * rise + across * across)) * behind * behind, np.float32)


def vignette(look: Look, columns: Field, rows: Field, width: int, height: int) -> Field:
    """The lens's loss of light towards the corners, 1 at the centre."""
    corner = (width**2 + height**2) / 4
    x = (columns - width / 2) ** 2
    y = (rows - height / 2) ** 2
    share = (x[None, :] + y[:, None]) / corner
    return np.asarray(1.0 - look.vignette * share, np.float32)


def roll_off(light: Field) -> Field:
    """Bend values above the shoulder towards 1, as film does; below it nothing changes."""
    room = 1.0 - SHOULDER
    over = np.maximum(light - SHOULDER, 0.0)
    return np.asarray(np.minimum(light, SHOULDER) + room * (1.0 - np.exp(-over / room)), np.float32)

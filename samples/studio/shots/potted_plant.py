"""A leafy plant in a clay pot by a wall: overlapping leaves, thin stalks and the gaps between them."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.meshes import dense, fillet, grid, join, lathe, move, spline, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field
from studio.sets import daylight, desk, plaster_wall
from studio.shapes import tube


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="potted-plant",
        kind="leafy plant in a clay pot",
        tests="dozens of leaves with gaps between them, thin stalks, leaf edges of many angles",
        size=(1800, 2400),
        camera=Camera((4, 36, 104), (0, 19.0, 0), 30.0, aperture=0.35, focus=(0, 20, 6), roll=0.5),
        parts=(
            *_plant(),
            *desk(221, "#7f5f41", "#c39d70", 170.0),
            plaster_wall(-54, "#d2c6b6", 63),
            *props.book((17, 2.2, 23), (-26, 0, -22), 24, "#46596a"),
        ),
        environment=daylight(223, light=14.0),
        finish=Finish(exposure=1.12, white=(1.01, 1, 0.97), contrast=1.08, grain=0.007),
        encoding=Encoding(quality=90),
        spp=32,
        depth=7,
    )


def _plant() -> list[Part]:
    """Pot, soil, and stalks that each end in a leaf, rising and bowing outward by turns."""
    pot = [
        (0, 0, 0),
        (5.4, 0, 0.4),
        (6.9, 9.4, 0.3),
        (7.6, 9.5, 0.2),
        (7.9, 12.6, 0.3),
        (7.2, 12.6, 0.2),
        (6.8, 10.6, 0.1),
        (0, 10.6, 0),
    ]
    clay = linear("#b0623f") * (1 + 0.07 * field((512, 512), 3, slope=1.3))[..., None]
    soil = linear("#2b1d14") * (1 + 0.25 * field((256, 256), 5, slope=0.6))[..., None]
    rng = np.random.default_rng(11)
    stalks, leaves = [], []
    for k in range(38):
        around, high = 2.39996 * k, 14 + 22 * (1 - k / 38) ** 0.8 + rng.normal(0, 1.2)
        out = 3.0 + 8.0 * (k / 38) ** 0.7 + rng.normal(0, 0.8)
        way = np.array([np.sin(around), 0, np.cos(around)])
        base = way * rng.uniform(0.4, 2.6) + np.array([0, 10.3, 0])
        tip = way * out + np.array([0, high, 0])
        middle = base * 0.45 + tip * 0.55 + np.array([0, 2.4, 0]) - way * 1.2
        path = spline([base, middle, tip], 12)
        stalks.append(tube(path, np.linspace(0.24, 0.13, len(path)), segments=8))
        leaves.append(_leaf(tip, way, rng.uniform(6.0, 9.0), rng))
    green = m.surface(_blade(), 0.35, specular=0.45, sheen=0.1)
    return [
        Part("pot", lathe(dense(fillet(pot))), m.matte(clay), True),
        Part(
            "soil", move(lathe(np.array([[7.1, 0.0], [3, 0.3], [0, 0.4]])), (0, 10.9, 0)), m.matte(soil), True
        ),
        Part("stalks", join(stalks), m.surface(linear("#56752f"), 0.5), True),
        Part("leaves", join(leaves), green, True),
    ]


def _leaf(tip: Array, way: Array, length: float, rng: np.random.Generator) -> Mesh:
    """A pointed oval, folded along its rib and bowed, its stalk's end at `tip` and its point along `way`."""
    t, s = np.meshgrid(np.linspace(0, 1, 22), np.linspace(-1, 1, 13), indexing="ij")
    half = 0.40 * length * np.sin(np.pi * t**0.75) ** 0.8 * (1 - 0.1 * t)
    x, z = s * half, length * t
    wave = 0.05 * length * np.sin(7 * t + rng.uniform(0, 6)) * np.abs(s)
    y = 0.22 * np.abs(s) * half - 0.42 * length * t**2 * rng.uniform(0.5, 1.2) + wave
    mesh = turn(grid(np.stack([x, y, z], axis=-1)), "x", float(rng.uniform(-38, 6)))
    mesh = turn(
        turn(mesh, "z", float(rng.normal(0, 14))),
        "y",
        float(np.degrees(np.arctan2(way[0], way[2])) + rng.normal(0, 14)),
    )
    return move(mesh, tip.tolist())


def _blade() -> Array:
    """Green with a paler rib and side veins; u runs across the leaf, v along it."""
    v, u = np.meshgrid(np.linspace(0, 1, 512), np.linspace(-1, 1, 512), indexing="ij")
    rib = np.exp(-((u / 0.035) ** 2))
    veins = 0.5 * np.exp(-((((v - 0.35 * np.abs(u)) * 9) % 1 - 0.5) ** 2) / 0.006)
    tone = np.clip(rib + veins * (np.abs(u) < 0.93), 0, 1)[..., None]
    cloud = (1 + 0.08 * field((512, 512), 9, slope=1.4))[..., None]
    return np.clip(
        (linear("#2f6a2c") * (1 - 0.45 * tone) + linear("#9dbb66") * 0.45 * tone) * cloud, 0.004, 1
    )

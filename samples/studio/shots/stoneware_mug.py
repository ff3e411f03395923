"""A speckled stoneware mug on a wooden table by a window, taken with a phone held upright."""

import numpy as np

from studio import materials as m
from studio import patterns, props
from studio.colour import linear
from studio.lighting import Room, Window, room
from studio.meshes import dense, fillet, lathe, spline, sweep, turn
from studio.model import Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field

HEIGHT, RADIUS = 9.4, 4.15


def build() -> Shot:
    """The whole photo."""
    window = Window("left", (10, 25), (170, 150), 13.0)
    far = Window("front", (-120, 20), (90, 130), 3.0)
    return Shot(
        name="stoneware-mug",
        kind="matte ceramic with a handle",
        tests="an enclosed hole, a matte surface close in colour to its shadow, EXIF orientation",
        size=(1260, 1680),
        camera=Camera(
            (9.0, 21.0, 41.0), (0.9, 4.3, 0.0), 27.0, aperture=0.16, focus=(0.4, 5.0, 3.6), roll=0.8
        ),
        parts=(*_mug(), *_table()),
        environment=room(Room(windows=(window, far), seed=4)),
        finish=Finish(exposure=1.05, white=(1.03, 1.0, 0.93), contrast=1.12, saturation=1.04, grain=0.008),
        encoding=Encoding(orientation=6, quality=92),
        spp=32,
        depth=6,
    )


def _mug() -> list[Part]:
    """The mug: thrown body dipped in pale glaze over dark clay, and a pulled handle."""
    colour = patterns.speckle((1024, 2048), 21, "#d9d3c4", "#4a3a2c", count=1500, radius=3.4)
    rows = np.linspace(0, 1, 1024)[:, None]
    # v runs from the foot up the outside, so the unglazed clay is a band at the low end with a drippy edge.
    edge = 0.225 + 0.006 * field((1024, 2048), 5, slope=2.0, high=24)[512][None]
    clay = np.clip((edge - rows) * 260, 0, 1)[..., None]
    grit = (1 + 0.10 * field((1024, 2048), 7, slope=0.4))[..., None]
    rim = np.clip(1 - np.abs(rows - 0.516) / 0.007, 0, 1)[..., None] * 0.65
    colour = colour * (1 - rim) + linear("#8a6a4c") * rim
    colour = colour * (1 - clay) + linear("#7a5a44") * grit * clay
    rough = np.clip(0.36 + 0.4 * clay[..., 0] + 0.03 * field((1024, 2048), 9, slope=1.4), 0.05, 0.95)
    # Throwing rings: ridges round the body, never quite level.
    rings = np.sin(rows * 210 + 0.3 * field((1024, 2048), 12, slope=2.4, high=4)) * 0.5
    bump = rings + 0.08 * field((1024, 2048), 10, slope=2.0, low=8, high=120)
    skin = m.surface(colour, rough, specular=0.5, bump=bump, depth=0.022)
    plain = m.surface(
        patterns.speckle((512, 512), 31, "#d9d3c4", "#4a3a2c", count=160, radius=3.0),
        0.36,
        bump=field((512, 512), 13, slope=2.2, high=14),
        depth=0.02,
    )
    place = -38.0
    return [
        Part("body", turn(_body(), "y", place), skin, True),
        Part("handle", turn(_handle(), "y", place + 70), plain, True),
    ]


def _body() -> Mesh:
    """Outside, rim and inside in one turned profile."""
    profile = fillet(
        [
            (0, 0.25, 0),
            (3.0, 0.25, 0.1),
            (3.15, 0, 0.1),
            (3.4, 0, 0.2),
            (4.0, 0.9, 1.2),
            (RADIUS, 4.5, 9),
            (3.95, HEIGHT - 0.2, 3),
            (3.86, HEIGHT, 0.16),
            (3.66, HEIGHT - 0.15, 0.2),
            (3.75, 5, 9),
            (3.5, 1.2, 1.4),
            (0, 0.75, 0),
        ],
        steps=12,
    )
    mesh = lathe(dense(profile), 192)
    wobble = 1 + 0.004 * np.sin(
        2 * np.arctan2(mesh.points[:, 0], mesh.points[:, 2]) + 0.2 * mesh.points[:, 1]
    )
    return Mesh(mesh.points * np.stack([wobble, np.ones_like(wobble), wobble], axis=-1), mesh.faces, mesh.uv)


def _handle() -> Mesh:
    """An ear-shaped strap, wider where it joins the body."""
    path = spline(
        [
            (3.76, 7.95, 0),
            (4.5, 8.05, 0),
            (5.7, 8.0, 0),
            (6.65, 7.1, 0),
            (6.75, 5.5, 0),
            (6.1, 3.9, 0),
            (5.0, 2.75, 0),
            (4.4, 2.42, 0),
            (3.76, 2.35, 0),
        ],
        steps=10,
    )
    t = np.linspace(-1, 1, len(path))
    flare = 1 + 0.28 * np.clip((np.abs(t) - 0.74) / 0.26, 0, 1) ** 1.5
    return sweep(path, 1.5 * flare, 0.85 * flare, up=(0, 0, 1), power=2.6, segments=40)


def _table() -> list[Part]:
    """The table, the wall behind and what stands about, out of focus."""
    linen, height = patterns.weave((1024, 1024), 3, 90, "#8f9a94", 0.8)
    cloth = m.surface(linen, 0.9, specular=0.1, sheen=0.4, bump=height, depth=0.02)
    napkin = props.cloth_square(15.0, (-8.6, 0.05, -8.5), 24.0, cloth)
    return [
        *props.wooden_table(150, 80, 40, "#6a4326", "#b98a5c", front=0.0, planks=6),
        props.wall(400, 260, -75, "#cfc8ba", 6),
        napkin,
        *props.book((15, 2.4, 21), (13, 0, -24), 20, "#3c5a5e"),
        *props.book((13, 1.8, 19), (13.4, 2.4, -24.4), 8, "#b9694a"),
        props.bowl(5.6, 5.2, (-15, 0, -27), linear("#34454a")),
    ]

"""A jointed desk lamp in front of a coloured wall: a thin arm, a spring, a cable, a lit bulb."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.meshes import fillet, join, lathe, move, spline, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.sets import daylight, desk, plaster_wall
from studio.shapes import ball, tube

ELBOW, HEAD = np.array([-9.5, 24.0, 0.0]), np.array([7.5, 38.0, 0.0])


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="desk-lamp",
        kind="jointed lamp with a cable",
        tests="thin arms and springs with gaps between them, a cable, a strong wall colour",
        size=(1350, 1800),
        camera=Camera((8, 22, 108), (0.5, 20.5, 0), 29.0, aperture=0.3, focus=(0, 20, 2), roll=-0.4),
        parts=(
            *_lamp(),
            *desk(181, "#5d4530", "#a2794f", 170.0),
            plaster_wall(-50, "#c98f5e", 33),
            *props.book((18, 2.4, 24), (25, 0, -20), 12, "#2f4b52"),
            *props.book((16, 2.0, 22), (25.4, 2.4, -20.4), 4, "#d9cdb4"),
        ),
        environment=daylight(183, light=9.0),
        finish=Finish(exposure=1.25, white=(1.02, 1, 0.95), contrast=1.08, grain=0.008, bloom=0.05),
        encoding=Encoding(quality=91),
        spp=44,
        depth=7,
    )


def _lamp() -> list[Part]:
    """Base, two pairs of rods, joints, springs, shade, bulb and cable."""
    enamel, steel = m.glaze(linear("#1f4a4d"), 0.12), m.metal("Al", 0.2)
    base = lathe(
        fillet(
            [
                (0, 0, 0),
                (8.2, 0, 0.4),
                (8.4, 1.2, 0.6),
                (7.6, 2.1, 0.6),
                (1.4, 2.6, 0.8),
                (1.1, 4.6, 0.3),
                (0, 4.8, 0),
            ]
        )
    )
    foot = np.array([0.0, 4.2, 0.0])
    rods = [
        tube(np.linspace(a + shift, b + shift, 6), 0.32)
        for a, b in ((foot, ELBOW), (ELBOW, HEAD))
        for shift in _pair(b - a)
    ]
    joints = [ball(1.15, at.tolist()) for at in (foot, ELBOW, HEAD)]
    springs = [
        _spring(foot + 0.12 * (ELBOW - foot), foot + 0.5 * (ELBOW - foot)),
        _spring(ELBOW + 0.1 * (HEAD - ELBOW), ELBOW + 0.45 * (HEAD - ELBOW)),
    ]
    shade = fillet(
        [(6.3, -7.4, 0), (6.5, -7.4, 0.05), (3.9, -1.2, 1.5), (2.3, 1.6, 0.8), (2.0, 4.2, 0.5), (0, 4.4, 0)]
    )
    inner = fillet([(6.3, -7.4, 0), (3.7, -1.2, 1.5), (2.1, 1.5, 0.6), (0, 1.6, 0)])
    place = HEAD + np.array([2.6, -1.5, 0.0])
    things = [
        (base, enamel),
        (join(rods), steel),
        (join(joints), enamel),
        (join(springs), steel),
        (_aimed(lathe(shade, 120), place), enamel),
        (_aimed(lathe(inner[::-1], 120), place), m.matte(linear("#f0ebe0"))),
        (_aimed(ball(2.0, (0, -3.6, 0), stretch=(1, 1.2, 1)), place), m.glaze(linear("#fff6e6"), 0.2)),
        (tube(_cable(), 0.24), m.surface(linear("#8d2f2a"), 0.7)),
    ]
    return [Part("lamp", turn(mesh, "y", 12), skin, True) for mesh, skin in things]


def _pair(along: Array) -> tuple[Array, Array]:
    """How far the two rods of an arm lie to either side of its middle."""
    across = np.cross(along, [0, 0, 1])
    across = across / np.linalg.norm(across) * 0.75
    return across, -across


def _spring(start: Array, end: Array) -> Mesh:
    """A coil along a line, in front of the rods."""
    turns, t = 26, np.linspace(0, 1, 26 * 14)
    along = (end - start) / np.linalg.norm(end - start)
    side = np.cross(along, [0, 0, 1])
    angle = 2 * np.pi * turns * t
    coil = side * np.cos(angle)[:, None] + np.array([0, 0, 1]) * np.sin(angle)[:, None]
    return tube(start + (end - start) * t[:, None] + 0.5 * coil + np.array([0, 0, 0.6]), 0.1, segments=8)


def _aimed(mesh: Mesh, place: Array) -> Mesh:
    """The head hangs at the arm's end and looks down and a little to the front."""
    return move(turn(turn(mesh, "z", 32), "x", -16), place.tolist())


def _cable() -> Array:
    """From the base over the desk, in a lazy curve, to its end behind the lamp."""
    return spline(
        [
            (-7.6, 0.8, 1.0),
            (-9.5, 0.26, 2.5),
            (-15, 0.24, 4),
            (-18, 0.24, -1),
            (-14, 0.24, -6),
            (-8, 0.24, -9),
            (-2, 0.24, -12),
        ],
        16,
    )

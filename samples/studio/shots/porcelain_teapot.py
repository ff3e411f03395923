"""A white porcelain teapot on white paper: spout, lid and handle nearly as bright as the ground."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.lighting import soft_box
from studio.meshes import dense, fillet, lathe, spline, sweep, turn
from studio.model import Camera, Encoding, Finish, Part, Shot
from studio.noise import field
from studio.sets import studio_room
from studio.shapes import ball, tube


def build() -> Shot:
    """The whole photo."""
    key = soft_box((-70, 75, 50), (0, 5, 0), (80, 100), 6.2)
    top = soft_box((20, 110, -10), (0, 0, 0), (110, 80), 2.6)
    return Shot(
        name="porcelain-teapot",
        kind="white porcelain with spout and handle",
        tests="white on white, a hole inside the handle, a thin spout",
        size=(1680, 1260),
        camera=Camera((7, 24, 74), (0.8, 6.6, 0), 27.0, aperture=0.12, focus=(0, 7, 6), roll=0.3),
        parts=(*_teapot(), props.sweep_ground(320, 200, 150, 45, "#f3f3f2")),
        environment=studio_room(61, 0.42, light=1.6),
        lights=(key, top),
        finish=Finish(exposure=0.82, contrast=1.06, vignette=0.05, grain=0.005, bloom=0.02),
        encoding=Encoding(quality=92),
        spp=40,
        depth=7,
    )


def _teapot() -> list[Part]:
    """Body, lid with knob, spout with its dark mouth, and an ear-shaped handle."""
    body = fillet(
        [
            (0, 0.2, 0),
            (3.7, 0.2, 0.1),
            (3.9, 0, 0.1),
            (4.2, 0.1, 0.1),
            (4.3, 0.8, 0.4),
            (7.6, 3.6, 3.5),
            (7.0, 9.2, 4.0),
            (4.2, 11.2, 1.2),
            (3.7, 11.5, 0.1),
        ],
        steps=14,
    )
    lid = fillet(
        [
            (3.55, 11.2, 0),
            (3.95, 11.42, 0.06),
            (3.9, 11.65, 0.1),
            (2.2, 12.6, 2.0),
            (0.75, 12.85, 0.3),
            (0.6, 13.4, 0.3),
            (1.15, 14.1, 0.4),
            (0.8, 14.8, 0.5),
            (0, 14.9, 0),
        ],
        steps=10,
    )
    spout = spline([(5.4, 3.4, 0), (8.2, 4.6, 0), (10.0, 7.2, 0), (11.3, 10.0, 0), (12.9, 11.3, 0)], 14)
    radii = np.interp(np.linspace(0, 1, len(spout)), [0, 0.3, 0.7, 1], [2.4, 1.7, 0.95, 0.72])
    handle = spline(
        [(-5.6, 9.8, 0), (-7.6, 11.0, 0), (-10.4, 10.4, 0), (-11.3, 7.6, 0), (-9.6, 4.6, 0), (-6.4, 3.2, 0)]
    )
    uneven = field((512, 512), 6, slope=2.2, high=10)
    white = m.glaze(linear("#f1efea"), 0.07, bump=uneven, depth=0.03)
    dark = m.matte(linear("#4a4640"))
    shapes = [
        ("body", lathe(dense(body), 160), white),
        ("lid", lathe(dense(lid), 128), white),
        ("spout", tube(spout, radii, segments=40), white),
        ("mouth", ball(0.58, (13.35, 11.62, 0), stretch=(0.75, 0.6, 0.9)), dark),
        ("handle", sweep(handle, 1.05, 1.35, up=(0, 0, 1), power=2.4, segments=36), white),
    ]
    return [Part(name, turn(mesh, "y", -24), skin, True) for name, mesh, skin in shapes]

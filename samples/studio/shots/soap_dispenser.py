"""A white pump bottle on white paper: the studio shot in which the product's edge nearly vanishes."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.labels import Sheet
from studio.lighting import Room, Window, room, soft_box
from studio.meshes import dense, fillet, join, lathe, outline_length, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field

RADIUS = 3.3


def build() -> Shot:
    """The whole photo."""
    left = soft_box((-62, 52, 34), (0, 8, 0), (60, 90), 8.6)
    top = soft_box((14, 78, -6), (0, 0, -4), (60, 50), 2.6)
    dim = Room(
        walls=(0.36, 0.36, 0.37),
        floor=(0.3, 0.3, 0.3),
        ceiling=(0.42, 0.42, 0.42),
        clutter=0.35,
        seed=8,
        windows=(Window("right", (30, 20), (60, 120), 1.6, (1, 1, 1)),),
    )
    return Shot(
        name="soap-dispenser",
        kind="white plastic bottle",
        tests="a white product on a near-white ground, a thin nozzle, pale print",
        size=(930, 1240),
        camera=Camera((1.5, 15.5, 56), (0.5, 8.6, 0), 26.5, aperture=0.09, focus=(0, 8, 3), roll=-0.3),
        parts=(*_bottle(), props.sweep_ground(260, 190, 130, 38, "#f4f3f1")),
        environment=room(dim),
        lights=(left, top),
        finish=Finish(
            exposure=0.9, white=(1.0, 1.0, 1.0), contrast=1.06, vignette=0.05, grain=0.005, bloom=0.02
        ),
        encoding=Encoding(quality=92),
        spp=40,
        depth=6,
    )


def _bottle() -> list[Part]:
    """Body with print, collar, pump head and nozzle, all of slightly different whites."""
    profile = dense(
        fillet(
            [
                (0, 0.15, 0),
                (2.6, 0.15, 0.1),
                (2.8, 0, 0.1),
                (RADIUS, 0, 0.55),
                (RADIUS, 12.2, 1.5),
                (1.75, 13.35, 0.5),
                (1.45, 13.4, 0.2),
                (1.45, 14.2, 0),
            ],
            steps=14,
        )
    )
    body = m.glaze(
        _print(outline_length(profile)),
        0.22,
        1.49,
        bump=field((512, 512), 3, slope=1.7, high=30),
        depth=0.012,
    )
    cap = m.glaze(linear("#f4f4f3"), 0.3, 1.49)
    facing = 180.0 + 8.0
    return [
        Part("body", turn(lathe(profile, 192), "y", facing), body, True),
        Part("collar", _collar(), cap, True),
        Part("head", turn(_head(), "y", -24), cap, True),
    ]


def _print(length: float) -> Array:
    """Grey lettering straight on the plastic."""
    around = 2 * np.pi * RADIUS
    sheet = Sheet(around, length, "#f3f3f2")
    x, foot = around / 2, length - 3.2
    ink, soft = "#6d6f70", "#8d8f8f"
    sheet.text("fjord", x, foot - 8.1, 1.75, ink, bold=0.012)
    sheet.block(x, foot - 6.9, 3.0, 0.03, soft)
    sheet.text("HAND WASH", x, foot - 6.45, 0.42, ink, spacing=0.22, bold=0.01)
    sheet.text("oat & sea salt", x, foot - 5.85, 0.46, soft)
    sheet.text("unscented, for dry skin", x, foot - 2.4, 0.33, soft)
    sheet.text("300 ml  10.1 fl oz", x, foot - 1.9, 0.33, soft)
    return sheet.linear()


def _collar() -> Mesh:
    """The ribbed screw ring."""
    profile = dense(
        fillet(
            [(1.3, 13.75, 0), (1.72, 13.75, 0.08), (1.72, 15.2, 0.12), (1.2, 15.35, 0.1), (0.75, 15.4, 0)],
            steps=6,
        ),
        0.1,
    )
    return lathe(
        profile,
        720,
        lambda angle: 1 + 0.012 * np.sign(np.sin(60 * angle)) * np.abs(np.sin(60 * angle)) ** 0.5,
    )


def _head() -> Mesh:
    """Stem, press cap and a nozzle that bends down at its end."""
    stem = lathe(dense(fillet([(0.62, 15.3, 0), (0.62, 16.7, 0)], steps=2)), 64)
    press = lathe(
        dense(
            fillet(
                [(0.5, 16.5, 0), (1.12, 16.5, 0.1), (1.2, 17.75, 0.25), (0.9, 17.9, 0.5), (0, 17.86, 0)],
                steps=10,
            )
        ),
        96,
    )
    path = spline(
        [(0.3, 17.35, 0), (1.6, 17.4, 0), (2.7, 17.38, 0), (3.45, 17.2, 0), (3.75, 16.85, 0), (3.8, 16.5, 0)]
    )
    nozzle = sweep(path, np.linspace(1.15, 0.66, len(path)), np.linspace(0.86, 0.6, len(path)), power=2.6)
    return join([stem, press, nozzle])

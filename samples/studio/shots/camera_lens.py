"""A black camera lens standing on black acrylic: only rims of light part it from the ground."""

import numpy as np

from studio import materials as m
from studio.colour import linear
from studio.labels import Sheet
from studio.lighting import soft_box
from studio.meshes import box, dense, fillet, lathe, move, outline_length, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field
from studio.sets import studio_room
from studio.shapes import ball

RADIUS = 3.7


def build() -> Shot:
    """The whole photo."""
    left = soft_box((-60, 40, -22), (0, 5, 0), (26, 90), 9.0)
    right = soft_box((62, 34, -12), (0, 5, 0), (22, 90), 6.0)
    top = soft_box((0, 80, 10), (0, 8, 0), (60, 34), 2.2)
    black = m.surface(np.clip(linear("#0b0b0c") * np.ones(3), 0.003, 1), 0.09, specular=0.5)
    return Shot(
        name="camera-lens",
        kind="black barrel with ribbed rings",
        tests="black on black, a mirrored foot, fine ribs, small white print",
        size=(1200, 1600),
        camera=Camera((6, 24, 47), (0.2, 5.6, 0), 26.0, aperture=0.14, focus=(0, 7, 3.5), roll=-0.3),
        parts=(*_lens(), Part("acrylic", move(box(260, 2, 200, 0.2), (0, -2, -20)), black)),
        environment=studio_room(71, 0.035, light=0.5),
        lights=(left, right, top),
        finish=Finish(exposure=1.5, contrast=1.05, vignette=0.1, grain=0.008),
        encoding=Encoding(quality=92),
        spp=48,
        depth=7,
    )


def _lens() -> list[Part]:
    """Mount, barrel with print, two ribbed rubber rings, hood thread and coated front glass."""
    shell = dense(
        fillet(
            [
                (0, 0, 0),
                (3.0, 0, 0.1),
                (3.0, 0.55, 0.05),
                (3.45, 0.6, 0.1),
                (RADIUS, 1.6, 0.3),
                (RADIUS, 7.3, 0.2),
                (3.95, 8.0, 0.3),
                (3.95, 11.0, 0.12),
                (3.75, 11.15, 0.08),
                (3.55, 11.1, 0.05),
                (3.3, 9.9, 0.05),
                (2.9, 9.8, 0.05),
            ]
        ),
        0.25,
    )
    barrel = m.surface(_print(outline_length(shell)), 0.33, specular=0.5, bump=_powder(), depth=0.002)
    rubber = m.surface(linear("#17171a"), 0.62, specular=0.3)
    red = m.glaze(linear("#b01f24"), 0.15)
    coat = m.glaze(linear("#10081c"), 0.02, 1.9)
    rings = [_ribbed(2.2, 4.3, 84), _ribbed(5.1, 6.4, 60)]
    line = lathe(fillet([(3.9, 8.32, 0), (3.985, 8.36, 0), (3.985, 8.5, 0), (3.9, 8.54, 0)]))
    things = [
        (lathe(shell, 160), barrel),
        *((ring, rubber) for ring in rings),
        (line, red),
        (ball(2.95, (0, 9.35, 0), stretch=(1, 0.22, 1)), coat),
    ]
    return [Part("lens", turn(mesh, "y", 168), skin, True) for mesh, skin in things]


def _ribbed(low: float, high: float, ribs: int) -> Mesh:
    """A rubber ring with `ribs` ribs around it."""
    profile = fillet(
        [
            (RADIUS - 0.1, low, 0),
            (RADIUS + 0.14, low + 0.05, 0.05),
            (RADIUS + 0.14, high - 0.05, 0.05),
            (RADIUS - 0.1, high, 0),
        ]
    )
    return lathe(profile, ribs * 10, lambda a: 1 + 0.012 * np.tanh(4 * np.sin(ribs * a)))


def _powder() -> Array:
    """The fine grain of the barrel's paint."""
    return field((1024, 1024), 5, slope=0.2, low=60)


def _print(length: float) -> Array:
    """Name, focal length and the scale of apertures, in white."""
    around = 2 * np.pi * RADIUS
    s = Sheet(around, length, "#1b1b1d", 80)
    x, white = around / 2, "#e9e9e6"
    s.text("ORREN  50 mm", x, length - 13.15, 0.62, white, bold=0.02, spacing=0.12)
    s.text("1 : 1.8   ASPH", x, length - 8.13, 0.4, white, spacing=0.14)
    for k, figure in enumerate(("16", "11", "8", "5.6", "4", "2.8", "1.8")):
        s.text(figure, x - 3.2 + 1.07 * k, length - 5.0, 0.42, white, spacing=0.05)
        s.block(x - 3.2 + 1.07 * k, length - 4.65, 0.04, 0.2, white)
    return s.linear()

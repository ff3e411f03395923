"""A brown glass bottle with a paper label and a black cap on a stone worktop, half in window light."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.labels import Sheet
from studio.meshes import dense, fillet, lathe, turn
from studio.model import Array, Camera, Encoding, Finish, Part, Shot
from studio.sets import daylight, plaster_wall, stone_top

RADIUS = 3.1


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="amber-bottle",
        kind="brown glass bottle with a paper label",
        tests="dark glass that lets some light through, a printed label, a black cap",
        size=(1200, 1600),
        camera=Camera((2, 15, 50), (0.2, 7.8, 0), 25.0, aperture=0.22, focus=(0, 8, 3), roll=0.5),
        parts=(
            *_bottle(),
            stone_top(81, "#c9c3b8"),
            plaster_wall(-60, "#a9b3a6", 7),
            props.canister(4.6, 11, (-14.5, 0, -26), "#d9cfb8"),
            props.bowl(5.0, 4.2, (14.5, 0, -22), linear("#8d5f43")),
        ),
        environment=daylight(83, light=15.0),
        finish=Finish(exposure=1.15, white=(1.02, 1, 0.97), contrast=1.1, grain=0.007),
        encoding=Encoding(quality=92),
        spp=56,
        depth=12,
    )


def _bottle() -> list[Part]:
    """Tinted glass full of syrup to the shoulder, its label and a ribbed cap."""
    outline = [
        (0, 0.25, 0),
        (2.3, 0.1, 0.6),
        (2.6, 0, 0.2),
        (RADIUS, 0.05, 0.5),
        (RADIUS, 9.6, 1.9),
        (1.15, 12.2, 0.9),
        (1.1, 13.6, 0),
    ]
    shell = dense(fillet(outline, steps=16), 0.2)
    # Thick brown glass and dark syrup together: one tint at the boundary takes what both would.
    brown = m.glass(1.45, 1.0, linear("#b9742c"))
    cap = fillet([(0, 15.3, 0), (1.3, 15.3, 0.12), (1.4, 15.1, 0.1), (1.4, 13.0, 0.08), (0, 13.0, 0)])
    ribbed = lathe(cap[::-1], 480, lambda a: 1 + 0.012 * np.sin(48 * a))
    label = lathe(np.array([[RADIUS + 0.02, y] for y in np.linspace(1.5, 8.3, 20)]), 160)
    paper = m.surface(_label(), 0.6, specular=0.3)
    return [
        Part("glass", lathe(shell, 160), brown, True),
        Part("label", turn(label, "y", 172), paper, True),
        Part("cap", ribbed, m.surface(linear("#141414"), 0.3), True),
    ]


def _label() -> Array:
    """A kraft-coloured label all round, with its print to the front."""
    around, tall = 2 * np.pi * RADIUS, 6.8
    s = Sheet(around, tall, "#efe7d4", 110)
    x, ink = around / 2, "#2b2a26"
    s.block(x, 0.35, around, 0.1, "#7b3f1d")
    s.block(x, tall - 0.35, around, 0.1, "#7b3f1d")
    s.text("No. 4", x, 1.05, 0.55, "#7b3f1d", bold=0.01)
    s.text("ALDER & FINCH", x, 1.95, 0.72, ink, bold=0.025, spacing=0.04)
    s.block(x, 2.5, 3.4, 0.03, ink)
    s.text("Ginger Syrup", x, 3.2, 0.8, "#7b3f1d", bold=0.015)
    s.text("WITH LEMON AND HONEY", x, 3.95, 0.32, ink, spacing=0.16)
    s.text("Shake well. Keep cool once open.", x, 4.7, 0.27, ink)
    s.text("200 ml  (6.8 fl oz)", x, 5.6, 0.36, ink, bold=0.01)
    s.bars(x + 7.5, 3.4, 2.4, 1.6, ink, seed=4)
    return s.linear()

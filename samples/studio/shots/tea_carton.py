"""A printed carton on a kitchen shelf, standing at an angle: straight edges, small print, two lit sides."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.labels import Sheet
from studio.meshes import box, move, sheet, turn
from studio.model import Array, Camera, Encoding, Finish, Part, Shot
from studio.sets import daylight, desk

WIDE, TALL, DEEP = 9.2, 14.5, 5.6
INK, LEAF, GROUND, GOLD = "#22362b", "#4f7a4a", "#e9e2cc", "#b98d3e"


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="tea-carton",
        kind="printed cardboard box",
        tests="straight edges and sharp corners, print that must not change, cream on a cream wall",
        size=(1260, 1680),
        camera=Camera((4, 19, 62), (0.2, 7.3, 0), 23.5, aperture=0.2, focus=(0, 7, 3), roll=0.6),
        parts=(
            *_carton(),
            *desk(241, "#75553a", "#b99064"),
            props.wall(420, 290, -50, "#d9cfb9", 73),
            props.bowl(4.4, 5.6, (-13.5, 0, -18), linear("#54717a")),
            props.canister(4.0, 11.5, (13.5, 0, -22), "#8c4d39"),
        ),
        environment=daylight(243, side="right", light=13.0),
        finish=Finish(exposure=1.1, white=(1.02, 1, 0.97), contrast=1.08, grain=0.007),
        encoding=Encoding(quality=92),
        spp=36,
        depth=6,
    )


def _carton() -> list[Part]:
    """The box, a printed panel on the two sides that show, and the tuck flap's line on top."""
    card = m.surface(linear(GROUND), 0.5, specular=0.4)
    front = move(turn(sheet(WIDE - 0.16, TALL - 0.16), "x", 90), (0, TALL / 2, DEEP / 2 + 0.004))
    side = turn(
        move(turn(sheet(DEEP - 0.16, TALL - 0.16), "x", 90), (0, TALL / 2, WIDE / 2 + 0.004)), "y", -90
    )
    flap = move(box(WIDE - 0.5, 0.05, 0.05, 0.02), (0, TALL, DEEP / 2 - 0.35))
    parts = [
        Part("card", box(WIDE, TALL, DEEP, 0.07), card, True),
        Part("front", front, m.surface(_front(), 0.42, specular=0.45), True),
        Part("side", side, m.surface(_side(), 0.42, specular=0.45), True),
        Part("flap", flap, m.matte(linear("#6d6552")), True),
    ]
    return [Part(p.name, turn(p.mesh, "y", 28), p.material, True) for p in parts]


def _front() -> Array:
    """Name, a sprig of leaves, the kind of tea and the weight."""
    s = Sheet(WIDE, TALL, GROUND, 90)
    x = WIDE / 2
    s.block(x, 1.0, WIDE, 2.0, LEAF)
    s.text("ROWAN & SON", x, 1.05, 0.85, GROUND, bold=0.02, spacing=0.1)
    for k in range(7):
        lean = 0.85 * (k % 2 * 2 - 1) * (1 - k / 9)
        for step in range(14):
            along = step / 13
            radius = 0.34 * np.sin(np.pi * along) ** 0.8 + 0.01
            s.disc(x + lean * along * 1.7, 6.6 - 0.45 * k - 0.5 * along, float(radius) * (1 - k / 12), LEAF)
    s.block(x, 5.3, 0.06, 3.6, INK)
    s.text("Garden Mint", x, 8.3, 1.35, INK, bold=0.015)
    s.text("HERBAL INFUSION", x, 9.4, 0.55, GOLD, bold=0.02, spacing=0.18)
    s.block(x, 10.1, 5.4, 0.04, INK)
    s.text("Peppermint, lemon balm and nettle", x, 10.8, 0.4, INK)
    s.text("20 bags   40 g  (1.4 oz)", x, 13.2, 0.42, INK)
    return _upright(s)


def _side() -> Array:
    """How to brew it, and a barcode."""
    s = Sheet(DEEP, TALL, LEAF, 90)
    x = DEEP / 2
    s.text("Garden Mint", x, 1.6, 0.75, GROUND)
    for k, line in enumerate(
        ("One bag for each cup.", "Pour on boiling water.", "Wait five minutes.", "Good cold, too.")
    ):
        s.text(line, x, 3.4 + 0.75 * k, 0.4, GROUND)
    s.block(x, 11.6, 4.0, 2.8, "#f4f1e6", radius=0.1)
    s.bars(x, 11.6, 3.2, 2.0, "#1b1b1b", seed=6)
    return _upright(s)


def _upright(s: Sheet) -> Array:
    """The print for a sheet stood up by a quarter turn, which has its first row at the top."""
    return s.linear()[::-1]

"""A tube of hand cream among other bathroom things, nearly all of them sharp: which one is for sale?"""

import numpy as np

from studio import materials as m
from studio import patterns, props
from studio.colour import linear
from studio.labels import Sheet
from studio.meshes import fillet, lathe, move, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.sets import daylight, stone_top
from studio.shapes import ball, loft

FOOT, TALL = 2.6, 13.0


def build() -> Shot:
    """The whole photo."""
    weave, height = patterns.weave((1024, 1024), 5, 60, "#b7c4c2", 0.9)
    towel = m.surface(weave, 0.95, sheen=0.4, bump=height, depth=0.04)
    return Shot(
        name="cream-tube",
        kind="squeezed plastic tube in clutter",
        tests="a cluttered ground nearly in focus, a flat crimped end, pastel on pastel",
        size=(1260, 1680),
        camera=Camera((3, 20, 52), (0.3, 7.6, 0), 26.0, aperture=0.08, focus=(0, 7, 1), roll=0.8),
        parts=(
            *_tube(),
            stone_top(161, "#d8d4cc"),
            props.tiles(260, 150, -26, "#e7e3da", side=10.0, seed=15),
            props.cloth_square(17, (9.5, 0.02, -8.5), 20, towel),
            props.canister(4.2, 10.5, (-10.5, 0, -11), "#c98f7a"),
            props.canister(3.0, 7.5, (9.4, 0.5, -9), "#e9e4d8"),
            props.bowl(3.6, 9.0, (-3.2, 0, -17), linear("#7f9aa0")),
            *_brushes(),
            Part(
                "soap",
                ball(2.8, (-11.0, 1.0, 2.4), stretch=(1.25, 0.42, 0.85)),
                m.surface(linear("#d8c08a"), 0.35),
            ),
        ),
        environment=daylight(163, light=12.0),
        finish=Finish(exposure=1.1, white=(1.01, 1, 0.98), contrast=1.08, grain=0.008),
        encoding=Encoding(quality=91),
        spp=36,
        depth=7,
    )


def _tube() -> list[Part]:
    """Standing on its cap: round below, pressed flat and crimped at the top."""
    t = np.linspace(0, 1, 60)
    angle = np.linspace(0, 2 * np.pi, 121)
    flat = t**1.25
    wide = FOOT * (1 + 0.50 * flat)
    deep = np.maximum(FOOT * (1 - flat) * (1 + 0.12 * np.sin(3 * np.pi * t)), 0.09)
    dent = 1 - 0.05 * np.exp(-((t - 0.6) ** 2) / 0.015)
    x, z = wide[:, None] * np.sin(angle), (deep * dent)[:, None] * np.cos(angle)
    body = loft(np.stack([x, np.broadcast_to(2.4 + TALL * t[:, None], x.shape), z], axis=-1))
    end = [3.92 * np.sin(angle), 0 * angle, 0.10 * np.cos(angle)]
    crimp = loft(
        np.stack(
            [
                np.stack(end, axis=-1) + np.array([0, y, 0.012 * (-1) ** k])
                for k, y in enumerate(np.linspace(15.2, 16.4, 14))
            ]
        )
    )
    cap = fillet([(0, 0, 0), (2.45, 0, 0.2), (2.5, 2.3, 0.15), (2.2, 2.5, 0.1), (0, 2.5, 0)])
    paste, white = m.surface(_print(), 0.32, specular=0.5), m.surface(linear("#d9d6cf"), 0.3)
    ribs = lathe(cap, 600, lambda a: 1 + 0.006 * np.sin(60 * a))
    things: list[tuple[str, Mesh]] = [("body", body), ("crimp", crimp), ("cap", ribs)]
    skins = {"body": paste, "crimp": m.surface(linear("#9fb8a5"), 0.35), "cap": white}
    return [Part(name, turn(mesh, "y", -12), skins[name], True) for name, mesh in things]


def _print() -> Array:
    """Sage green with a cream panel; u runs all round, so the middle of one half is the front."""
    around, tall = 17.0, TALL
    s = Sheet(around, tall, "#a9c2ae", 80)
    for x in (0.0, around):
        s.text("willow", x, 4.4, 1.5, "#25402f", bold=0.015)
        s.text("HAND CREAM", x, 6.0, 0.5, "#25402f", spacing=0.16)
        s.block(x, 6.7, 4.0, 0.05, "#25402f")
        s.text("oat & shea butter", x, 7.6, 0.46, "#3f5b48")
        s.text("75 ml  2.5 fl oz", x, 11.2, 0.42, "#3f5b48")
    s.block(around / 2, 6.5, 5.0, 6.5, "#efeadd", radius=0.3)
    return s.linear()


def _brushes() -> list[Part]:
    """Two toothbrush-like handles standing in the cup behind."""
    out = []
    for colour, lean, turned in (("#c1553d", 12, 30.0), ("#e9d9a8", 14, 200.0)):
        stick = lathe(
            fillet([(0, 0, 0), (0.45, 0.2, 0.2), (0.38, 9, 0), (0.6, 13, 1), (0.5, 16, 0.4), (0, 16.2, 0)])
        )
        mesh = move(turn(turn(stick, "z", lean), "y", turned), (-3.2, 1.0, -17))
        out.append(Part("brush", mesh, m.glaze(linear(colour), 0.1)))
    return out

"""A vermilion tea tin with a printed label on a kitchen worktop, photographed in Display P3."""

import numpy as np

from studio import materials as m
from studio import patterns, props
from studio.colour import linear
from studio.labels import Sheet
from studio.lighting import Room, Window, room
from studio.meshes import dense, fillet, join, lathe, move, outline_length, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field

RADIUS, HEIGHT, LID = 4.0, 10.4, 2.5
RED, CREAM, INK, TEAL = "#f01c10", "#f3e7c9", "#2b1d16", "#00695f"


def build() -> Shot:
    """The whole photo."""
    windows = (
        Window("right", (110, 25), (190, 150), 11.0, (1.0, 0.98, 0.92)),
        Window("left", (60, 30), (70, 110), 2.5),
    )
    return Shot(
        name="tea-tin",
        kind="lacquered tin with a printed label",
        tests="colours outside sRGB (Display P3 file), label text large and small, a saturated edge",
        size=(1920, 1440),
        camera=Camera((-6.0, 14.5, 43.0), (1.1, 5.0, 0), 33.0, aperture=0.3, focus=(-0.5, 6, 3.4), roll=0.5),
        parts=(*_tin(), *_kitchen()),
        environment=room(Room(windows=windows, seed=13, walls=(0.45, 0.42, 0.38))),
        finish=Finish(exposure=0.84, white=(1.0, 1.0, 0.97), contrast=1.12, grain=0.007),
        encoding=Encoding(quality=92, colour_space="display-p3"),
        spp=28,
        depth=6,
    )


def _tin() -> list[Part]:
    """Body, rolled seams and a push-on lid, all printed metal under clear lacquer."""
    foot = [
        (0, 0.12, 0),
        (3.7, 0.12, 0.05),
        (3.78, 0, 0.05),
        (RADIUS + 0.06, 0, 0.08),
        (RADIUS + 0.06, 0.3, 0.08),
        (RADIUS, 0.36, 0.05),
    ]
    body = dense(
        fillet([*foot, (RADIUS, HEIGHT - LID, 0.02), (RADIUS - 0.1, HEIGHT - LID + 0.1, 0)], steps=6), 0.15
    )
    lid = dense(
        fillet(
            [
                (RADIUS - 0.1, HEIGHT - LID + 0.02, 0),
                (RADIUS + 0.09, HEIGHT - LID, 0.06),
                (RADIUS + 0.1, HEIGHT - LID + 0.28, 0.06),
                (RADIUS + 0.04, HEIGHT - LID + 0.36, 0.05),
                (RADIUS + 0.04, HEIGHT - 0.12, 0.2),
                (RADIUS - 0.35, HEIGHT, 0.1),
                (RADIUS - 0.5, HEIGHT - 0.12, 0.1),
                (2.4, HEIGHT + 0.02, 1.2),
                (0, HEIGHT + 0.06, 0),
            ],
            steps=8,
        ),
        0.15,
    )
    dents = field((512, 512), 6, slope=2.2, high=14)
    skin = m.glaze(_artwork(outline_length(body)), 0.09, 1.52, bump=dents, depth=0.05)
    plain = m.glaze(_lid_print(outline_length(lid)), 0.09, 1.52, bump=dents, depth=0.05)
    return [
        Part("body", turn(lathe(body, 192), "y", 180 - 10), skin, True),
        Part("lid", turn(lathe(lid, 192), "y", 180 - 10), plain, True),
    ]


def _artwork(length: float) -> Array:
    """The label: a cream panel with name, origin, weight and small print; barcode at the back."""
    around = 2 * np.pi * RADIUS
    s = Sheet(around, length, RED, 100)
    x = around / 2
    foot = length - 4.4
    s.block(x, foot - 3.95, 7.3, 6.0, CREAM, radius=0.35)
    s.block(x, foot - 3.95, 7.0, 5.7, TEAL, radius=0.25)
    s.block(x, foot - 3.95, 6.9, 5.6, CREAM, radius=0.22)
    s.disc(x, foot - 5.75, 0.62, TEAL)
    s.disc(x + 0.2, foot - 5.85, 0.48, CREAM)
    s.text("MERIDIAN", x, foot - 4.55, 1.32, INK, bold=0.03, spacing=0.06)
    s.text("TEA MERCHANTS", x, foot - 3.72, 0.42, TEAL, bold=0.015, spacing=0.3)
    s.block(x, foot - 3.36, 5.6, 0.04, INK)
    s.text("Assam Breakfast", x, foot - 2.85, 0.74, RED, bold=0.02)
    s.text("LOOSE LEAF BLACK TEA", x, foot - 2.22, 0.34, INK, spacing=0.16)
    s.text("Brew 4 min at 98 °C. Store cool and dry.", x, foot - 1.8, 0.25, INK)
    s.text("NET WT 125 g  (4.4 oz)", x, foot - 1.45, 0.28, INK, bold=0.01)
    for at in np.arange(0.4, around, 0.8):
        s.disc(float(at), foot - 0.42, 0.12, CREAM)
    s.block(1.9, foot - 3.6, 3.0, 2.2, CREAM, radius=0.1)
    s.bars(1.9, foot - 3.7, 2.4, 1.5, INK, seed=5)
    return _worn(s.linear(), 3)


def _lid_print(length: float) -> Array:
    """Red lid with a cream line and ornament dots around its side."""
    around = 2 * np.pi * RADIUS
    s = Sheet(around, length, RED, 60)
    s.block(around / 2, length - 1.35, around, 0.06, CREAM)
    s.block(around / 2, length - 1.75, around, 0.03, CREAM)
    return _worn(s.linear(), 8)


def _worn(colour: Array, seed: int) -> Array:
    """The print with the fine unevenness and few scratches of a shelf-worn tin."""
    shape = colour.shape[:2]
    haze = 1 + 0.012 * field((shape[0], shape[1]), seed, slope=1.2, low=6)
    return colour * haze[..., None]


def _kitchen() -> list[Part]:
    """Stone worktop, tiled wall, a cup, a spoonful of leaves and a jar out of focus."""
    top = patterns.terrazzo((2048, 2048), 9, "#d9d4ca", ["#8c8478", "#b4aa9a", "#5f5a52", "#c4a58a"], 2600)
    counter = Part(
        "counter",
        move(props.slab(190, 4, 62), (0, -4, -8)),
        m.surface(top, 0.28, specular=0.5, scale=(4.5, 1.5)),
    )
    return [
        counter,
        props.tiles(260, 120, -39, "#e4e0d4", side=10.0, seed=15),
        props.bowl(3.9, 6.0, (12.5, 0, -9), linear("#e9e6dc")),
        *_leaves(),
        *props.board((22, 32, 1.8), (-15, 0, -35.5), 12),
        props.canister(5.2, 15, (20.5, 0, -27), "#2f5560"),
        props.canister(4.4, 11, (9.5, 0, -31), "#d8b46a"),
        *props.lemons(),
    ]


def _leaves() -> list[Part]:
    """Dry tea leaves spilled in front: short dark twists of three lengths."""
    rng = np.random.default_rng(4)
    leaves: list[Mesh] = []
    for _ in range(170):
        spread = rng.normal(0, 1, 2) * np.array([1.5, 0.9])
        at = np.array(
            [
                8.0 + spread[0],
                0.06 + 0.3 * max(0, 1 - float(np.hypot(*spread)) / 1.3) * rng.random(),
                7.0 + spread[1],
            ]
        )
        length, heading = rng.uniform(0.25, 0.7), rng.uniform(0, 360)
        bend = rng.uniform(-0.12, 0.12, 4)
        path = spline(
            [
                (-length / 2, 0, bend[0]),
                (-length / 6, abs(bend[3]) / 2, bend[1]),
                (length / 6, 0, bend[2]),
                (length / 2, 0.03, bend[0]),
            ],
            steps=4,
        )
        leaf = sweep(path, rng.uniform(0.04, 0.1), 0.05, up=(0, 1, 0.2), segments=6)
        leaves.append(move(turn(leaf, "y", heading), at.tolist()))
    return [Part("leaves", join(leaves), m.surface(linear("#2a1c12"), 0.6))]

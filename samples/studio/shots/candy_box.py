"""A clear plastic box full of sweets: packaging that shows its content and the shelf behind it at once."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.labels import Sheet
from studio.meshes import box, join, move, sheet, turn
from studio.model import Array, Camera, Encoding, Finish, Part, Shot
from studio.sets import daylight, plaster_wall, stone_top
from studio.shapes import ball

WIDE, TALL, DEEP, FILLED = 9.0, 13.0, 6.0, 8.6
COLOURS = ("#c8342e", "#e6a524", "#3f8f4f", "#2f6fae", "#d96a9a", "#efe6d6")


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="candy-box",
        kind="clear plastic packaging with sweets",
        tests="see-through packaging: empty above, full below, edges that only glint",
        size=(1260, 1680),
        camera=Camera((9, 21, 54), (0.2, 6.7, 0), 24.5, aperture=0.15, focus=(0, 7, 3), roll=0.3),
        parts=(
            *_box(),
            stone_top(201, "#b9a894"),
            plaster_wall(-48, "#8fa7ad", 43),
            props.canister(4.4, 10, (-14.5, 0, -20), "#ded5c2"),
        ),
        environment=daylight(203, light=14.0),
        finish=Finish(exposure=1.15, white=(1.01, 1, 0.98), contrast=1.08, grain=0.007),
        encoding=Encoding(quality=92),
        spp=64,
        depth=14,
    )


def _box() -> list[Part]:
    """Five thin clear walls, a printed lid band, a label and the sweets."""
    clear = m.film(1.5)
    walls = [
        move(turn(sheet(WIDE, TALL), "x", 90), (0, TALL / 2, DEEP / 2)),
        move(turn(sheet(WIDE, TALL), "x", 90), (0, TALL / 2, -DEEP / 2)),
        move(turn(sheet(TALL, DEEP), "z", 90), (WIDE / 2, TALL / 2, 0)),
        move(turn(sheet(TALL, DEEP), "z", 90), (-WIDE / 2, TALL / 2, 0)),
    ]
    seams = [
        move(box(0.12, TALL, 0.12, 0.05), (x * WIDE / 2, 0, z * DEEP / 2)) for x in (-1, 1) for z in (-1, 1)
    ]
    lid = move(box(WIDE + 0.3, 1.5, DEEP + 0.3, 0.12), (0, TALL - 1.3, 0))
    foot = box(WIDE, 0.25, DEEP, 0.1)
    label = move(turn(sheet(5.4, 3.6), "x", 90), (0, 4.9, DEEP / 2 + 0.03))
    parts = [
        Part("walls", join(walls), clear, True),
        Part("seams", join(seams), m.surface(linear("#e8eef0"), 0.2), True),
        Part("lid", lid, m.surface(linear("#b3392f"), 0.35), True),
        Part("foot", foot, m.surface(linear("#f2efe8"), 0.5), True),
        Part("label", label, m.surface(_label(), 0.55), True),
    ]
    balls = _heap()
    for k, colour in enumerate(COLOURS):
        some = [ball(0.78, place.tolist(), steps=24) for place in balls[k :: len(COLOURS)]]
        parts.append(Part("sweets", join(some), m.glaze(linear(colour), 0.08), True))
    return [Part(p.name, turn(p.mesh, "y", -20), p.material, True) for p in parts]


def _heap() -> Array:
    """Sweets dropped one by one to where they touch those below; heights by trying many places for each."""
    rng, radius = np.random.default_rng(5), 0.78
    placed = np.zeros((0, 3))
    for _ in range(175):
        tries = rng.uniform([-1, -1], [1, 1], (60, 2)) * [WIDE / 2 - radius - 0.06, DEEP / 2 - radius - 0.06]
        heights = np.full(len(tries), 0.25 + radius)
        if len(placed):
            apart = np.linalg.norm(tries[:, None] - placed[None, :, [0, 2]], axis=-1)
            over = placed[None, :, 1] + np.sqrt(np.maximum((2 * radius) ** 2 - apart**2, 0))
            heights = np.maximum(heights, np.where(apart < 2 * radius, over, 0).max(axis=1))
        low = heights.argmin()
        if heights[low] < FILLED:
            placed = np.concatenate([placed, [[tries[low, 0], heights[low], tries[low, 1]]]])
    return placed


def _label() -> Array:
    """A small cream label in front."""
    s = Sheet(5.4, 3.6, "#f5efdf", 110)
    s.block(2.7, 0.3, 5.4, 0.14, "#b3392f")
    s.text("Pip & Plum", 2.7, 1.25, 0.95, "#b3392f", bold=0.02)
    s.text("FRUIT DROPS", 2.7, 2.15, 0.48, "#33302b", spacing=0.14)
    s.text("net 180 g  6.3 oz", 2.7, 2.95, 0.32, "#33302b")
    # A sheet stood up by a quarter turn has its first row at the top.
    return s.linear()[::-1]

"""An unbleached canvas tote hanging from a peg on a painted wall, as second-hand sellers show bags."""

import numpy as np
from scipy import ndimage

from studio import materials as m
from studio import patterns, props
from studio.colour import linear
from studio.labels import Sheet
from studio.lighting import Room, Window, room
from studio.meshes import fillet, grid, lathe, move, sheet, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Material, Mesh, Part, Shot
from studio.noise import field

WIDTH, HEIGHT = 37.0, 41.0
# Width of the straps in cm, and how far from the middle they are sewn on as a share of half the width.
STRAP, ANCHOR = 2.6, 0.46
FRONT_PEG, BACK_PEG = (0.0, 27.0, 5.0), (0.0, 27.0, 2.2)


def build() -> Shot:
    """The whole photo."""
    windows = (
        Window("left", (120, 15), (190, 170), 9.0, (0.96, 1.0, 1.04)),
        Window("front", (60, 30), (120, 120), 2.0),
    )
    return Shot(
        name="canvas-tote",
        kind="cloth bag with two straps",
        tests="the hole between straps, thin straps, folds, cloth near the wall's colour, a printed mark",
        size=(1080, 1440),
        camera=Camera((6.0, -6.0, 118), (0.0, -7.6, 2), 37.0, aperture=0.3, focus=(0, -10, 4), roll=-0.6),
        parts=(*_bag(), *_wall()),
        environment=room(Room(windows=windows, seed=41, walls=(0.46, 0.45, 0.43))),
        finish=Finish(exposure=1.1, white=(1.02, 1.0, 0.96), contrast=1.1, grain=0.007),
        encoding=Encoding(quality=92),
        spp=26,
        depth=5,
    )


def _bag() -> list[Part]:
    """Front, back, straps and hem."""
    front, back = _panel(9, 0.0), _panel(19, 1.0)
    plain, height = patterns.weave((1024, 1024), 15, 60, "#d6c8a8", 0.9)
    strap = m.surface(plain, 0.92, specular=0.1, sheen=0.3, bump=height, depth=0.012, scale=(1.0, 10.0))
    parts = [
        Part("front", grid(front, flip=True), _canvas(), True),
        Part("back", grid(back, flip=True), m.surface(plain, 0.92, specular=0.1, sheen=0.3), True),
    ]
    for panel, peg, offset in ((front, FRONT_PEG, 0.14), (back, BACK_PEG, -0.14)):
        for share in (0.5 - ANCHOR / 2, 0.5 + ANCHOR / 2):
            column = round(share * (panel.shape[1] - 1))
            sewn = panel[0 : round(0.1 * len(panel)) : 6, column]
            parts.append(Part("strap", _strap(sewn, peg, np.sign(share - 0.5), offset), strap, True))
        parts.append(
            Part("hem", sweep(panel[0, ::4], 0.2, 0.34, up=(0.02, 0.1, 1), segments=12), strap, True)
        )
    return parts


def _panel(seed: int, back: float) -> Array:
    """Points (rows, columns, 3) of one side of the hanging bag: sag, folds from the straps, old creases.

    `back` is 0 for the side towards the viewer and 1 for the one against the wall.
    """
    t, s = np.meshgrid(np.linspace(0, 1, 330), np.linspace(-1, 1, 300), indexing="ij")
    high = (1 - t) ** 2.2
    inside = np.clip(1 - (s / ANCHOR) ** 2, 0, 1)
    outside = np.clip((np.abs(s) - ANCHOR) / (1 - ANCHOR), 0, 1)
    lean = 1 + 0.25 * s
    sag = (1.5 - 0.7 * back) * inside + 3.3 * lean * outside**1.5
    edge = 0.35 * np.sin(5.5 * t + 1.0 + np.sign(s)) * np.abs(s) ** 6
    x = s * WIDTH / 2 * (0.9 + 0.1 * t**0.7 - 0.012 * np.sin(np.pi * t)) + edge
    y = -t * HEIGHT - sag * high - 0.5 * np.cos(np.pi * s / 2) * t**3
    shape = (t.shape[0], t.shape[1])
    body = (
        (1 - np.abs(s) ** 2.6) ** 0.7
        * np.clip(1.1 - t, 0, 1) ** 0.35
        * (0.45 + 0.55 * np.sin(np.pi * np.clip(t, 0, 1)))
    )
    folds = np.zeros(shape)
    rng = np.random.default_rng(seed)
    for side in (-1, 1):
        for angle in rng.normal(0, 0.42, 6):
            along = (x - side * ANCHOR * WIDTH / 2 * 0.9) * np.sin(angle) - (y + 1.5) * np.cos(angle)
            off = (x - side * ANCHOR * WIDTH / 2 * 0.9) * np.cos(angle) + (y + 1.5) * np.sin(angle)
            ridge = np.exp(-((off / (0.45 + 0.07 * np.maximum(along, 0))) ** 2))
            reach = np.exp(-np.maximum(along, 0) / rng.uniform(7, 17)) * np.clip(along / 2.5, 0, 1)
            folds += rng.uniform(-0.3, 0.75) * ridge * reach
        # The corner outside each strap falls forward in one broad fold.
        folds += (
            0.8 * np.exp(-(((side * s - 0.80) / 0.10) ** 2)) * np.exp(-t / 0.45) * np.clip(t * 6 + 0.4, 0, 1)
        )
    crumple = 0.26 * field(shape, seed + 3, slope=2.3, low=1.5, high=40, stretch=(0.75, 1))
    crease = 0.10 * np.exp(-np.abs(y + 0.52 * HEIGHT + 0.2 * np.sin(x / 6)) / 0.35) - 0.08 * np.exp(
        -np.abs(x - 0.8) / 0.35
    )
    calm = np.clip((1 - np.abs(s)) * 14, 0, 1) * np.clip((1 - t) * 14, 0, 1)
    depth = (2.6 * body + (folds + crumple + crease) * calm) * (1 - 0.75 * back) * (1 - 2 * back * 0.2)
    z = 1.5 + np.maximum(depth, -0.9) + (1 - back) * (0.9 * high * (1 - np.abs(s) ** 4))
    return np.stack([x, y, np.maximum(z - 0.8 * back, 0.25)], axis=-1)


def _strap(sewn: Array, peg: tuple[float, float, float], side: float, offset: float) -> Mesh:
    """One taut half of a strap: sewn down over 4 cm, then straight up and over the peg."""
    out = sewn[::-1] + np.array([0, 0, offset])
    top = np.array([side * 0.55, peg[1] + 0.25, peg[2]])
    rise = [
        out[-1] * (1 - t) + top * t + np.array([side * 0.5 * np.sin(np.pi * t), 0, 0.1 * np.sin(9 * t)])
        for t in np.linspace(0.08, 1, 14)
    ]
    over = [np.array([side * 0.25, peg[1] + 0.78, peg[2]]), np.array([0.0, peg[1] + 0.86, peg[2]])]
    path = spline(np.concatenate([out, rise, over]).tolist(), steps=5)
    t = np.linspace(0, 1, len(path))
    width = np.where(t > 0.55, STRAP * (1 - 0.35 * (t - 0.55) / 0.45), STRAP)
    return sweep(path, width, 0.24, up=(0, 0, 1), power=5, segments=28)


def _canvas() -> Material:
    """The weave with its printed mark, hem stitches and the box stitches that hold the straps."""
    weave, height = patterns.weave((2048, 2048), 14, 130, "#d9ccad", 0.9)
    s = Sheet(WIDTH, HEIGHT, "#ffffff", 52)
    blue = "#1f3f5c"
    s.ring(WIDTH / 2, 20.5, 8.2, 0.34, blue)
    s.disc(WIDTH / 2, 17.6, 2.3, blue)
    for k, lift in enumerate((0.0, 1.3, 2.6)):
        s.block(WIDTH / 2, 21.6 + lift, 12.4 - 2.0 * k, 0.42, blue, radius=0.2)
    s.text("HARBOUR", WIDTH / 2, 31.6, 2.9, blue, bold=0.035, spacing=0.14)
    s.text("BOOKS & PAPER", WIDTH / 2, 34.3, 1.25, blue, bold=0.02, spacing=0.24)
    for x in np.arange(0.2, WIDTH, 0.42):
        s.block(float(x), 2.6, 0.26, 0.06, "#b7a988")
    print_ = np.clip(s.linear()[::-1], 0, 1)
    print_ = np.stack(
        [
            ndimage.zoom(print_[..., k], (2048 / len(print_), 2048 / print_.shape[1]), order=1)
            for k in range(3)
        ],
        axis=-1,
    )
    # Screen ink sits on the threads' tops and misses the valleys.
    ink = np.clip(
        (1 - print_)
        * np.clip(0.55 + 0.5 * height + 0.05 * field((2048, 2048), 8, slope=1.0), 0, 1)[..., None],
        0,
        1,
    )
    return m.surface(weave * (1 - ink * 0.96), 0.92, specular=0.1, sheen=0.3, bump=height, depth=0.02)


def _wall() -> list[Part]:
    """Painted plaster, a peg rail and the peg that carries the bag."""
    colour, bump = patterns.plaster((2048, 2048), 51, "#b9c2b4")
    wall = m.surface(colour, 0.7, specular=0.3, bump=bump, depth=0.006)
    rail_colour, rail_height = patterns.wood((512, 2048), 33, "#6b4a2e", "#a67c50", rings=14)
    rail = m.surface(rail_colour, 0.45, bump=rail_height, depth=0.02)
    peg = turn(
        lathe(
            fillet(
                [(0, -1, 0), (0.7, -1, 0), (0.72, 6.2, 0.6), (1.15, 6.8, 0.4), (1.2, 7.5, 0.3), (0, 7.7, 0)]
            )
        ),
        "x",
        90,
    )
    pegs = [
        Part("peg", move(peg, (x, FRONT_PEG[1] + 0.05, 0)), m.surface(rail_colour[:256, :256], 0.45))
        for x in (-26.0, 0.0, 26.0)
    ]
    return [
        Part("wall", turn(sheet(400, 300), "x", 90), wall),
        Part("rail", move(props.slab(150, 8, 1.8), (0, FRONT_PEG[1] - 4, 0.6)), rail),
        *pegs,
        Part("floor", move(sheet(400, 300), (0, -110, 150)), m.matte(linear("#8d7a64"))),
    ]

"""A white sneaker in a green room: every side of it carries green that belongs to the walls."""

import numpy as np

from studio import materials as m
from studio import patterns, props
from studio.colour import linear
from studio.lighting import Room, Window, room, soft_box
from studio.meshes import grid, join, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field
from studio.shapes import loft, tube

# Along the shoe from heel to toe in cm: half width of the sole, height of the upper, its lean to the inside.
ALONG = [-13.6, -13.0, -11.0, -7.0, -2.0, 3.0, 7.0, 10.5, 13.0, 14.4, 14.8]
HALF = [1.2, 2.6, 3.6, 3.7, 3.6, 4.1, 4.7, 4.7, 3.8, 2.2, 0.9]
HIGH = [7.0, 8.6, 9.6, 8.8, 9.2, 8.6, 6.6, 5.2, 4.6, 3.9, 3.2]
SOLE = 2.7


def build() -> Shot:
    """The whole photo."""
    green = (0.03, 0.34, 0.05)
    panel = Window("front", (-60, 40), (220, 150), 2.2, (1, 1, 1), (0, 0))
    walls = Room(walls=green, floor=green, ceiling=(0.3, 0.5, 0.3), windows=(panel,), clutter=0.1, seed=191)
    key = soft_box((-60, 90, 60), (0, 3, 0), (90, 90), 5.0)
    return Shot(
        name="green-room-sneaker",
        kind="white canvas shoe in a green room",
        tests="strong green spill on white edges, laces, white canvas",
        size=(2100, 1575),
        camera=Camera((-26, 25, 62), (0.0, 4.4, 0), 28.0, aperture=0.15, focus=(-2, 5, 4), roll=0.2),
        parts=(*_shoe(), props.sweep_ground(400, 190, 180, 40, "#1fa83a")),
        environment=room(walls),
        lights=(key,),
        finish=Finish(exposure=1.05, contrast=1.06, grain=0.006),
        encoding=Encoding(quality=92),
        spp=40,
        depth=8,
    )


def _shoe() -> list[Part]:
    """Rubber sole with a stripe and a toe cap, canvas upper, lining, tongue and laces."""
    weave, height = patterns.weave((1024, 1024), 5, 90, "#efeee9", 0.6)
    canvas = m.surface(weave, 0.9, sheen=0.3, bump=height, depth=0.02, scale=(3, 3))
    rubber, lining = m.surface(linear("#f0efe9"), 0.5), m.surface(linear("#c9c4b6"), 0.95)
    stripe = m.surface(linear("#21406b"), 0.45)
    parts = [
        ("upper", _upper(0.0), canvas),
        ("lining", _upper(0.28), lining),
        ("sole", _sole(0.0, SOLE, 0.35), rubber),
        ("stripe", join([tube(_edge(0.42, 1.75), 0.16, closed=True)]), stripe),
        ("toe cap", _toe(), rubber),
        ("collar", tube(_collar(), 0.32, closed=True), canvas),
        ("tongue", _tongue(), canvas),
        ("laces", _laces(), m.surface(linear("#f4f3ee"), 0.85, sheen=0.3)),
    ]
    return [Part(name, turn(mesh, "y", -14), skin, True) for name, mesh, skin in parts]


def _at(x: Array) -> tuple[Array, Array]:
    """Half width and height of the shoe at places along it, smoothly."""
    curve = spline([[a, h, t] for a, h, t in zip(ALONG, HALF, HIGH, strict=True)], 20)
    return np.interp(x, curve[:, 0], curve[:, 1]), np.interp(x, curve[:, 0], curve[:, 2])


def _edge(grow: float, y: float, steps: int = 160) -> Array:
    """The sole's outline at a height, `grow` cm wider than the upper, and bent like a foot."""
    x = -np.cos(np.linspace(0, np.pi, steps // 2)) * 14.2 + 0.6
    half, _ = _at(x)
    near = np.stack([x, np.full_like(x, y), half + grow + 0.35 * np.cos(x / 6)], axis=-1)
    far = np.stack([x, np.full_like(x, y), -half - grow + 0.35 * np.cos(x / 6)], axis=-1)
    ring = np.concatenate([near, far[::-1]])
    toe = np.clip((x - 8) / 6.8, 0, 1) ** 2 * 0.7
    ring[:, 1] += np.concatenate([toe, toe[::-1]])
    return np.asarray(ring)


def _sole(low: float, high: float, grow: float) -> Mesh:
    """A slab with the shoe's outline and rounded edges."""
    levels = [(low, grow - 0.25), (low + 0.25, grow), (high - 0.25, grow), (high, grow - 0.25)]
    rings = [_edge(g, y) for y, g in levels]
    return loft(np.stack([np.concatenate([r, r[:1]]) for r in rings]))


def _opening(x: Array) -> Array:
    """How far the upper reaches from sole (0) to instep (1): less where the foot goes in."""
    gap = np.clip((x + 11.8) / 1.5, 0, 1) * np.clip((2.6 - x) / 2.5, 0, 1)
    throat = np.clip((x - 0.5) / 1.0, 0, 1) * np.clip((7.6 - x) / 1.5, 0, 1)
    return 1 - np.maximum(0.26 * gap, 0.15 * throat)


def _skin(x: Array, share: Array, inset: float) -> Array:
    """Points of the upper at places along and around it; `share` -1 and 1 are the two lower edges."""
    half, high = _at(x)
    angle = np.pi / 2 * (1 - np.abs(share)) * np.sign(share + 1e-9)
    around, up = np.sign(share) * np.cos(angle) ** 0.75, np.abs(np.sin(angle)) ** 0.8
    lift = np.clip((x - 8) / 6.8, 0, 1) ** 2 * 0.7
    y = SOLE - 0.4 + lift + (high - 1.2 - inset) * up
    return np.stack([x, y, around * (half - inset) * (1 - 0.18 * up) + 0.35 * np.cos(x / 6)], axis=-1)


def _upper(inset: float) -> Mesh:
    """Both sides of the upper as two sheets that meet on the instep and part at the opening."""
    x = (-np.cos(np.linspace(0, np.pi, 140)) * (14.1 - inset) + 0.6)[:, None]
    sheets = []
    for side in (-1.0, 1.0):
        share = np.linspace(0, 1, 50)[None] * np.ones_like(x)
        reach = _opening(x)
        place = side * (1 - share * reach)
        points = _skin(np.broadcast_to(x, share.shape), place, inset)
        crease = 0.06 * field((140, 50), 7 + int(side), slope=2.2, high=14)
        points[..., 1] += crease * np.sin(np.pi * share)
        sheets.append(grid(points, flip=side > 0))
    return join(sheets)


def _collar() -> Array:
    """The padded edge of the opening, all round."""
    x = -np.cos(np.linspace(0, np.pi, 60)) * 7.1 - 4.7
    share = 1 - _opening(x)
    near, far = _skin(x, np.maximum(share, 0.01), 0.1), _skin(x, -np.maximum(share, 0.01), 0.1)
    return np.concatenate([near, far[::-1]])


def _toe() -> Mesh:
    """The rubber cap, a little outside the canvas."""
    x = np.linspace(10.2, 14.75, 50)[:, None] * np.ones((1, 80))
    share = np.linspace(-1, 1, 80)[None] * np.ones_like(x)
    return grid(_skin(x, share, -0.12), flip=True)


def _tongue() -> Mesh:
    """A padded strip under the laces that stands up out of the opening."""
    path = spline([(7.6, 6.9, 0.1), (5.5, 7.9, 0.3), (3, 9.0, 0.3), (0.8, 10.4, 0.3), (-0.4, 12.0, 0.3)], 12)
    return sweep(path, 4.6, 0.55, up=(0.4, 1, 0), power=4, segments=30)


def _laces() -> Mesh:
    """Five rungs across the throat and a bow."""
    out = []
    for x in (1.4, 2.9, 4.4, 5.9, 7.3):
        ends = [_skin(np.array([x]), np.array([s]), -0.12)[0] for s in (0.24, -0.24)]
        middle = (ends[0] + ends[1]) / 2 + np.array([0, 0.55, 0])
        out.append(sweep(spline([ends[0], middle, ends[1]], 10), 0.75, 0.16, up=(0.3, 1, 0), power=4))
    knot = _skin(np.array([1.3]), np.array([0.02]), -0.9)[0]
    for side in (-1.0, 1.0):
        loop = [
            (0, 0, 0),
            (0.3, 0.7, side * 1.5),
            (0.2, 0.2, side * 3.2),
            (0.9, -0.5, side * 2.4),
            (0.3, 0, side * 0.5),
        ]
        out.append(tube(spline([knot + np.array(p) for p in loop], 12), 0.2))
        tail = [(0, 0, 0), (1.0, 0.2, side * 1.6), (1.6, -0.6, side * 3.0), (1.8, -2.2, side * 3.9)]
        out.append(tube(spline([knot + np.array(p) for p in tail], 12), 0.2))
    return join(out)

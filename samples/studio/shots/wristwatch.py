"""A wristwatch with a leather strap closed to a loop, on grey stone: strap, stitches, a printed dial."""

import numpy as np

from studio import materials as m
from studio.colour import linear
from studio.labels import Sheet
from studio.lighting import soft_box
from studio.meshes import box, fillet, join, lathe, move, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field
from studio.sets import daylight, stone_top
from studio.shapes import torus

# In millimetres rather than cm, to keep the tracer's tolerances out of sight.
CASE, DIAL, FACING = 20.0, 17.0, 38.0
LOOP, MIDDLE = (26.0, 29.0), 27.6


def build() -> Shot:
    """The whole photo."""
    lamp = soft_box((-260, 420, 180), (0, 20, 0), (260, 220), 4.0)
    return Shot(
        name="wristwatch",
        kind="watch with a leather strap",
        tests="a strap with stitches, narrow gaps at the lugs, polished steel beside grey stone",
        size=(1500, 1500),
        camera=Camera((105, 135, 300), (4, 27, 4), 18.5, aperture=1.1, focus=(2, 40, 26), roll=0.3),
        parts=(*_watch(), stone_top(141, "#8f9291", 1600.0, gloss=0.42)),
        environment=daylight(143, light=9.0, walls=0.3),
        lights=(lamp,),
        finish=Finish(exposure=1.1, white=(1.0, 1, 0.99), contrast=1.12, grain=0.007),
        encoding=Encoding(quality=92),
        spp=48,
        depth=9,
    )


def _watch() -> list[Part]:
    """Strap, its stitches and keeper, and the case with dial, hands and crown."""
    steel = m.metal("Cr", 0.13)
    grain = -np.abs(field((1024, 1024), 5, slope=0.7, low=20, high=150))
    hide = m.surface(linear("#7a3f1c"), 0.5, specular=0.4, bump=grain, depth=0.5, scale=(1, 6))
    path = _loop(FACING + 38, FACING + 322, 160)
    wide = np.interp(np.linspace(0, 1, len(path)), [0, 0.35, 0.65, 1], [20.0, 17.0, 17.0, 20.0])
    strap = sweep(path, 2.8, wide, up=(1, 0, 0), power=5, segments=40)
    keeper = sweep(_loop(FACING + 205, FACING + 215, 8, 2.0), 1.6, 20.5, up=(1, 0, 0), power=5)
    dial, white = m.surface(_dial(), 0.4, specular=0.4), m.surface(linear("#e8e4da"), 0.6)
    things = [
        (_faced(lathe(_case(), 160)), steel),
        (_faced(_disc()), dial),
        (_faced(_hands()), m.glaze(linear("#1b2a4a"), 0.1)),
        (
            _faced(
                move(turn(lathe(_crown(), 240, lambda a: 1 + 0.05 * np.sin(20 * a)), "z", -90), (CASE, -3, 0))
            ),
            steel,
        ),
        (_faced(_lugs()), steel),
        (strap, hide),
        (keeper, hide),
        (_stitches(), white),
    ]
    return [Part("watch", turn(mesh, "y", 24), skin, True) for mesh, skin in things]


def _loop(start: float, end: float, steps: int, grow: float = 0.0) -> Array:
    """Points of the strap's loop in the y-z plane, at angles in degrees from the front."""
    angle = np.radians(np.linspace(start, end, steps))
    # At the case the strap leaves its loop to reach the lugs, which stand off it.
    off = np.abs((np.linspace(start, end, steps) - FACING + 180) % 360 - 180)
    curve = spline([[36, 3.7, 0], [45, 6, 0], [55, 7, 0], [70, 5, 0], [90, 2, 0], [112, 0, 0], [180, 0, 0]])
    stands = np.interp(off, curve[:, 0], curve[:, 1]) * (off > 5) + grow
    y, z = LOOP[0] + stands, LOOP[1] + stands
    return np.stack([0 * angle, MIDDLE + y * np.sin(angle), z * np.cos(angle)], axis=-1)


def _faced(mesh: Mesh) -> Mesh:
    """From lying flat, face up, to its place on the loop."""
    place = _loop(FACING, FACING, 1, 2.0)[0]
    return move(turn(mesh, "x", 90 - FACING), place)


def _case() -> Array:
    """Back, side and a sloping bezel, down to the dial's edge."""
    return fillet(
        [
            (0, -6, 0),
            (15, -6, 1),
            (18, -5, 1),
            (CASE, -4, 0.6),
            (CASE, 0.5, 0.8),
            (19.4, 2.2, 0.4),
            (18.2, 2.8, 0.3),
            (17.2, 0.2, 0),
        ]
    )


def _crown() -> Array:
    """The ribbed knob at the side."""
    return fillet([(0, -1, 0), (1.6, -1, 0), (1.6, 0.6, 0), (2.9, 0.7, 0.2), (2.9, 3.6, 0.5), (0, 3.9, 0)])


def _lugs() -> Mesh:
    """Four horns that hold the strap."""
    horn = box(2.6, 4.6, 8.0, 1.1)
    return join(
        [move(turn(horn, "x", 28 * side), (x, -6.4, 18.5 * side)) for x in (-11.6, 11.6) for side in (-1, 1)]
    )


def _disc() -> Mesh:
    """The dial, with uv laid flat over it, its twelve away from the viewer."""
    mesh = lathe(np.array([[DIAL + 0.4, 0.2], [DIAL / 2, 0.2], [0, 0.2]]), 120)
    flat = np.stack([mesh.points[:, 0], -mesh.points[:, 2]], axis=-1) / (2 * DIAL + 0.8) + 0.5
    return Mesh(mesh.points, mesh.faces, flat)


def _hands() -> Mesh:
    """Ten past ten, as watches are photographed."""
    hour, minute, second = box(1.5, 0.3, 9.5, 0.1), box(1.1, 0.3, 14.5, 0.1), box(0.35, 0.2, 17, 0.05)
    hands = [(hour, 55.0, 3.2), (minute, -60.0, 5.4), (second, 170.0, 5.0)]
    out = [
        move(turn(move(h, (0, 0, -reach)), "y", at), (0, 0.9 + 0.25 * k, 0))
        for k, (h, at, reach) in enumerate(hands)
    ]
    return join([*out, lathe(fillet([(1.2, 0.3, 0), (1.2, 1.9, 0.2), (0, 2.0, 0)]))])


def _dial() -> Array:
    """Cream dial: bars for the hours, dots for the minutes, the maker's name."""
    s = Sheet(3.4, 3.4, "#efe9da", 300)
    for minute in range(60):
        a = np.radians(6 * minute)
        s.disc(1.7 + 1.55 * np.sin(a), 1.7 - 1.55 * np.cos(a), 0.014 if minute % 5 else 0.03, "#2a2a2c")
    for hour in range(1, 13):
        a = np.radians(30 * hour)
        s.text(str(hour), 1.7 + 1.28 * np.sin(a), 1.7 - 1.28 * np.cos(a), 0.3, "#22303f", bold=0.02)
    s.text("HALDEN", 1.7, 1.12, 0.2, "#22303f", bold=0.02, spacing=0.14)
    s.text("automatic", 1.7, 2.3, 0.14, "#8a2f25", spacing=0.05)
    return s.linear()


def _stitches() -> Mesh:
    """Two rows of thread on the strap's outside."""
    ring = torus(0.55, 0.4, squash=0.35, steps=12, segments=6)
    out = []
    for degrees in np.arange(FACING + 42, FACING + 320, 3.4):
        outward = np.radians(degrees)
        place = _loop(degrees, degrees, 1, 1.42)[0]
        wide = (
            np.interp((degrees - FACING - 36) / 288, [0, 0.35, 0.65, 1], [20.0, 17.0, 17.0, 20.0]) / 2 - 1.7
        )
        stitch = turn(turn(ring, "y", 90), "x", 90 - np.degrees(outward))
        out += [move(stitch, place + np.array([side * wide, 0, 0])) for side in (-1, 1)]
    return join(out)

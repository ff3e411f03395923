"""A spindle-back chair in a room: thin legs, gaps between spindles, a floor of nearly its own colour."""

import numpy as np

from studio import materials as m
from studio import patterns
from studio.meshes import box, join, move, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Material, Mesh, Part, Shot
from studio.sets import daylight, floor, plaster_wall
from studio.shapes import tube

SEAT, BACK = 45.0, 86.0


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="wooden-chair",
        kind="wooden chair with a spindle back",
        tests="furniture: thin legs and stretchers, gaps between spindles, wood on wood",
        size=(1800, 2400),
        camera=Camera((-95, 92, 215), (0, 42, 0), 28.0, aperture=0.4, focus=(0, 45, 10), roll=-0.4),
        parts=(
            *_chair(),
            floor("#6b4a2e", 211, 900.0),
            plaster_wall(-110, "#c6ccc6", 53, 900.0),
        ),
        environment=daylight(213, light=13.0),
        finish=Finish(exposure=1.15, white=(1.02, 1, 0.97), contrast=1.08, grain=0.007),
        encoding=Encoding(quality=90),
        spp=28,
        depth=6,
    )


def _chair() -> list[Part]:
    """Seat, four splayed legs with stretchers, two posts, spindles and a bent top rail."""
    oak, seat_wood = _wood(5, (1.0, 3.0)), _wood(7, (1.0, 1.0))
    seat = move(box(43, 3.4, 41, 1.5), (0, SEAT - 3.4, 0))
    legs = {
        (x, z): _turned((x * 15, SEAT - 2.5, z * 14), (x * 20, 0.9, z * 19), 1.75)
        for x in (-1, 1)
        for z in (-1, 1)
    }
    rails = [_turned((-18, 17, z * 17), (18, 17, z * 17), 1.1) for z in (-1, 1)] + [
        _turned((x * 17.7, 22, -16.4), (x * 17.7, 22, 16.4), 1.1) for x in (-1, 1)
    ]
    top = spline(
        [
            (-22, BACK - 1, -22.5),
            (-11, BACK + 1, -27),
            (0, BACK + 1.6, -28.5),
            (11, BACK + 1, -27),
            (22, BACK - 1, -22.5),
        ],
        14,
    )
    rail = sweep(top, 1.9, 6.5, up=(0, 1, 0), power=3.5, segments=36)
    spindles = []
    for x in np.linspace(-16, 16, 7):
        head = np.array([x * 1.12, BACK, -28.3 + 5.6 * (x / 20) ** 2])
        spindles.append(_turned((x, SEAT - 1, -17.5), head.tolist(), 0.72))
    posts = [_turned((x * 19, SEAT - 1, -17), (x * 21, BACK - 1, -23.0), 1.35) for x in (-1, 1)]
    wood = [*legs.values(), *rails, *spindles, *posts]
    parts = [("seat", seat, seat_wood), ("rail", rail, oak), ("turned", join(wood), oak)]
    return [Part(name, turn(mesh, "y", 20), skin, True) for name, mesh, skin in parts]


def _turned(
    start: tuple[float, float, float], end: tuple[float, float, float] | list[float], radius: float
) -> Mesh:
    """A rod turned thicker in its middle."""
    a, b = np.array(start), np.array(end)
    t = np.linspace(0, 1, 24)
    path: Array = a + t[:, None] * (b - a)
    return tube(path, radius * (0.72 + 0.28 * np.sin(np.pi * t)), segments=24)


def _wood(seed: int, scale: tuple[float, float]) -> Material:
    """Oiled oak."""
    colour, height = patterns.wood((1024, 1024), seed, "#86592f", "#c79a61", rings=14)
    return m.surface(colour, 0.4, specular=0.4, bump=height, depth=0.02, scale=scale)

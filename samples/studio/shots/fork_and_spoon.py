"""A fork and a spoon on linen, side by side: gaps between tines, steel that takes the cloth's colour."""

import numpy as np

from studio import materials as m
from studio.lighting import soft_box
from studio.meshes import join, move, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field
from studio.sets import cloth_ground, daylight
from studio.shapes import loft

# Along each piece from the handle's end (0) to the tip (1): half width, height, rise of its sides.
SPOON = [
    (0.0, 0.3, 0.55, 0.0),
    (0.025, 0.85, 0.5, 0.0),
    (0.3, 0.72, 0.3, 0.0),
    (0.55, 0.42, 0.75, 0.0),
    (0.66, 0.42, 0.85, 0.02),
    (0.72, 1.2, 0.55, 0.35),
    (0.84, 2.05, 0.16, 0.75),
    (0.94, 1.6, 0.3, 0.6),
    (0.985, 0.8, 0.72, 0.2),
    (1.0, 0.12, 0.9, 0.02),
]
FORK = [*SPOON[:5], (0.71, 0.95, 0.72, 0.1), (0.77, 1.22, 0.5, 0.16), (0.82, 1.25, 0.38, 0.12)]
LONG = 19.5


def build() -> Shot:
    """The whole photo."""
    lamp = soft_box((-70, 100, -40), (0, 0, 0), (90, 70), 3.2)
    return Shot(
        name="fork-and-spoon",
        kind="polished steel cutlery",
        tests="gaps between tines, two products at once, steel that mirrors the cloth it lies on",
        size=(1350, 1800),
        camera=Camera((3, 50, 30), (0.2, 0, 0.6), 23.5, aperture=0.2, focus=(0, 0.5, 0), roll=-0.5),
        parts=(*_cutlery(), cloth_ground(231, "#c2b6a2", 130, 150)),
        environment=daylight(233, light=12.0, walls=0.3),
        lights=(lamp,),
        finish=Finish(exposure=1.1, white=(1.02, 1, 0.97), contrast=1.1, grain=0.007),
        encoding=Encoding(quality=92),
        spp=44,
        depth=7,
    )


def _cutlery() -> list[Part]:
    """Both pieces, each turned a little its own way."""
    worn = np.clip(0.12 + 0.02 * field((512, 512), 5, slope=1.2), 0.03, 0.3)
    steel = m.metal("Cr", worn)
    fork = join([_blade(FORK), *_tines()])
    return [
        Part("fork", move(turn(fork, "y", 4), (-3.4, 0.02, 0.4)), steel, True),
        Part("spoon", move(turn(_blade(SPOON), "y", -3), (3.2, 0.02, 0)), steel, True),
    ]


def _blade(stations: list[tuple[float, float, float, float]]) -> Mesh:
    """A strip of steel through the stations, 2 mm thick, its sides raised where it is hollow."""
    curve = spline(stations, 14)
    angle = np.linspace(0, 2 * np.pi, 61)
    c, s = np.cos(angle)[None], np.sin(angle)[None]
    wide, middle, rise = curve[:, 1:2], curve[:, 2:3], curve[:, 3:4]
    y = middle + rise * c**2 + 0.1 * np.sign(s) * np.abs(s) ** 0.6
    z = np.broadcast_to(LONG * (0.5 - curve[:, :1]), y.shape)
    return loft(np.stack([wide * c, y, z], axis=-1))


def _tines() -> list[Mesh]:
    """Four tines, together as wide as the fork, bowed up towards their points."""
    out = []
    for x in np.linspace(-1.02, 1.02, 4):
        side: Array = np.array([x, 0.44, LONG * -0.30])
        lift = 0.1 * (x / 1.02) ** 2
        steps = np.array([[0, 0, 0], [0, 0.02 + lift, -1.2], [0, 0.18 + lift, -2.6], [0, 0.55, -3.8]])
        line = spline((side + steps).tolist(), 12)
        wide = np.interp(np.linspace(0, 1, len(line)), [0, 0.7, 1], [0.42, 0.34, 0.14])
        out.append(sweep(line, wide, 0.2, up=(0, 1, 0), power=2.6))
    return out

"""Over-ear headphones with their cable on a desk, lying on one cup, among what is usually there."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.meshes import dense, fillet, join, lathe, move, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Material, Mesh, Part, Shot
from studio.noise import field
from studio.sets import daylight, desk, plaster_wall
from studio.shapes import arc, mirrored, torus, tube


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="headphones",
        kind="headphones with a cable",
        tests="a thin cable, the large opening under the band, black parts beside their own shadow",
        size=(1600, 1600),
        camera=Camera((13, 24, 66), (2.5, 9.2, 1), 30.0, aperture=0.25, focus=(0, 9, 6), roll=0.4),
        parts=(
            *_headphones(),
            *_cable(),
            *desk(101, "#7c5a3a", "#c49a6c"),
            plaster_wall(-62, "#b7bdc2", 9),
            *props.book((16, 2.2, 22), (-22, 0, -24), 14, "#37474f"),
            props.bowl(4.2, 8.5, (24, 0, -24), linear("#e0dccf")),
        ),
        environment=daylight(103, light=13.0),
        finish=Finish(exposure=1.1, white=(1.02, 1, 0.96), contrast=1.08, grain=0.007),
        encoding=Encoding(quality=92),
        spp=36,
        depth=7,
    )


def _headphones() -> list[Part]:
    """Padded band, steel forks, and two cups with leather cushions, standing on their cups."""
    black, leather = m.surface(linear("#1d1e20"), 0.35), _leather()
    steel = m.metal("Al", 0.22)
    band = arc((0, 10.5, 0), (8.6, 8.6), (4, 176), 70)
    inner = arc((0, 10.4, 0), (8.0, 7.9), (32, 148), 50)
    out = [
        Part("band", sweep(band, 2.6, 0.35, up=(0, 0, 1), power=5, segments=36), black, True),
        Part("pad", sweep(inner, 2.9, 1.1, up=(0, 0, 1), power=2.6, segments=36), leather, True),
    ]
    out = [Part(p.name, _laid(p.mesh), p.material, True) for p in out]
    cup, cushion, fork = _cup(), _cushion(), _fork()
    for side in (False, True):
        for name, mesh, skin in (("cup", cup, black), ("cushion", cushion, leather), ("fork", fork, steel)):
            out.append(Part(name, _laid(mirrored(mesh) if side else mesh), skin, True))
    return out


def _laid(mesh: Mesh) -> Mesh:
    """Turned a little and leant back, standing on the cups' lower rims."""
    return move(turn(turn(mesh, "x", -7), "y", -28), (0, -0.26, 0))


def _cup() -> Mesh:
    """One cup, its back turned outward along +x."""
    profile = dense(
        fillet(
            [(0, 1.9, 0), (2.6, 1.85, 0.3), (3.9, 1.2, 0.7), (4.3, 0.2, 0.3), (4.2, -0.6, 0.2), (0, -0.6, 0)]
        )
    )
    return move(turn(lathe(profile[::-1]), "z", -90), (8.6, 4.6, 0))


def _cushion() -> Mesh:
    """A thick soft ring on the cup's inner side."""
    ring = torus(3.15, 2.1, steps=90, segments=28)
    return move(turn(ring, "z", -90), (7.4, 4.6, 0))


def _fork() -> Mesh:
    """Half a hoop of steel that holds the cup at either side, and the slider into the band."""
    hoop = arc((0, 0, 0), (4.75, 4.75), (0, 180), 50)
    points = np.stack([0 * hoop[:, 0] + 8.9, hoop[:, 1] + 4.7, hoop[:, 0]], axis=-1)
    slider = sweep(spline([(8.9, 9.3, 0), (8.75, 10.4, 0), (8.6, 11.8, 0)]), 1.3, 0.25, up=(0, 0, 1), power=5)
    return join([tube(points, 0.2), slider])


def _leather() -> Material:
    """Soft black leather with a fine grain."""
    grain = -np.abs(field((1024, 1024), 5, slope=0.6, low=30, high=160))
    return m.surface(linear("#26231f"), 0.5, specular=0.4, bump=grain, depth=0.02, scale=(3, 2))


def _cable() -> list[Part]:
    """A rubber cable from the nearer cup, wandering over the desk to its plug."""
    cup = _laid(Mesh(np.array([[9.2, 0.6, 1.0]]), np.zeros((0, 3), int), np.zeros((1, 2)))).points[0]
    start: Array = cup
    path = spline(
        [
            tuple(start + np.array([0, 0.5, 0])),
            tuple(start + np.array([1.0, -0.5, 1.2])),
            (12.5, 0.2, 10),
            (10.5, 0.17, 14.5),
            (3, 0.17, 14.0),
            (-2, 0.17, 11.0),
            (-8, 0.17, 12.5),
            (-9.5, 0.17, 16.0),
            (-4, 0.17, 17.6),
            (2, 0.17, 16.4),
        ],
        24,
    )
    path[:, 1] = np.maximum(path[:, 1], 0.17)
    plug = tube(path[-1] + np.linspace(0, 1, 8)[:, None] * np.array([2.2, 0.12, -0.5]), 0.3)
    tip = tube(path[-1] + np.linspace(1, 2, 8)[:, None] * np.array([2.2, 0.06, -0.5]), 0.17)
    rubber = m.surface(linear("#1b1b1c"), 0.45)
    return [
        Part("cable", tube(path, 0.17), rubber, True),
        Part("plug", plug, rubber, True),
        Part("tip", tip, m.metal("Au", 0.15), True),
    ]

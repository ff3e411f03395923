"""An empty wire basket with two handles on a wooden table: more holes than product."""

import numpy as np

from studio import materials as m
from studio import props
from studio.meshes import join, spline, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.sets import daylight, desk, plaster_wall
from studio.shapes import tube

# Half width, half depth and height in cm; the foot is smaller by `TAPER`.
WIDE, DEEP, TALL, TAPER = 14.0, 10.0, 11.0, 0.82


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="wire-basket",
        kind="mesh basket of copper wire",
        tests="a mesh of dozens of open cells, front and back wires crossing, thin handles",
        size=(2880, 2160),
        camera=Camera((10, 31, 72), (0.5, 5.6, 0), 29.0, aperture=0.15, focus=(0, 6, 8), roll=0.3),
        parts=(
            *_basket(),
            *desk(171, "#8a6a48", "#d0ad7f", 160.0),
            plaster_wall(-66, "#bfc4bd", 23),
            *props.book((16, 2.2, 22), (-27, 0, -26), 18, "#8d4a3c"),
            props.canister(5.5, 14, (27, 0, -30), "#41545b"),
        ),
        environment=daylight(173, light=13.0),
        finish=Finish(exposure=1.1, white=(1.02, 1, 0.97), contrast=1.1, grain=0.007),
        encoding=Encoding(quality=90),
        spp=28,
        depth=6,
    )


def _ring(share: float) -> Array:
    """The basket's outline at a share of its height: a rectangle with very round corners."""
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)
    grow = TAPER + (1 - TAPER) * share
    c, s = np.cos(angle), np.sin(angle)
    x, z = np.sign(c) * np.abs(c) ** 0.55 * WIDE * grow, np.sign(s) * np.abs(s) ** 0.55 * DEEP * grow
    return np.stack([x, np.full_like(x, 0.2 + TALL * share), z], axis=-1)


def _basket() -> list[Part]:
    """Thick rim and foot, thinner hoops, staves bent up from the floor's grid, and the handles."""
    copper = m.metal("Cu", 0.24)
    thick = [tube(_ring(share), radius, closed=True) for share, radius in ((0, 0.2), (1, 0.32))]
    hoops = [tube(_ring(share), 0.12, closed=True, segments=10) for share in (0.2, 0.4, 0.6, 0.8)]
    foot, rim = _ring(0.0), _ring(1.0)
    staves = [tube(np.linspace(foot[k], rim[k], 6), 0.12, segments=10) for k in _even(foot, 44)]
    handles = [_handle(side) for side in (-1.0, 1.0)]
    wires = [*thick, *hoops, *staves, *_floor(foot), *handles]
    return [Part("wire", turn(join(wires), "y", 22), copper, True)]


def _even(ring: Array, count: int) -> list[int]:
    """Indices of `count` points spread evenly along a ring, whose own points crowd in the corners."""
    step = np.linalg.norm(np.roll(ring, -1, axis=0) - ring, axis=1)
    way = np.concatenate([[0], np.cumsum(step)])
    return [int(np.abs(way[:-1] - at).argmin()) for at in np.linspace(0, way[-1], count, endpoint=False)]


def _floor(foot: Array) -> list[Mesh]:
    """Wires across the bottom, both ways, each as long as the foot's outline lets it be."""
    out = []
    for axis, other, half in ((0, 2, WIDE), (2, 0, DEEP)):
        for at in np.linspace(-0.66, 0.66, 9 if axis == 0 else 7) * half:
            near = foot[np.abs(foot[:, axis] - at) < 0.6]
            reach = float(np.abs(near[:, other]).max())
            ends = np.zeros((2, 3))
            ends[:, axis], ends[:, 1], ends[:, other] = at, 0.3, (-reach, reach)
            out.append(tube(np.linspace(ends[0], ends[1], 6), 0.1, segments=8))
    return out


def _handle(side: float) -> Mesh:
    """A loop of thick wire over one of the short sides."""
    x = side * WIDE
    points = [(x, 9.2, -4), (x + side * 0.4, 11.5, -4), (x + side * 1.0, 14.2, -3.0)]
    path = [*points, (x + side * 1.2, 14.9, 0), *[(a, b, -c) for a, b, c in reversed(points)]]
    return tube(spline(path, 14), 0.27)

"""A silver chain with a pendant laid on dark velvet: hundreds of small holes and no straight edge."""

import numpy as np

from studio import materials as m
from studio.colour import linear
from studio.lighting import soft_box
from studio.meshes import join, move, sheet, spline
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field
from studio.sets import studio_room
from studio.shapes import ball, torus

# Length of one link inside, its wire, and how much narrower than long it is; drawn ten times life size.
LINK, WIRE, NARROW = 1.25, 0.34, 0.66


def build() -> Shot:
    """The whole photo."""
    lamp = soft_box((-60, 90, -20), (0, 0, 0), (80, 60), 6.0)
    other = soft_box((80, 60, 40), (0, 0, 0), (40, 60), 2.5)
    return Shot(
        name="silver-necklace",
        kind="silver chain with a pendant",
        tests="a thin chain of open links, many small holes, mirror-like metal on dark cloth",
        size=(1800, 1800),
        camera=Camera((0, 92, 52), (0, 0, 0.5), 33.0, aperture=0.7, focus=(0, 1, 8), roll=-0.5),
        parts=(*_necklace(), _velvet()),
        environment=studio_room(91, 0.22, light=3.0),
        lights=(lamp, other),
        finish=Finish(exposure=1.05, white=(1.0, 1.0, 1.02), contrast=1.12, grain=0.007),
        encoding=Encoding(quality=92),
        spp=40,
        depth=8,
    )


def _necklace() -> list[Part]:
    """The chain as a closed loop of links, and the drop that hangs from its lowest point."""
    silver = m.metal("Ag", np.clip(0.11 + 0.02 * field((256, 256), 2, slope=1.5), 0.03, 0.3))
    stone = m.glaze(linear("#0f3d5c"), 0.03, 1.75)
    links, low = _links()
    x, z = low
    bail = move(torus(1.0, 0.4), (x, 0.5, z + 1.4))
    drop = ball(2.3, (x, 1.5, z + 5.2), stretch=(1, 0.55, 1.35))
    angle = np.linspace(0, 2 * np.pi, 90, endpoint=False)
    seat = torus(2.35, 0.6, squash=1.34, steps=120)
    beads = [ball(0.3, (x + 2.72 * np.cos(a), 1.35, z + 5.2 + 3.5 * np.sin(a)), steps=12) for a in angle[::3]]
    silvers = [*links, bail, move(seat, (x, 1.3, z + 5.2)), *beads]
    return [Part("chain", join(silvers), silver, True), Part("stone", drop, stone, True)]


def _links() -> tuple[list[Mesh], tuple[float, float]]:
    """Links evenly along a loosely laid loop, each tilted against its neighbour; its lowest point."""
    loop = spline(
        [
            (-2.0, 0, -18.5),
            (-10, 0, -17.5),
            (-16.5, 0, -11),
            (-17, 0, -1),
            (-12, 0, 7),
            (-5, 0, 11.5),
            (0, 0, 12.6),
            (5.5, 0, 11.0),
            (12.5, 0, 6),
            (17.5, 0, -2),
            (15.5, 0, -12),
            (8.5, 0, -18.4),
            (-2.0, 0, -18.5),
        ],
        60,
    )
    way = np.concatenate([[0], np.cumsum(np.linalg.norm(np.diff(loop, axis=0), axis=1))])
    count = round(way[-1] / (LINK * 1.33))
    at = np.linspace(0, way[-1], count, endpoint=False)
    places = np.stack([np.interp(at, way, loop[:, k]) for k in range(3)], axis=-1)
    ahead = np.roll(places, -1, axis=0) - np.roll(places, 1, axis=0)
    rng = np.random.default_rng(8)
    base = torus(LINK, WIRE, squash=NARROW, steps=40, segments=12)
    out = []
    for i, (place, way_on) in enumerate(zip(places, ahead, strict=True)):
        tilt = (40 if i % 2 else -40) + rng.normal(0, 7)
        out.append(_placed(base, place, way_on / np.linalg.norm(way_on), np.radians(tilt)))
    return out, (float(places[places[:, 2].argmax()][0]), float(places[:, 2].max()))


def _placed(mesh: Mesh, place: Array, ahead: Array, tilt: float) -> Mesh:
    """A link with its long side along `ahead`, rolled around it by `tilt` radians, resting on the ground."""
    side = np.cross([0, 1, 0], ahead)
    up = np.cross(ahead, side)
    rolled = side * np.cos(tilt) + up * np.sin(tilt)
    frame = np.stack([ahead, np.cross(rolled, ahead), rolled])
    points = mesh.points @ frame
    lift = np.array([0, -points[:, 1].min(), 0])
    return Mesh(points + place + lift, mesh.faces, mesh.uv)


def _velvet() -> Part:
    """Dark cloth with a short pile and slow waves, flat where the chain lies."""
    tone = linear("#24283a") * (1 + 0.10 * field((1024, 1024), 3, slope=1.2, low=3))[..., None]
    pile = field((1024, 1024), 5, slope=0.1, low=120)
    skin = m.surface(
        np.clip(tone, 0.004, 1), 0.95, specular=0.1, sheen=1.0, bump=pile, depth=0.02, scale=(3, 3)
    )
    return Part("velvet", move(sheet(300, 300), (0, -0.02, 0)), skin)

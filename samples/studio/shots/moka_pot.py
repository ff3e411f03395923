"""An aluminium moka pot among a morning's clutter: metal that mirrors the room around it."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.lighting import Room, Window, room
from studio.meshes import dense, fillet, join, lathe, move, polygon_section, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field

SIDES = 8
TURN = 16.0


def build() -> Shot:
    """The whole photo."""
    windows = (
        Window("left", (70, 20), (170, 150), 9.0, (0.95, 1.0, 1.06)),
        Window("front", (90, 10), (80, 160), 2.2),
        Window("right", (20, 90), (40, 30), 9.0, (1.2, 0.85, 0.5), (0, 0)),
    )
    return Shot(
        name="moka-pot",
        kind="cast and polished aluminium",
        tests="metal that mirrors its surroundings, clutter out of focus, a dark handle on a dark ground",
        size=(1020, 1275),
        camera=Camera((4.0, 22.5, 49), (1.6, 8.7, 0), 31.5, aperture=0.42, focus=(0, 9, 4.0), roll=-0.7),
        parts=(*_pot(), *_kitchen()),
        environment=room(Room(windows=windows, seed=23, walls=(0.4, 0.38, 0.35), clutter=1.0)),
        finish=Finish(exposure=1.0, white=(1.02, 1.0, 0.95), contrast=1.16, grain=0.008),
        encoding=Encoding(quality=92),
        spp=32,
        depth=7,
    )


def _facet(mesh: Mesh, low: float, high: float) -> Mesh:
    """Presses a round body to eight flat sides between two heights, keeping both ends round."""
    angle = np.arctan2(mesh.points[:, 0], mesh.points[:, 2])
    flat = polygon_section(SIDES, 0.12)(angle % (2 * np.pi))
    y = mesh.points[:, 1]
    mix = np.clip((y - low) / 0.5, 0, 1) * np.clip((high - y) / 0.5, 0, 1)
    factor = 1 + (flat / np.cos(np.pi / SIDES) * 0.985 - 1) * mix
    return Mesh(mesh.points * np.stack([factor, np.ones_like(factor), factor], axis=-1), mesh.faces, mesh.uv)


def _spout(mesh: Mesh, rim: float) -> Mesh:
    """Draws the rim out into a lip at the angle opposite the handle."""
    p = mesh.points.copy()
    angle = np.arctan2(p[:, 2], -p[:, 0])
    pull = np.exp(-((angle / 0.30) ** 2)) * np.clip((p[:, 1] - (rim - 4.2)) / 4.2, 0, 1) ** 2
    p[:, 0] -= 1.35 * pull
    p[:, 2] *= 1 - 0.25 * pull
    p[:, 1] += 0.25 * pull
    return Mesh(p, mesh.faces, mesh.uv)


def _pot() -> list[Part]:
    """Boiler, gasket ring, upper chamber with spout, lid, knob, valve and handle."""
    brushed = field((1024, 1024), 3, slope=0.3, low=30, stretch=(1, 40))
    cast = field((1024, 1024), 5, slope=1.4, low=10, high=200)
    smear = np.clip(0.13 + 0.035 * field((1024, 1024), 6, slope=1.9, low=2) + 0.012 * brushed, 0.08, 0.5)
    alloy = m.metal("Al", smear, bump=0.6 * cast + 0.3 * brushed, depth=0.004)
    polished = m.metal("Al", 0.09, bump=cast, depth=0.004)
    body = [
        Part("boiler", _facet(lathe(_boiler(), 256), 0.1, 7.2), alloy, True),
        Part("upper", _spout(_facet(lathe(_upper(), 256), 9.3, 16.4), 16.5), alloy, True),
        Part("lid", _spout(_facet(lathe(_lid(), 256), 15.9, 17.6), 17.2), alloy, True),
        Part("valve", move(turn(_valve(), "x", 90), (0.3, 4.6, 4.4)), m.metal("Cu", 0.2), True),
    ]
    bakelite = m.glaze(linear("#141312") * (1 + 0.1 * field((256, 256), 7, slope=1.0))[..., None], 0.2, 1.55)
    black = [
        Part("handle", _handle(), bakelite, True),
        Part("knob", _knob(), bakelite, True),
        Part("hinge", move(_hinge(), (4.9, 16.1, 0)), polished, True),
    ]
    return [Part(p.name, turn(p.mesh, "y", TURN), p.material, True) for p in (*body, *black)]


def _boiler() -> Array:
    """The water chamber and the ring it is screwed to, from axis to rim."""
    return dense(
        fillet(
            [
                (0, 0.1, 0),
                (4.6, 0.1, 0.1),
                (4.75, 0, 0.1),
                (5.0, 0.2, 0.2),
                (4.3, 6.6, 0.6),
                (4.25, 7.3, 0.2),
                (4.55, 7.4, 0.12),
                (4.55, 8.2, 0.12),
                (4.0, 8.3, 0),
            ],
            steps=6,
        ),
        0.12,
    )


def _upper() -> Array:
    """The chamber that the coffee rises into."""
    return dense(
        fillet(
            [
                (3.9, 8.2, 0),
                (4.35, 8.3, 0.12),
                (4.35, 8.9, 0.15),
                (3.85, 9.2, 0.5),
                (4.1, 10.0, 0.8),
                (4.85, 16.0, 0.4),
                (4.9, 16.5, 0.08),
                (4.7, 16.55, 0.08),
                (4.5, 15.5, 0),
            ],
            steps=6,
        ),
        0.12,
    )


def _lid() -> Array:
    """The flat cone on top."""
    return dense(
        fillet(
            [
                (4.4, 16.3, 0),
                (4.86, 16.5, 0.06),
                (4.86, 16.78, 0.1),
                (4.5, 17.0, 0.3),
                (1.2, 18.0, 1.0),
                (0.8, 18.1, 0.1),
                (0, 18.1, 0),
            ],
            steps=6,
        ),
        0.12,
    )


def _hinge() -> Mesh:
    """The cast lug that carries lid and handle."""
    return sweep(spline([(-0.7, 0, 0), (0, 0.1, 0), (0.8, 0.0, 0)]), 1.5, 0.9, power=4)


def _valve() -> Mesh:
    """The brass safety valve."""
    return lathe(
        fillet(
            [(0.5, -0.6, 0), (0.5, 0.25, 0.05), (0.3, 0.3, 0.05), (0.28, 0.7, 0.08), (0, 0.72, 0)], steps=4
        ),
        32,
        polygon_section(6, 0.2),
    )


def _knob() -> Mesh:
    """The faceted knob on the lid."""
    profile = dense(
        fillet(
            [(0.45, 18.0, 0), (0.5, 18.6, 0.2), (1.05, 19.6, 0.2), (0.95, 20.1, 0.25), (0, 20.25, 0)], steps=6
        ),
        0.1,
    )
    return lathe(profile, 96, polygon_section(8, 0.3))


def _handle() -> Mesh:
    """A slanted grip: out from the hinge, then down, thicker towards its foot."""
    path = spline(
        [
            (5.2, 16.1, 0),
            (6.4, 16.45, 0),
            (7.6, 16.1, 0),
            (8.35, 14.8, 0),
            (8.7, 12.6, 0),
            (9.0, 10.4, 0),
            (9.25, 8.8, 0),
        ],
        steps=12,
    )
    t = np.linspace(0, 1, len(path))
    width = np.interp(t, [0, 0.2, 0.5, 0.9, 0.97, 1], [1.3, 1.5, 1.6, 1.9, 1.7, 0.9])
    thick = np.interp(t, [0, 0.2, 0.45, 0.9, 0.97, 1], [0.9, 1.2, 1.25, 1.75, 1.5, 0.7])
    return sweep(path, width, thick, up=(0, 0, 1), power=3.4, segments=40)


def _kitchen() -> list[Part]:
    """A wooden worktop, tiles, and breakfast things that overlap the product's outline behind it."""
    coffee = m.surface(linear("#1d0f07"), 0.05, specular=0.6)
    cup_at = (-10.5, 0.0, 6.5)
    return [
        *props.wooden_table(190, 70, 52, "#3b2417", "#7d5534", gloss=0.3, front=-4, planks=5),
        props.tiles(260, 130, -40, "#7f9a94", side=7.5, seed=18),
        props.bowl(3.4, 4.6, cup_at, linear("#e6e1d6"), 0.1),
        Part("coffee", move(lathe(np.array([(2.95, 3.6), (0.0, 3.62)])), cup_at), coffee),
        *props.board((24, 36, 1.8), (17, 0, -36), 11),
        props.canister(5.6, 17, (-15, 0, -28), "#e3ddcf"),
        props.canister(4.6, 12, (-25, 0, -25), "#b5543a"),
        *props.lemons(((15.5, 0, -11, 30), (20.5, 0, -15.5, 100), (12.0, 0, -17, -40)), "#e07a16", 3.4),
        _beans(),
    ]


def _beans() -> Part:
    """Roasted beans scattered to the front right: two-lobed seeds with a crease."""
    rng = np.random.default_rng(12)
    t = np.linspace(0, np.pi, 18)
    bean = turn(lathe(np.stack([0.3 * np.sin(t), -0.45 * np.cos(t)], axis=-1), 28), "z", 90)
    p = bean.points.copy()
    p[:, 1] = np.where(p[:, 1] > 0, p[:, 1] * 0.75, p[:, 1] * 0.35)
    crease = np.exp(-((p[:, 2] / 0.05) ** 2)) * (p[:, 1] > 0.05)
    p[:, 1] -= 0.07 * crease
    bean = Mesh(p, bean.faces, bean.uv)
    beans = []
    for _ in range(34):
        spread = rng.normal(0, 1, 2) * np.array([2.6, 1.6])
        pose = turn(turn(bean, "x", rng.choice([0.0, 180.0]) + rng.normal(0, 8)), "y", rng.uniform(0, 360))
        beans.append(move(pose, (8.6 + spread[0], 0.16, 8.0 + spread[1])))
    return Part("beans", join(beans), m.surface(linear("#2c160b"), 0.32, specular=0.5))

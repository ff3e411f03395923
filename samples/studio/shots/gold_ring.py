"""A gold ring with a square stone on slate, close up: shallow focus and a hole through the product."""

import numpy as np

from studio import materials as m
from studio import patterns, props
from studio.colour import linear
from studio.lighting import Room, Window, room, soft_box
from studio.meshes import facets, grid, join, move, spline, sweep, turn
from studio.model import Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field

# Drawn ten times life size, which keeps the tracer's own tolerances far below anything visible.
RADIUS = 9.0
# The measured metal is 24 carat; jewellers add copper, which makes it redder.
WARM = np.array([1.0, 0.9, 0.8])


def build() -> Shot:
    """The whole photo."""
    windows = (
        Window("left", (-40, 60), (170, 150), 8.0, (1.0, 1.0, 1.0)),
        Window("right", (90, 20), (60, 120), 3.0),
    )
    lamp = soft_box((30, 120, -60), (0, 0, 0), (90, 60), 5.5)
    return Shot(
        name="gold-ring",
        kind="polished gold with a cut stone",
        tests="a small product with a hole, shallow depth of field, mirror-like metal",
        size=(1792, 1344),
        camera=Camera((6, 50, 66), (2.0, 1.0, 1.5), 27.0, aperture=1.3, focus=(4.5, 2.5, 9.0), roll=0.4),
        parts=(*_ring(), *_ground()),
        environment=room(
            Room(windows=windows, seed=17, walls=(0.3, 0.29, 0.28), floor=(0.1, 0.1, 0.1), clutter=1.0)
        ),
        lights=(lamp,),
        finish=Finish(exposure=0.95, white=(1.02, 1.0, 0.96), contrast=1.15, grain=0.007, vignette=0.18),
        encoding=Encoding(quality=92),
        spp=40,
        depth=12,
    )


def _ring() -> list[Part]:
    """Band, setting, claws and stone, modelled round the z axis and then laid on the ground."""
    angle = np.linspace(0, 2 * np.pi, 361)
    top = np.clip(np.cos(angle), 0, 1) ** 3
    section = np.linspace(0, 2 * np.pi, 49)
    width, thick = 3.0 + 1.6 * top, 1.55 + 0.5 * top
    c, s = np.cos(section), np.sin(section)
    # Flatter inside than outside, as a comfortable band is.
    out = np.where(c > 0, c, 0.45 * c)[None] * thick[:, None] / 2 + RADIUS
    across = (np.sign(s) * np.abs(s) ** 0.75)[None] * width[:, None] / 2
    points = np.stack([out * np.sin(angle)[:, None], out * np.cos(angle)[:, None], across], axis=-1)
    band = grid(points, flip=False)
    claws = []
    for x, z in ((-1, -1), (1, -1), (-1, 1), (1, 1)):
        path = spline(
            [
                (1.1 * x, 9.2, 1.1 * z),
                (1.75 * x, 10.6, 1.75 * z),
                (2.05 * x, 12.3, 2.05 * z),
                (1.75 * x, 12.95, 1.75 * z),
            ]
        )
        claws.append(sweep(path, 0.75, 0.75, up=(z, 0, -x)))
    base = sweep(
        spline([(0, 9.3, 0), (0, 9.9, 0), (0, 10.5, 0)]),
        np.linspace(2.6, 3.4, 25),
        np.linspace(2.6, 3.4, 25),
        power=5,
    )
    gold = m.metal(
        "Au",
        np.clip(0.055 + 0.02 * field((512, 512), 2, slope=1.6), 0.02, 0.2),
        bump=field((512, 512), 4, slope=2.0, low=2, high=60),
        depth=0.012,
        tint=WARM,
    )
    metal = [
        Part("band", band, gold, True),
        Part("claws", join([*claws, base]), m.metal("Au", 0.08, tint=WARM), True),
    ]
    stone = Part("stone", _stone(), m.glass(1.72, 1.0, np.array([0.35, 0.78, 0.66])), True)
    # Lying down, held up a little by the setting, with the stone towards the viewer's right.
    placed = [(part, turn(turn(part.mesh, "x", 87.6), "y", 28)) for part in (*metal, stone)]
    lowest = min(float(mesh.points[:, 1].min()) for _, mesh in placed)
    return [Part(p.name, move(mesh, (0, -lowest - 0.05, 0)), p.material, True) for p, mesh in placed]


def _stone() -> Mesh:
    """A step-cut square: table, two rows of crown facets, girdle and a pointed pavilion."""
    levels = [(1.25, 13.3), (1.75, 12.95), (2.05, 12.35), (2.05, 12.2), (1.4, 11.3), (0.02, 10.3)]
    rings = []
    for half, y in levels:
        cut = half * 0.62
        corners = [
            (half, -cut),
            (half, cut),
            (cut, half),
            (-cut, half),
            (-half, cut),
            (-half, -cut),
            (-cut, -half),
            (cut, -half),
        ]
        rings.append([(x, y, z) for x, z in [*corners, corners[0]]])
    points = np.array(rings)
    top = np.array([[(0.0, 13.3, 0.0)] * 9, rings[0]])
    return facets(join([grid(points), grid(top)]))


def _ground() -> list[Part]:
    """A slab of slate with riven relief, linen behind."""
    relief = field((768, 768), 9, slope=2.1, low=3)
    steps = np.round(relief * 2.2) / 2.2
    mixed = 0.55 * steps + 0.45 * relief
    x, z = np.meshgrid(np.linspace(-90, 90, 768), np.linspace(-90, 90, 768))
    calm = np.clip((np.hypot(x, z) - 10) / 14, 0.0, 1)
    y = 0.5 * (mixed - mixed.max()) * calm + 0.05 * field((768, 768), 10, slope=1.2, low=20) - 0.1
    tone = (
        linear("#4a4d50")
        * (1 + 0.10 * field((1024, 1024), 11, slope=1.4) + 0.05 * field((1024, 1024), 12, slope=0.3))[
            ..., None
        ]
    )
    slate = m.surface(
        np.clip(tone, 0.01, 1),
        np.clip(0.5 + 0.07 * field((1024, 1024), 14, slope=1.5), 0.2, 0.9),
        specular=0.4,
        bump=field((2048, 2048), 13, slope=0.9, low=20, high=420),
        depth=0.1,
    )
    linen, height = patterns.weave((1024, 1024), 25, 60, "#b9ab97", 0.9)
    cloth = m.surface(linen, 0.9, specular=0.1, sheen=0.3, bump=height, depth=0.05)
    return [
        Part("slate", grid(np.stack([x, y, z], axis=-1), flip=True), slate),
        props.cloth_square(90, (-50, 0.3, -58), 24, cloth),
    ]

"""A corked glass bottle of water on pale wood in front of a window-lit wall."""

import numpy as np

from studio import materials as m
from studio import patterns, props
from studio.colour import linear
from studio.lighting import Room, Window, room
from studio.meshes import dense, fillet, lathe, move
from studio.model import Camera, Encoding, Finish, Part, Shot
from studio.noise import field

LEVEL = 11.2


def build() -> Shot:
    """The whole photo."""
    windows = (
        Window("left", (-70, 20), (190, 160), 19.0, (0.97, 1.0, 1.03), (3, 2), 6.0),
        Window("right", (60, 20), (60, 130), 4.0),
        Window("front", (-60, 10), (120, 150), 1.6),
    )
    return Shot(
        name="glass-bottle",
        kind="clear glass with water and a cork",
        tests="a see-through product: the alpha is the outline, the ground shows through inside it",
        size=(960, 1280),
        camera=Camera((0.5, 17.0, 60), (0.4, 11.3, 0), 28.5, aperture=0.3, focus=(0, 11, 3.0), roll=0.4),
        parts=(*_bottle(), *_table()),
        environment=room(Room(windows=windows, seed=31, walls=(0.5, 0.5, 0.5))),
        finish=Finish(exposure=1.28, white=(1.0, 1.0, 1.0), contrast=1.12, grain=0.007),
        encoding=Encoding(quality=92),
        spp=56,
        depth=14,
    )


def _bottle() -> list[Part]:
    """Glass as three boundaries (air, air inside, water inside), the water's surface and the cork."""
    shell = dense(
        fillet(
            [
                (0, 0.35, 0),
                (2.6, 0.12, 1.5),
                (3.2, 0, 0.3),
                (4.0, 0, 0.9),
                (4.1, 8.0, 6),
                (4.1, 12.2, 2.6),
                (1.6, 16.0, 2.2),
                (1.45, 20.2, 0.6),
                (1.85, 20.4, 0.14),
                (1.9, 21.3, 0.25),
                (1.5, 21.6, 0.15),
                (1.15, 21.5, 0.2),
                (1.15, 17.0, 1.2),
            ],
            steps=16,
        ),
        0.2,
    )
    inner_low = dense(
        fillet([(3.75, LEVEL, 0), (3.75, 8.0, 6), (3.65, 1.1, 1.1), (2.2, 0.75, 1.5), (0, 1.1, 0)], steps=16),
        0.2,
    )
    inner_high = dense(
        fillet([(1.15, 17.0, 0), (1.22, 15.9, 2.0), (3.75, 12.1, 2.4), (3.75, LEVEL, 0)], steps=16), 0.2
    )
    air = np.concatenate([shell, inner_high[1:]])
    tint = linear("#f4fbf8")
    wavy = 1 + 0.0025 * np.sin(np.linspace(0, 40, len(air)))
    air = air * np.stack([wavy, np.ones_like(wavy)], axis=-1)
    air[-1], inner_low[0] = (3.75, LEVEL), (3.75, LEVEL)
    # Water climbs the wall a little.
    r = np.concatenate([np.linspace(3.75, 3.3, 10), np.linspace(3.25, 0, 12)])
    water = np.stack([r, LEVEL - 0.18 * (1 - np.exp((r - 3.75) / 0.14))], axis=-1)
    grain = np.clip(field((512, 512), 4, slope=1.1, low=6) - 0.9, 0, 2)
    cork = m.matte(
        linear("#c39a68")
        * np.clip(1 - 0.28 * grain, 0.2, 1)[..., None]
        * (1 + 0.06 * field((512, 512), 5, slope=0.6))[..., None],
        bump=-grain,
        depth=0.05,
    )
    plug = dense(
        fillet([(0, 19.0, 0), (1.0, 19.0, 0.1), (1.13, 20.0, 0.2), (1.32, 22.9, 0.14), (0, 22.95, 0)]), 0.2
    )
    return [
        Part("glass", lathe(air, 192), m.glass(1.5, 1.0, tint), True),
        Part("wet glass", lathe(inner_low, 192), m.glass(1.5, 1.333, tint), True),
        Part("water", lathe(water, 192), m.glass(1.333, 1.0), True),
        Part("cork", lathe(plug, 96), cork, True),
    ]


def _table() -> list[Part]:
    """Pale boards, a plastered wall, a folded cloth and a clay pot."""
    linen, height = patterns.weave((1024, 1024), 5, 80, "#c7bba6", 0.9)
    cloth = m.surface(linen, 0.9, specular=0.1, sheen=0.4, bump=height, depth=0.02)
    clay = linear("#b4694a") * (1 + 0.06 * field((256, 256), 3, slope=1.2))[..., None]
    pot = fillet(
        [
            (0, 0, 0),
            (4.2, 0, 0.3),
            (5.4, 9.2, 0.3),
            (6.0, 9.3, 0.2),
            (6.2, 11.4, 0.2),
            (5.6, 11.4, 0.1),
            (5.2, 9, 0),
            (0, 9, 0),
        ]
    )
    return [
        *props.wooden_table(170, 66, 71, "#9a7650", "#d3b389", gloss=0.42, front=-6, planks=5),
        props.wall(420, 260, -62, "#c3c6c1", 12),
        props.cloth_square(16, (11.5, 0.02, -11), 15, cloth),
        Part("pot", move(lathe(dense(pot)), (-16.5, 0, -27)), m.matte(clay)),
        *props.book((14, 2.2, 20), (17, 0, -31), -20, "#5b3a3d"),
    ]

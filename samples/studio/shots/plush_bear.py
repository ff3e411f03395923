"""A plush bear on a window bench: an edge of thousands of single hairs, none of them straight."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.meshes import join, move, spline, turn
from studio.model import Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import ramp
from studio.sets import daylight, desk, plaster_wall
from studio.shapes import ball, hair, mirrored, scatter, tube

# Hairs per square of the bear's skin would show a pattern; so many in all, spread at random.
HAIRS = 90_000


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="plush-bear",
        kind="plush toy with long fur",
        tests="a fringe of single hairs all round, the same brown as the wood beneath it",
        size=(2160, 2880),
        camera=Camera((3.4, 17, 68), (-1.3, 9.8, 0), 28.0, aperture=0.35, focus=(0, 10, 5), roll=-0.4),
        parts=(
            *_bear(),
            *desk(131, "#7a5636", "#bd9263"),
            plaster_wall(-58, "#c3beb2", 3),
            *props.book((17, 2.6, 23), (20, 0, -26), -12, "#7d3b3f"),
            props.bowl(5.4, 6.5, (-20, 0, -24), linear("#5f7480")),
        ),
        environment=daylight(133, light=14.0),
        finish=Finish(exposure=1.12, white=(1.02, 1, 0.96), contrast=1.08, grain=0.008),
        encoding=Encoding(quality=90),
        spp=28,
        depth=6,
    )


def _bear() -> list[Part]:
    """Stuffed limbs under fur; nose, eyes and a stitched mouth on top of it."""
    limbs, muzzle = _limbs(), ball(2.0, (0, 14.0, 4.0), stretch=(1.1, 0.85, 0.9))
    pads = [ball(1.5, (x, 2.3, 8.4), stretch=(1.0, 1.05, 0.35)) for x in (-4.9, 4.9)]
    tones = ramp(
        np.linspace(0, 1, 64)[None],
        [(0, linear("#6e4626")), (0.5, linear("#a8743f")), (1, linear("#c79a61"))],
    )
    pale = ramp(np.linspace(0, 1, 64)[None], [(0, linear("#c9ac80")), (1, linear("#ead9b4"))])
    parts = [
        Part("skin", limbs, m.matte(linear("#6a4526")), True),
        Part("fur", _fur(limbs, HAIRS, (0.75, 1.5), 7), m.matte(tones), True),
        Part("muzzle", muzzle, m.matte(linear("#c9ac80")), True),
        Part("muzzle fur", _fur(muzzle, 9000, (0.25, 0.45), 8), m.matte(pale), True),
        Part("pads", join(pads), m.matte(linear("#d8bd92")), True),
        Part("pad fur", _fur(join(pads), 9000, (0.2, 0.3), 9), m.matte(pale), True),
    ]
    eyes = [ball(0.5, (x, 16.0, 4.55)) for x in (-1.75, 1.75)]
    nose = ball(0.78, (0, 14.75, 5.75), stretch=(1.15, 0.72, 0.6))
    mouth = tube(
        spline([(-0.9, 13.2, 5.6), (-0.4, 13.0, 5.85), (0, 13.5, 5.95), (0.4, 13.0, 5.85), (0.9, 13.2, 5.6)]),
        0.07,
    )
    parts += [
        Part("eyes", join(eyes), m.glaze(linear("#120b08"), 0.03), True),
        Part("nose", nose, m.surface(linear("#1d1512"), 0.4), True),
        Part(
            "mouth",
            join([mouth, tube(np.array([[0, 14.4, 6.0], [0, 14.0, 6.0], [0, 13.5, 5.95]]), 0.07)]),
            m.matte(linear("#1d1512")),
            True,
        ),
    ]
    return [Part(p.name, turn(p.mesh, "y", -14), p.material, True) for p in parts]


def _limbs() -> Mesh:
    """Body, head, ears, arms and legs of a bear that sits."""
    arm = move(turn(ball(1.0, (0, 0, 0), stretch=(1.55, 3.6, 1.6)), "z", 24), (4.9, 7.6, 1.2))
    leg = move(turn(ball(1.0, (0, 0, 0), stretch=(2.05, 2.05, 4.2)), "y", 14), (4.3, 2.0, 4.6))
    ear = move(turn(ball(1.0, (0, 0, 0), stretch=(1.75, 1.75, 0.8)), "z", -30), (3.5, 18.4, 0.4))
    foot = ball(1.0, (4.9, 2.5, 7.6), stretch=(1.95, 2.35, 1.0))
    middle = [
        ball(4.6, (0, 5.6, 0), stretch=(1.0, 1.18, 0.92)),
        ball(4.3, (0, 15.0, 0.6), stretch=(1.05, 0.95, 0.95)),
    ]
    sides = [arm, leg, ear, foot]
    return join([*middle, *sides, *(mirrored(mesh) for mesh in sides)])


def _fur(skin: Mesh, count: int, lengths: tuple[float, float], seed: int) -> Mesh:
    """Hair all over `skin`, of lengths between the two in cm, lying a little downward."""
    roots, out = scatter(skin, count, seed)
    length = np.random.default_rng(seed).uniform(*lengths, count)
    return hair(roots, out, length, width=0.035, droop=0.35, curl=0.3, seed=seed)

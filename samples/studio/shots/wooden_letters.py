"""Four painted wooden letters on a shelf: closed and open counters, flat edges, several colours at once."""

import numpy as np

from studio import materials as m
from studio import props
from studio.colour import linear
from studio.meshes import join, move, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field
from studio.sets import daylight, desk, plaster_wall
from studio.shapes import arc, bar

STROKE, THICK, TALL = 2.3, 2.4, 10.0


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="wooden-letters",
        kind="painted wooden letters",
        tests="holes inside letters, narrow gaps between parts, strong colours with straight edges",
        size=(1800, 1200),
        camera=Camera((-5, 10.5, 66), (0.4, 4.9, 0), 37.0, aperture=0.2, focus=(0, 5, 1), roll=0.4),
        parts=(
            *_letters(),
            *desk(151, "#9a7a55", "#dcc096"),
            plaster_wall(-40, "#d5cbc0", 13),
            props.canister(4.6, 12, (17.5, 0, -22), "#e6e0d2"),
        ),
        environment=daylight(153, side="right", light=12.0),
        finish=Finish(exposure=1.1, white=(1.02, 1, 0.97), contrast=1.08, grain=0.007),
        encoding=Encoding(quality=92),
        spp=36,
        depth=6,
    )


def _letters() -> list[Part]:
    """O, P, A and L, each at its own slight angle."""
    shapes = [
        (_o(), "#c8452f", -11.9, 7.0),
        (_p(), "#2f6f8f", -3.6, -5.0),
        (_a(), "#e3a32b", 4.4, 4.0),
        (_l(), "#3f7a52", 12.2, -8.0),
    ]
    out = []
    for k, (mesh, colour, x, heading) in enumerate(shapes):
        worn = linear(colour) * (1 + 0.03 * field((512, 512), 60 + k, slope=1.4))[..., None]
        grain = field((1024, 1024), 70 + k, slope=0.5, low=20, stretch=(1, 20))
        paint = m.surface(worn, 0.45, specular=0.4, bump=grain, depth=0.02)
        out.append(Part("letter", move(turn(mesh, "y", heading), (x, 0, 0)), paint, True))
    return out


def _stroke(*points: tuple[float, float]) -> Mesh:
    """A straight stroke through (x, y) points, given by the middle of the stroke."""
    ends = np.array([[x, y, 0.0] for x, y in points])
    path: Array = ends[0] + np.linspace(0, 1, 16)[:, None] * (ends[-1] - ends[0])
    return bar(path, STROKE, THICK, edge=14.0)


def _o() -> Mesh:
    """A round, closed letter."""
    return bar(arc((0, TALL / 2, 0), (3.9, TALL / 2 - STROKE / 2), (0, 363), 140), STROKE, THICK, edge=14.0)


def _p() -> Mesh:
    """A stem and a bowl."""
    h = STROKE / 2
    bowl = arc((-0.2, 6.6, 0), (2.5, 3.4 - h), (-90, 90), 60)
    flat = [np.array([[-2.4, y, 0.0]]) for y in (bowl[0][1], bowl[-1][1])]
    return join(
        [
            _stroke((-2.4, 0), (-2.4, TALL)),
            bar(np.concatenate([flat[0], bowl, flat[1]]), STROKE, THICK, edge=14.0),
        ]
    )


def _a() -> Mesh:
    """Two legs and a bar across."""
    return join(
        [
            _stroke((-3.9, 0.25), (-0.35, TALL)),
            _stroke((3.9, 0.25), (0.35, TALL)),
            _stroke((-2.4, 3.2), (2.4, 3.2)),
        ]
    )


def _l() -> Mesh:
    """A stem and a foot."""
    return join([_stroke((-2.2, 0), (-2.2, TALL)), _stroke((-3.2, STROKE / 2), (3.0, STROKE / 2))])

"""Reading glasses on an open page of cloth: thin frame, clear lenses, the ground seen through them."""

import numpy as np

from studio import materials as m
from studio.colour import linear
from studio.meshes import grid, lathe, move, spline, sweep, turn
from studio.model import Array, Camera, Encoding, Finish, Mesh, Part, Shot
from studio.noise import field, ramp
from studio.sets import cloth_ground, daylight
from studio.shapes import mirrored, tube

# Half the lens's width and height, and how far its middle lies from the nose, in cm.
WIDE, TALL, OFF = 2.45, 2.1, 3.2


def build() -> Shot:
    """The whole photo."""
    return Shot(
        name="reading-glasses",
        kind="glasses with clear lenses",
        tests="a thin frame, see-through lenses that count as covering, gaps between the temples",
        size=(1920, 1440),
        camera=Camera((6, 19, 30), (0.6, 1.7, -4.0), 29.0, aperture=0.16, focus=(0, 2, 0), roll=-0.6),
        parts=(*_glasses(), cloth_ground(111, "#b9b3a4", 120, 150)),
        environment=daylight(113, light=13.0),
        finish=Finish(exposure=1.05, white=(1.02, 1, 0.96), contrast=1.1, grain=0.007),
        encoding=Encoding(quality=92),
        spp=44,
        depth=10,
    )


def _outline(grow: float, steps: int = 120) -> Array:
    """A rounded, slightly drooping lens shape in the x-y plane."""
    angle = np.linspace(0, 2 * np.pi, steps, endpoint=False)
    c, s = np.cos(angle), np.sin(angle)
    x = np.sign(c) * np.abs(c) ** 0.82 * (WIDE + grow)
    y = np.sign(s) * np.abs(s) ** 0.82 * (TALL + grow) * (1 - 0.10 * (s < 0) * np.abs(c))
    return np.stack([x + OFF, y + TALL + 0.3, -0.03 * (x**2)], axis=-1)


def _glasses() -> list[Part]:
    """Two rims with lenses, bridge, nose pads and temples, standing on the rims' lower edges."""
    shell = ramp(
        field((512, 512), 3, slope=1.8, low=2),
        [(-1.2, linear("#1d0f08")), (0.3, linear("#6b3615")), (1.6, linear("#b87a35"))],
    )
    frame = m.glaze(shell, 0.06)
    outline = _outline(0)
    rim = tube(outline, 0.2, closed=True, segments=20)
    middle = np.broadcast_to(outline.mean(axis=0), outline.shape)
    ring = np.concatenate([outline, outline[:1]])
    heart = np.concatenate([middle, middle[:1]])
    bulge = np.linspace(0, 1, 12)[:, None, None]
    lens = grid(heart * (1 - bulge) + ring * bulge + np.array([0, 0, 0.18]) * (1 - bulge**2))
    temple = sweep(
        spline(
            [
                (5.7, 3.7, -0.3),
                (6.15, 3.7, -1.2),
                (6.3, 3.6, -5),
                (6.1, 3.2, -9.5),
                (5.7, 1.7, -12.6),
                (5.4, 0.35, -13.6),
            ]
        ),
        0.3,
        0.62,
        up=(0, 1, 0),
        power=3,
    )
    hinge = move(
        turn(lathe(np.array([[0, -0.3], [0.14, -0.3], [0.14, 0.3], [0, 0.3]])), "x", 0), (5.85, 3.7, -0.75)
    )
    bridge = tube(spline([(-0.85, 2.9, 0), (-0.4, 3.25, 0.2), (0.4, 3.25, 0.2), (0.85, 2.9, 0)]), 0.22)
    half = [(rim, frame), (temple, frame), (hinge, m.metal("Au", 0.2)), (lens, m.film(1.5))]
    out = [Part("bridge", _set_down(bridge), frame, True)]
    for mesh, skin in half:
        out.append(Part("right", _set_down(mesh), skin, True))
        out.append(Part("left", _set_down(mirrored(mesh)), skin, True))
    return out


def _set_down(mesh: Mesh) -> Mesh:
    """Turned a little on the table."""
    return move(turn(mesh, "y", 16), (0, -0.09, 0))

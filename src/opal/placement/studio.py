"""The engine for scenes that are computed, not generated: transparent, solid, gradient, studio.

Called through `engines.py`. No model, no network, same pixels everywhere.
"""

import math
from dataclasses import dataclass

import numpy as np

from opal.errors import InvalidScene
from opal.images.colour import LINEAR_OF_8_BIT, Linear
from opal.placement.camera import Standing, View
from opal.placement.interface import Canvas, Ground
from opal.placement.looks import LOOKS, Look
from opal.placement.scene import GradientScene, Scene, SolidScene, StudioScene, TransparentScene
from opal.placement.sweep import Paint, render_sweep


@dataclass(frozen=True, slots=True)
class StudioEngine:
    """Paints every procedural scene."""

    name: str = "studio"
    version: str = "2"

    def render(self, scene: Scene, canvas: Canvas) -> Ground:
        """Paint one scene; raises InvalidScene for a kind that is not procedural."""
        match scene:
            case TransparentScene():
                return Ground(None, smooth=False)
            case SolidScene():
                flat = np.broadcast_to(linear_colour(scene.colour), (canvas.height, canvas.width, 3))
                return Ground(flat, smooth=False)
            case GradientScene():
                return Ground(_gradient(scene, canvas), smooth=True)
            case StudioScene():
                look = LOOKS[scene.look]
                return _studio(look, canvas, seed=canvas.seed if scene.seed is None else scene.seed)
        raise InvalidScene(f"The studio engine does not paint scenes of kind {scene.kind!r}.")


def _studio(look: Look, canvas: Canvas, *, seed: int) -> Ground:
    paint = Paint(
        paper=linear_colour(look.paper),
        wall=linear_colour(look.wall or look.paper),
        podium=linear_colour(look.podium.colour if look.podium else look.paper),
    )
    drop = look.podium.drop if look.podium else 0.0
    view = View(canvas.width, canvas.height, canvas.ground_row, drop)
    product = canvas.product or Standing(canvas.width / 2, 0.5 * min(canvas.width, canvas.height))
    pixels, catches = render_sweep(look, paint, view, product, seed=seed)
    return Ground(pixels, smooth=True, catches=catches)


def linear_colour(colour: str) -> Linear:
    """`#rrggbb` to linear light, (3,) float32."""
    codes = np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)])
    return np.asarray(LINEAR_OF_8_BIT[codes], np.float32)


def _gradient(scene: GradientScene, canvas: Canvas) -> Linear:
    """Mix the two colours along a direction, or from the centre to the corners.

    The ramp is eased at both ends: a straight one shows an edge where it stops.
    """
    x = (np.arange(canvas.width, dtype=np.float32) + 0.5 - canvas.width / 2)[None, :]
    y = (np.arange(canvas.height, dtype=np.float32) + 0.5 - canvas.height / 2)[:, None]
    if scene.shape == "radial":
        ramp = np.sqrt(x * x + y * y) / np.float32(math.hypot(canvas.width, canvas.height) / 2)
    else:
        angle = math.radians(scene.angle)
        right, down = math.sin(angle), -math.cos(angle)
        length = abs(canvas.width * right) + abs(canvas.height * down)
        ramp = (x * np.float32(right) + y * np.float32(down)) / np.float32(length) + np.float32(0.5)
    ramp = np.clip(ramp, 0.0, 1.0)
    ramp = ramp * ramp * (3.0 - 2.0 * ramp)
    start, end = linear_colour(scene.start), linear_colour(scene.end)
    return np.asarray(start + ramp[..., None] * (end - start), np.float32)

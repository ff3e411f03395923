"""The engine for scenes that are a picture of the user's own, and the door through which that picture comes.

Called through `engines.py`; `decode_backdrop` by web-api, scoring, export-worker and the command line.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.decoder.pictures import decode_photo
from opal.errors import BackdropTooSmall, BackdropUnusable, InvalidPhoto, InvalidScene
from opal.images.colour import LINEAR_OF_8_BIT, LINEAR_OF_16_BIT, Linear
from opal.images.defocus import defocus
from opal.images.limits import Limits
from opal.images.photo import Photo
from opal.images.resize import resize_to
from opal.placement.framing import MIN_SIDE, Framing
from opal.placement.interface import Canvas, Ground
from opal.placement.scene import BackdropScene, Scene

WIDEST_BLUR = 0.03
"""Radius of the disc of confusion at blur 1, as a share of the picture's height: what a 50 mm lens at f/1.8,
focused at one metre, makes of the far background on a full frame (1.46 mm across of 24)."""
_SHARP = 0.015
"""Share of the picture's height before and behind the ground line that stays sharp: the product is sharp as a
whole, so the floor must be where it stands, from its front to its back."""
_SOFT_END = 0.01
"""Share of the picture's height over which a shadow ends at the floor's end."""


def decode_backdrop(source: bytes | Path, limits: Limits) -> Photo:
    """Decode a backdrop by the same door as photos, and refuse any damage: it would stand in every picture.

    Raises BackdropUnusable, with the sentence of what is wrong, and BackdropTooSmall.
    """
    try:
        picture = decode_photo(source, limits, unblemished=True)
    except InvalidPhoto as error:
        raise BackdropUnusable(f"The backdrop cannot be used: {error.message}") from error
    if picture.alpha is not None:
        raise BackdropUnusable("The backdrop has transparent parts; save it without.")
    if min(picture.width, picture.height) < MIN_SIDE:
        raise BackdropTooSmall(
            f"The backdrop is {picture.width} × {picture.height}; each side needs at least {MIN_SIDE} pixels."
        )
    return picture


@dataclass(frozen=True, slots=True)
class BackdropEngine:
    """Paints a backdrop: crop, resize in linear light, depth of field."""

    name: str = "backdrop"
    version: str = "2"

    def render(self, scene: Scene, canvas: Canvas) -> Ground:
        """Paint one scene; raises InvalidScene for another kind, BackdropUnusable without its picture."""
        if not isinstance(scene, BackdropScene):
            raise InvalidScene(f"The backdrop engine does not paint scenes of kind {scene.kind!r}.")
        if canvas.backdrop is None:
            raise BackdropUnusable("The backdrop's picture was not handed to the engine.")
        framing = canvas.backdrop.framing
        pixels = _shown(canvas.backdrop.picture, framing, canvas.width, canvas.height)
        rows = np.arange(canvas.height, dtype=np.float32) + np.float32(0.5)
        catches = _floor(scene, framing, rows, canvas.width)
        if scene.blur <= 0.0:
            return Ground(pixels, smooth=False, catches=catches)
        radius = blur_radius(framing, rows, scene.blur)
        # A blurred picture has lost its grain, which hides the steps of 8 bits.
        return Ground(defocus(pixels, radius), smooth=True, catches=catches, blur=radius)


def blur_radius(framing: Framing, rows: NDArray[np.float32], blur: float) -> NDArray[np.float32]:
    """Radius in pixels of the disc of confusion in each of `rows`.

    On a floor seen in perspective the distance of a row is as 1 / (row - vanishing line), and the disc of
    confusion as 1 - focus / distance: together straight in the row. So it grows evenly from the ground line
    to the floor's end. What stands there is as far away as its foot, so above it the blur stays the same.
    """
    sharp = min(_SHARP * framing.picture_rows, 0.5 * (framing.line - framing.floor_end))
    away = np.maximum(np.abs(framing.line - rows) - sharp, 0.0) / (framing.line - framing.floor_end - sharp)
    widest = blur * WIDEST_BLUR * framing.picture_rows
    return np.asarray(widest * np.minimum(away, 1.0), np.float32)


def _shown(picture: Photo, framing: Framing, width: int, height: int) -> Linear:
    """The framed part of the picture at the canvas's size, (height, width, 3) linear light."""
    box = framing.crop
    cropped = picture.pixels.crop(box.left, box.top, box.width, box.height)
    table = LINEAR_OF_16_BIT if cropped.format == "ushort" else LINEAR_OF_8_BIT
    light = cropped.maplut(pyvips.Image.new_from_array(table.reshape(1, -1)))
    resized: Linear = resize_to(light, width, height, "lanczos2").numpy()
    return np.clip(resized, 0.0, 1.0)


def _floor(
    scene: BackdropScene, framing: Framing, rows: NDArray[np.float32], width: int
) -> NDArray[np.float32] | None:
    """(H, W) share of each pixel that a shadow can fall on: the floor, where the scene says its end."""
    if scene.horizon is None:
        return None
    floor = np.clip((rows - framing.floor_end) / (_SOFT_END * framing.picture_rows), 0.0, 1.0)
    return np.broadcast_to(floor.astype(np.float32)[:, None], (rows.size, width))

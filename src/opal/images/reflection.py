"""The product's mirror image in a polished floor.

Called by `placement/place.py`. Each column is mirrored at the line it rests on, so that a round foot meets
its own reflection all along its curve; the image pales and blurs with its distance from the floor.
"""

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.images.colour import Linear
from opal.images.composite import Layer
from opal.images.contact import Contact
from opal.images.geometry import Box

_DEPTH = 0.45
"""Share of the product's height that the floor still shows; beyond it the image has faded away."""
_BLUR = 0.004
"""Standard deviation of the blur as a share of the product's size: no floor is a perfect mirror."""
_RESTS = 0.2


def reflect(layer: Layer, contact: Contact, height: int, strength: float) -> Layer | None:
    """The mirror image of `layer` on a canvas `height` rows high; None when none of it would be seen.

    `contact` was estimated on the canvas; `strength` 0..1 is the floor's mirroring right at the foot.
    """
    box = layer.box
    columns = np.arange(box.left, box.right)
    resting = columns[contact.rest[columns] > _RESTS]
    if strength <= 0.0 or resting.size == 0:
        return None
    # What does not rest, a handle in the air, is mirrored at the level of the foot beside it.
    line = np.rint(np.interp(columns, resting, contact.support[resting])).astype(np.intp)
    depth = max(1, round(_DEPTH * box.height))
    top = int(line.min())
    bottom = min(height, int(line.max()) + depth)
    if top >= bottom:
        return None
    away = np.arange(top, bottom)[:, None] - line[None, :]
    source = line[None, :] - 1 - away - box.top
    seen = (away >= 0) & (away < depth) & (source >= 0) & (source < box.height)
    source = np.clip(source, 0, box.height - 1)
    column = np.arange(box.width)[None, :]
    share = np.where(seen, layer.alpha[source, column], np.float32(0.0)).astype(np.float32)
    pixels, share = _blurred(layer.pixels[source, column], share, _BLUR * contact.size)
    fade = np.clip(1.0 - away / depth, 0.0, 1.0).astype(np.float32) ** 2
    # The blur must not carry the image up over the line, where the product stands.
    share = share * fade * (away >= 0) * np.float32(strength)
    return Layer(pixels, share.astype(np.float32), Box(box.left, top, box.width, bottom - top))


def lay_reflection(ground: Linear, mirrored: Layer, catches: NDArray[np.float32] | None) -> Linear:
    """A copy of the ground (H, W, 3) with the reflection in it, only where `catches` (H, W) says so."""
    result = np.array(ground, np.float32)
    box = mirrored.box
    area = (slice(box.top, box.bottom), slice(box.left, box.right))
    share = mirrored.alpha if catches is None else mirrored.alpha * catches[area]
    part = result[area]
    part += share[..., None] * (mirrored.pixels - part)
    return result


def _blurred(pixels: Linear, share: NDArray[np.float32], sigma: float) -> tuple[Linear, NDArray[np.float32]]:
    """Blur colour and coverage together: colour counts by its coverage, so no dark rim appears."""
    if sigma < 0.3:
        return pixels, share
    stacked = np.concatenate([pixels * share[..., None], share[..., None]], axis=2)
    image = pyvips.Image.new_from_array(np.ascontiguousarray(stacked))
    soft: NDArray[np.float32] = image.gaussblur(sigma, min_ampl=0.05, precision="float").numpy()
    cover = np.clip(soft[..., 3], 0.0, 1.0)
    colour = np.asarray(soft[..., :3] / np.maximum(cover, np.float32(1e-4))[..., None], np.float32)
    return colour, cover

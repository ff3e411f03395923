"""How far a product's light should move towards that of a backdrop, and no further.

Called by `placement/place.py`. What is measured is the picture itself, not the crop, so every preset of a
photo gets the product in the same light.
"""

import math

import numpy as np

from opal.images.colour import Linear, to_linear
from opal.images.photo import Photo
from opal.images.relight import RED_BLUE_STOPS_PER_MIRED, Relight
from opal.placement.scene import BackdropScene, Scene

MAX_STOPS = 0.25
MAX_MIRED = 15.0
"""The two limits. No grey between black and white is moved by more than 6 CIEDE2000 by both together:
somebody who holds the product beside the picture would call that the same colour in another light."""
_SIDE = 192
"""The picture is measured this small."""
_REACH = 0.25
"""How far from the product's place the light counts, as a share of the picture: it falls to 60 % there."""
_NORM = 6.0
"""Minkowski norm of the mean colour: 1 is the grey world, without end the brightest spot. 6 is G. Finlayson's
and E. Trezzi's choice, "Shades of Gray and Colour Constancy", Color Imaging Conference 12 (2004)."""
_WELL_LIT = 0.5
"""Luminance that nine tenths of a picture stay below when it is exposed as product photos are."""
_DIMMEST = 1e-3


def match_light(scene: Scene, picture: Photo) -> Relight | None:
    """The change of light for a product in this scene; None where none was asked for.

    The product's own photo is taken to be in neutral daylight and well exposed, as product photos are.
    Colour moves along the black body's line only, from candle to sky: a green lawn or a red wall does not
    tint the product. Light is only taken away, so that no highlight is lost: every gain is at most 1.
    """
    if not isinstance(scene, BackdropScene) or scene.match <= 0.0:
        return None
    light, weight = _surroundings(scene, picture)
    mean = (weight[..., None] * light**_NORM).sum(axis=(0, 1)) ** (1.0 / _NORM)
    red, _, blue = (max(float(value), _DIMMEST) for value in mean)
    mired = float(np.log2(red / blue)) / RED_BLUE_STOPS_PER_MIRED
    stops = float(np.log2(max(_bright(light, weight), _DIMMEST) / _WELL_LIT))
    mired = scene.match * min(max(mired, -MAX_MIRED), MAX_MIRED)
    stops = scene.match * min(max(stops, -MAX_STOPS), 0.0)
    return Relight(min(stops, -math.log2(max(Relight(0.0, mired).gains))), mired)


def _surroundings(scene: BackdropScene, picture: Photo) -> tuple[Linear, Linear]:
    """The picture small, (h, w, 3), and how much each pixel counts, (h, w), summing to 1."""
    scale = min(1.0, _SIDE / max(picture.width, picture.height))
    light = to_linear(picture.pixels.resize(scale, kernel="linear").numpy())
    height, width = light.shape[:2]
    down = (np.arange(height, dtype=np.float32) + 0.5) / height - scene.ground
    over = (np.arange(width, dtype=np.float32) + 0.5) / width - (
        0.5 if scene.across is None else scene.across
    )
    near = np.exp(-0.5 * (down / _REACH) ** 2)[:, None] * np.exp(-0.5 * (over / (2 * _REACH)) ** 2)[None, :]
    return light, np.asarray(near / near.sum(), np.float32)


def _bright(light: Linear, weight: Linear) -> float:
    """The luminance that nine tenths of the surroundings stay below."""
    luminance = (light @ np.array([0.2126, 0.7152, 0.0722], np.float32)).ravel()
    order = np.argsort(luminance)
    share = np.cumsum(weight.ravel()[order])
    return float(luminance[order[min(int(np.searchsorted(share, 0.9)), order.size - 1)]])

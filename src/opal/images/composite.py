"""Puts a product over a ground in linear light and encodes to 8-bit sRGB.

Called by `placement/place.py`. Product pixels are never dithered: where coverage is 1 they come out
as the rounded original, which is what the fidelity report then measures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.images.colour import Linear, to_codes, to_srgb8
from opal.images.geometry import Box
from opal.images.shadow import Transmittance

Coverage = NDArray[np.float32]

_BAND = 64
"""Rows worked on at a time, so that the intermediate arrays stay in the processor's cache."""


@dataclass(frozen=True, slots=True)
class Layer:
    """A product ready to be laid on a canvas: linear RGB (not premultiplied) and coverage over `box`."""

    pixels: Linear
    alpha: Coverage
    box: Box


def over_ground(
    ground: Linear, shade: Transmittance | None, layer: Layer, *, dither: bool, seed: int
) -> NDArray[np.uint8]:
    """Product over ground, the ground dimmed by `shade`; returns (H, W, 3) sRGB.

    `dither` breaks up the bands of a ground that varies smoothly. A flat ground is dithered only where
    the shadow lies, so that pure white stays 255.
    """
    height, width = ground.shape[:2]
    flat = ground.strides[:2] == (0, 0)  # one colour, broadcast
    result = np.empty((height, width, 3), np.uint8)
    if flat:
        result[...] = to_srgb8(ground[0, 0])
    box = layer.box
    for top in range(0, height, _BAND):
        rows = slice(top, min(height, top + _BAND))
        band = ground[rows]
        shaded = None if shade is None else shade[rows]
        lit = shaded is None or float(shaded.min()) >= 1.0
        if shaded is not None and not lit:
            band = band * shaded[..., None]
        if dither or not (lit and flat):
            result[rows] = _encode_ground(band, shaded, dither=dither, seed=seed + top)
        first, last = max(rows.start, box.top), min(rows.stop, box.bottom)
        if first < last:
            inner = slice(first - box.top, last - box.top)
            under = band[first - top : last - top, box.left : box.right]
            target = result[first:last, box.left : box.right]
            _lay(target, under, layer.pixels[inner], layer.alpha[inner])
    return result


def over_nothing(width: int, height: int, shade: Transmittance | None, layer: Layer) -> NDArray[np.uint8]:
    """The product on transparent pixels, with its shadow as black of partial alpha: (H, W, 4) sRGB.

    Straight alpha, as PNG and WebP want it. Colour under alpha 0 is black, so nothing of the photo's
    old ground travels along unseen. Whoever lays the picture on a page mixes codes and not light, so the
    shadow's alpha is what dims a white page's code as the shadow dims its light.
    """
    result = np.zeros((height, width, 4), np.uint8)
    if shade is not None:
        shade = to_codes(shade) / np.float32(255.0)
        result[..., 3] = np.rint((1.0 - shade) * 255.0)
    box = layer.box
    area = (slice(box.top, box.bottom), slice(box.left, box.right))
    alpha, colours = layer.alpha, to_codes(layer.pixels)
    if shade is not None:
        # Black shadow under a soft edge: the product's colour counts by its share of what is there.
        alpha = np.asarray(1.0 - shade[area] * (1.0 - layer.alpha), np.float32)
        share = layer.alpha / np.maximum(alpha, np.float32(1e-6))
        colours *= share[..., None]
    codes = np.rint(alpha * 255.0).astype(np.uint8)
    colours += np.float32(0.5)
    colours[codes == 0] = 0.0
    result[area] = np.concatenate([colours.astype(np.uint8), codes[..., None]], axis=2)
    return result


def _lay(target: NDArray[np.uint8], under: Linear, pixels: Linear, alpha: Coverage) -> None:
    """Write the product's rows into `target`; the ground shows only in the few pixels of the edge."""
    np.copyto(target, to_srgb8(pixels), where=(alpha >= 1.0)[..., None])
    edge = (alpha > 0.0) & (alpha < 1.0)
    share = alpha[edge][:, None]
    target[edge] = to_srgb8(pixels[edge] * share + under[edge] * (np.float32(1.0) - share))


def _encode_ground(
    band: Linear, shade: Transmittance | None, *, dither: bool, seed: int
) -> NDArray[np.uint8]:
    if dither:
        return to_srgb8(band, dither_seed=seed)
    codes = to_srgb8(band)
    if shade is not None and (shade < 1.0).any():
        shadowed = (shade < 0.999)[..., None]
        np.copyto(codes, to_srgb8(band, dither_seed=seed), where=shadowed)
    return codes

"""Puts a product over a ground in linear light and encodes to 8-bit sRGB.

Called by `placement/place.py`. Product pixels are never dithered: where coverage is 1 they come out
as the rounded original, which is what the fidelity report then measures.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.images.colour import CODE8_OF_LINEAR, CODE_OF_LINEAR, Linear, to_codes, to_srgb8
from opal.images.compiled import compiled
from opal.images.geometry import Box
from opal.images.shadow import Transmittance

Coverage = NDArray[np.float32]

_LIT = 0.999
"""Light from which a plain ground is taken as lit in full and gets no dither."""
_STEPS = np.float32(len(CODE8_OF_LINEAR) - 1)
_TEN_BITS = np.uint64(1023)
_FULL_LIGHT = np.ones((1, 1), np.float32)


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
    light = _FULL_LIGHT if shade is None else np.ascontiguousarray(shade)
    box = layer.box
    _lay_ground(result, ground, to_srgb8(ground[0, 0]), light, flat, dither, seed)
    target = result[box.top : box.bottom, box.left : box.right]
    under = ground[box.top : box.bottom, box.left : box.right]
    reaching = light if shade is None else light[box.top : box.bottom, box.left : box.right]
    _lay_product(target, under, reaching, layer.pixels, layer.alpha)
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


@compiled
def _lay_ground(  # noqa: PLR0917 - compiled code takes no keywords
    result: NDArray[np.uint8],
    ground: Linear,
    colour: NDArray[np.uint8],
    shade: Transmittance,
    flat: bool,
    dither: bool,
    seed: int,
) -> None:
    """Write the shaded ground; `colour` is that of a `flat` one in full light."""
    shaded = shade.size > 1
    for y in range(result.shape[0]):
        for x in range(result.shape[1]):
            light = shade[y, x] if shaded else np.float32(1.0)
            if flat and not dither and light >= np.float32(1.0):
                result[y, x, 0], result[y, x, 1], result[y, x, 2] = colour[0], colour[1], colour[2]
                continue
            noisy = dither or light < np.float32(_LIT)
            # Triangular noise of one code: the difference of two evenly spread numbers of 10 bits.
            noise = _mixed(np.uint64(seed), np.uint64(y), np.uint64(x)) if noisy else np.uint64(0)
            for band in range(3):
                step = int(
                    min(max(ground[y, x, band] * light, np.float32(0.0)), np.float32(1.0)) * _STEPS
                    + np.float32(0.5)
                )
                if noisy:
                    one, other = noise & _TEN_BITS, (noise >> np.uint64(10)) & _TEN_BITS
                    noise >>= np.uint64(20)
                    spread = (np.float32(one) - np.float32(other)) * np.float32(1.0 / 1024.0)
                    code = CODE_OF_LINEAR[step] + spread + np.float32(0.5)
                    result[y, x, band] = np.uint8(min(max(code, np.float32(0.0)), np.float32(255.0)))
                else:
                    result[y, x, band] = CODE8_OF_LINEAR[step]


@compiled
def _lay_product(
    target: NDArray[np.uint8], under: Linear, shade: Transmittance, pixels: Linear, alpha: Coverage
) -> None:
    """Write the product into its part of the picture; the ground shows only in the few pixels of the edge."""
    shaded = shade.size > 1
    for y in range(target.shape[0]):
        for x in range(target.shape[1]):
            share = alpha[y, x]
            if share <= np.float32(0.0):
                continue
            left = np.float32(1.0) - share
            if shaded:
                left *= shade[y, x]
            for band in range(3):
                light = pixels[y, x, band]
                if share < np.float32(1.0):
                    light = light * share + under[y, x, band] * left
                step = int(min(max(light, np.float32(0.0)), np.float32(1.0)) * _STEPS + np.float32(0.5))
                target[y, x, band] = CODE8_OF_LINEAR[step]


@compiled
def _mixed(seed: np.uint64, row: np.uint64, column: np.uint64) -> np.uint64:
    """64 bits that look random, the same for the same pixel: the finaliser of SplitMix64.

    G. L. Steele, D. Lea, C. H. Flood, "Fast Splittable Pseudorandom Number Generators", OOPSLA 2014.
    """
    bits = (seed << np.uint64(48)) ^ (row << np.uint64(24)) ^ column
    bits = (bits ^ (bits >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    bits = (bits ^ (bits >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return bits ^ (bits >> np.uint64(31))

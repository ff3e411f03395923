"""The proof that a product was not altered: the finished picture held against the photo.

Called by export-worker for every variant and by scoring for the scene picture. The picture is the file
decoded again, so what JPEG did to the product is in the figures.
"""

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from opal.images.alteration import SEEN, ColourDifference, colour_difference, halve, local_structure
from opal.images.blur import gaussian_blur
from opal.images.colour import CODE8_OF_LINEAR, Linear, to_srgb8
from opal.images.compiled import compiled
from opal.images.erode import eroded
from opal.images.geometry import Box, Transform
from opal.images.matte import Matte
from opal.images.relight import Relight

EDGE = 2
"""Pixels left out along the silhouette: there product and new ground are mixed, as they should be."""
JUST_NOTICEABLE = 1.0
"""CIEDE2000 below which two colours side by side look the same."""

# Z. Wang et al., "Image Quality Assessment: From Error Visibility to Structural Similarity", IEEE
# Transactions on Image Processing 13 (2004): Gaussian window of sigma 1.5, K1 0.01, K2 0.03, 8 bit.
_SSIM_SIGMA = 1.5
_SSIM_REACH = 5
_SSIM_C1, _SSIM_C2 = (0.01 * 255) ** 2, (0.03 * 255) ** 2
_SSIM_SIDE = 1024
"""Luma is halved until its shorter side is below this: the authors' advice is to compare at the scale of
viewing (they go down to 256)."""
_LUMA = np.array([0.2126, 0.7152, 0.0722], np.float32)
"""ITU-R BT.709, on the codes."""

MOST_LOCAL_DE = 4.5
"""Local CIEDE2000 above which the product counts as altered: a letter repainted is 10 and more, WebP of
quality 92 leaves up to 3.3 at red edges, JPEG of quality 95 up to 1.3."""
MOST_ALTERED_PIXELS = 150
"""Connected pixels with a local CIEDE2000 above 1.5 (`SEEN`) above which it does: a colour shift of 2 or a
shift by one pixel has thousands, WebP of quality 92 up to 124, JPEG of quality 85 up to 32, of 95 none."""
LEAST_LOCAL_SSIM = 0.8
"""Local structural similarity below which it does: blurred print is 0.5, JPEG of quality 80 above 0.86."""


class LightMatch(BaseModel):
    """By how much a product was altered on purpose, to stand in a backdrop's light; and that this was all."""

    model_config = ConfigDict(frozen=True)

    stops: float = Field(description="Change of exposure in powers of two.")
    mired: float = Field(description="Change of colour temperature in mired; above 0 is warmer.")
    gains: tuple[float, float, float] = Field(description="The factors on linear red, green and blue.")
    mean_de: float | None = Field(description="Mean CIEDE2000 that the change alone makes.")
    share_within_de1: float | None = Field(
        description="Share of the pixels within CIEDE2000 1.0 of the photo in the new light."
    )


class Fidelity(BaseModel):
    """How close the product in a picture is to the product in the photo.

    The figures are None when there was no pixel to compare (a product that is all edge). Where the product's
    light was matched to a backdrop, `share_within_de1`, `max_de` and `mean_de` hold the picture against the
    photo as it was taken, so they show that change too; `ssim`, the figures of single places and the verdict
    hold it against the photo in the new light, so that nothing else can hide behind the change.
    """

    model_config = ConfigDict(frozen=True)

    pixels_compared: int = Field(description="Pixels wholly inside the product.")
    share_within_de1: float | None = Field(description="Share of them within CIEDE2000 1.0.")
    max_de: float | None = Field(description="Largest CIEDE2000 of any of them.")
    mean_de: float | None = Field(description="Mean CIEDE2000.")
    ssim: float | None = Field(description="Structural similarity of luma, 1 = identical.")
    local_de: float | None = Field(
        default=None, description="Largest CIEDE2000 of colours averaged over some four pixels."
    )
    altered_pixels: int | None = Field(
        default=None, description=f"Largest connected area whose local CIEDE2000 is above {SEEN}, pixels."
    )
    local_ssim: float | None = Field(
        default=None,
        description="Lowest structural similarity of any place, averaged over some sixteen pixels.",
    )
    altered: bool | None = Field(
        default=None,
        description=f"The verdict: local_de above {MOST_LOCAL_DE}, altered_pixels above "
        f"{MOST_ALTERED_PIXELS} or local_ssim below {LEAST_LOCAL_SSIM}; null: nothing to compare.",
    )
    silhouette_iou: float | None = Field(
        description="Overlap of the product's outline with the matte under the same transform."
    )
    light_match: LightMatch | None = Field(
        default=None, description="How the product's light was matched to a backdrop; None: it was not."
    )


def measure(
    picture: NDArray[np.uint8],
    reference: Linear,
    alpha: NDArray[np.float32],
    box: Box,
    *,
    matte: Matte,
    transform: Transform,
    relight: Relight | None = None,
) -> Fidelity:
    """Compare a decoded picture with the photo under the picture's own transform.

    `picture` is (H, W, 3 or 4) sRGB codes, `reference` (h, w, 3) the photo over `box` in linear light,
    `alpha` (H, W) the product's coverage, `matte` and `transform` lead from the photo to the canvas.
    `relight` is the change of light that the product was given on purpose.
    """
    area = (slice(box.top, box.bottom), slice(box.left, box.right))
    shown = np.ascontiguousarray(picture[area][..., :3])
    coverage = alpha[area]
    inside = eroded(coverage >= 1.0, EDGE)
    found = picture[..., 3].astype(np.float32) / 255.0 if picture.shape[2] == 4 else alpha
    iou = _silhouette_iou(found, matte, transform)
    compared = int(np.count_nonzero(inside))
    lit = reference if relight is None else relight.apply(reference)
    in_light = colour_difference(shown, lit, inside, JUST_NOTICEABLE)
    as_taken = in_light
    match = None
    if relight is not None:
        as_taken = colour_difference(shown, reference, inside, JUST_NOTICEABLE)
        changed = colour_difference(to_srgb8(reference), lit, inside, JUST_NOTICEABLE)
        match = _light_match(relight, in_light, changed, compared)
    if compared == 0:
        return Fidelity(
            pixels_compared=0,
            share_within_de1=None,
            max_de=None,
            mean_de=None,
            ssim=None,
            silhouette_iou=iou,
            light_match=match,
        )
    ssim, local_ssim = _ssim(shown, lit, inside)
    return Fidelity(
        pixels_compared=compared,
        share_within_de1=round(as_taken.within / compared, 6),
        max_de=round(as_taken.max_de, 3),
        mean_de=round(as_taken.total_de / compared, 4),
        ssim=round(ssim, 6),
        local_de=round(in_light.local_de, 3),
        altered_pixels=in_light.altered_pixels,
        local_ssim=round(local_ssim, 4),
        altered=in_light.local_de > MOST_LOCAL_DE
        or in_light.altered_pixels > MOST_ALTERED_PIXELS
        or local_ssim < LEAST_LOCAL_SSIM,
        silhouette_iou=iou,
        light_match=match,
    )


def _light_match(
    relight: Relight, in_light: ColourDifference, changed: ColourDifference, compared: int
) -> LightMatch:
    """What the change alone does to the photo's pixels, and whether the picture shows them so."""
    red, green, blue = (round(gain, 4) for gain in relight.gains)
    return LightMatch(
        stops=round(relight.stops, 4),
        mired=round(relight.mired, 2),
        gains=(red, green, blue),
        mean_de=round(changed.total_de / compared, 3) if compared else None,
        share_within_de1=round(in_light.within / compared, 6) if compared else None,
    )


def _ssim(shown: NDArray[np.uint8], reference: Linear, inside: NDArray[np.bool_]) -> tuple[float, float]:
    """Mean and lowest local structural similarity of luma over the windows that lie inside the product.

    A product thinner than a window keeps the windows centred inside it; beyond the product both
    pictures are made equal, so that the new ground does not count.
    """
    one, other, inside = _lumas(shown, reference, inside)
    while min(one.shape) > _SSIM_SIDE:
        one, other, inside = halve(one), halve(other), halve(inside.astype(np.float32)) == 1.0
    moments = np.stack([one, other, one * one, other * other, one * other], axis=-1)
    similarity = np.empty(one.shape, np.float32)
    _compare_structure(gaussian_blur(moments, _SSIM_SIGMA, least=0.004), similarity)
    windows = eroded(inside, _SSIM_REACH)
    if not windows.any():
        windows = inside
    return float(similarity[windows].mean(dtype=np.float64)), local_structure(similarity, windows)


@compiled
def _compare_structure(means: NDArray[np.float32], similarity: NDArray[np.float32]) -> None:
    """Structural similarity from local means of both, of their squares and of their product: (H, W, 5)."""
    c1, c2, twice = np.float32(_SSIM_C1), np.float32(_SSIM_C2), np.float32(2.0)
    for y in range(similarity.shape[0]):
        for x in range(similarity.shape[1]):
            m1, m2 = means[y, x, 0], means[y, x, 1]
            v1, v2 = means[y, x, 2] - m1 * m1, means[y, x, 3] - m2 * m2
            covariance = means[y, x, 4] - m1 * m2
            alike = (twice * m1 * m2 + c1) * (twice * covariance + c2)
            similarity[y, x] = alike / ((m1 * m1 + m2 * m2 + c1) * (v1 + v2 + c2))


def _lumas(
    shown: NDArray[np.uint8], reference: Linear, inside: NDArray[np.bool_]
) -> tuple[NDArray[np.float32], NDArray[np.float32], NDArray[np.bool_]]:
    """Luma of both where `inside`, that of `shown` for both elsewhere; halved once where they are large."""
    cell = 2 if min(inside.shape) > _SSIM_SIDE else 1
    shape = (inside.shape[0] // cell, inside.shape[1] // cell)
    one, other, kept = np.empty(shape, np.float32), np.empty(shape, np.float32), np.empty(shape, np.bool_)
    _fill_lumas(shown, reference, inside, cell, one, other, kept)
    return one, other, kept


@compiled
def _fill_lumas(  # noqa: PLR0917 - two pictures, and three maps to fill
    shown: NDArray[np.uint8],
    reference: Linear,
    inside: NDArray[np.bool_],
    cell: int,
    one: NDArray[np.float32],
    other: NDArray[np.float32],
    kept: NDArray[np.bool_],
) -> None:
    """Means over cells of `cell` x `cell` pixels; kept is what lies inside as a whole."""
    steps, share = np.float32(len(CODE8_OF_LINEAR) - 1), np.float32(1.0 / (cell * cell))
    for y in range(one.shape[0]):
        for x in range(one.shape[1]):
            ours = theirs = np.float32(0.0)
            whole = True
            for row in range(y * cell, y * cell + cell):
                for column in range(x * cell, x * cell + cell):
                    here = inside[row, column]
                    whole &= here
                    for band in range(3):
                        code = shown[row, column, band]
                        ours += _LUMA[band] * np.float32(code)
                        if here:
                            light = min(max(reference[row, column, band], np.float32(0.0)), np.float32(1.0))
                            code = CODE8_OF_LINEAR[int(light * steps + np.float32(0.5))]
                        theirs += _LUMA[band] * np.float32(code)
            one[y, x], other[y, x], kept[y, x] = ours * share, theirs * share, whole


def _silhouette_iou(found: NDArray[np.float32], matte: Matte, transform: Transform) -> float | None:
    """Intersection over union of the outline found and the matte carried over by nearest neighbour."""
    height, width = found.shape
    rows = _source_index(np.arange(height), transform.ty, transform.scale, matte.shape[0])
    columns = _source_index(np.arange(width), transform.tx, transform.scale, matte.shape[1])
    both, either = _overlap(found, matte, rows, columns)
    return round(both / either, 6) if either else None


@compiled
def _overlap(
    found: NDArray[np.float32], matte: Matte, rows: NDArray[np.intp], columns: NDArray[np.intp]
) -> tuple[int, int]:
    """Pixels that are product in both, and in either."""
    half = np.float32(0.5)
    both = either = 0
    for y in range(found.shape[0]):
        for x in range(found.shape[1]):
            expected = rows[y] >= 0 and columns[x] >= 0 and matte[rows[y], columns[x]] > half
            present = found[y, x] > half
            both += expected and present
            either += expected or present
    return both, either


def _source_index(canvas: NDArray[np.intp], offset: float, scale: float, side: int) -> NDArray[np.intp]:
    """Photo row or column under each canvas pixel's centre; -1 beyond the photo."""
    index = np.floor((canvas + 0.5 - offset) / scale).astype(np.intp)
    return np.where((index >= 0) & (index < side), index, -1)

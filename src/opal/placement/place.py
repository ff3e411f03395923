"""Puts one product into one scene at one size: the step list from photo and matte to pixels.

Called by scoring (the scene picture) and export-worker (every preset).
"""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.errors import BackdropUnusable
from opal.images.colour import Linear, to_linear
from opal.images.composite import Layer, over_ground, over_nothing
from opal.images.contact import SOLID
from opal.images.geometry import Box, Fit, Transform, fit, scale_for_fill, scale_for_margin
from opal.images.native import lay_native
from opal.images.photo import Photo
from opal.images.relight import Relight
from opal.images.resample import OPAQUE
from opal.images.shadow import Transmittance
from opal.placement.camera import Standing
from opal.placement.casting import cast, lift_rows, shadow_kind, with_reflection
from opal.placement.engines import engine_for
from opal.placement.framing import frame, stand_on_line
from opal.placement.interface import Backdrop, Canvas, Ground
from opal.placement.light_match import match_light
from opal.placement.placement import DEFAULT_MARGIN, Placement
from opal.placement.product import Product
from opal.placement.scene import BackdropScene, Scene, TransparentScene

_FOOT_SHARE = 0.06
"""Lowest part of a product, as a share of its height, that counts as its foot."""


@dataclass(frozen=True, slots=True)
class Composition:
    """A finished picture and what is needed to check it."""

    pixels: NDArray[np.uint8]
    """(H, W, 3) sRGB, or (H, W, 4) with straight alpha for a transparent scene."""
    alpha: NDArray[np.float32]
    """(H, W) coverage by the product, 0..1."""
    refer: Callable[[], Linear]
    """Makes `reference`, which only the fidelity report asks for."""
    product_box: Box
    transform: Transform
    upscaled: bool
    capped: bool
    """The product is smaller than asked, because the photo has too few pixels."""
    seed: int
    timings: dict[str, float]
    """Seconds per step."""
    enlargement: float | None = None
    """Canvas pixels per pixel of the backdrop, above 1 where it was enlarged; None without a backdrop."""
    relight: Relight | None = None
    """How the product's light was moved towards the backdrop's; None where it was left alone."""

    @property
    def reference(self) -> Linear:
        """The photo itself under the same transform: (h, w, 3) linear light over `product_box`."""
        return self.refer()


def compose(
    product: Product,
    scene: Scene,
    placement: Placement,
    width: int,
    height: int,
    *,
    seed: int,
    backdrop: Photo | None = None,
    clear: Box | None = None,
) -> Composition:
    """Place a product on a canvas of `width` x `height` pixels.

    `backdrop` is the picture of a `backdrop` scene, where the product has its own place; elsewhere it keeps
    to `clear`, a part of the canvas. Raises BackdropUnusable and BackdropTooSmall. The product is never cut,
    and not enlarged beyond its limit.
    """
    timings: dict[str, float] = {}
    with _timed(timings, "fit"):
        behind = _framed(scene, backdrop, placement, width, height)
        placed = _fit(product.box, product.foot, scene, placement, Box(0, 0, width, height), clear, behind)
    if _is_native(product.photo, scene, placement, placed):
        return _laid_native(product, placed, width, height, seed=seed, timings=timings)
    target = placed.box
    with _timed(timings, "resize"):
        colours, alpha = product.laid_out(target.width, target.height)
        relight = match_light(scene, backdrop) if backdrop is not None else None
        layer = Layer(relight.apply(colours) if relight else colours, alpha, target)
        coverage = np.zeros((height, width), np.float32)
        coverage[target.top : target.bottom, target.left : target.right] = alpha
    with _timed(timings, "scene"):
        ground_row = placed.transform.scale * product.foot + placed.transform.ty
        hover = _hover(placement, scene, target.height, ground_row, height, behind)
        standing = standing_of(coverage, target)
        canvas = Canvas(width, height, ground_row + hover, seed, standing, behind)
        ground = engine_for(scene.kind).render(scene, canvas)
    with _timed(timings, "shadow"):
        shade = _caught(cast(coverage, placement, scene, hover, ground.blur), ground)
    with _timed(timings, "reflection"):
        ground = with_reflection(ground, layer, coverage, placement)
    with _timed(timings, "composite"):
        pixels = _lay(ground, shade, layer, width, height, seed=seed)
    return Composition(
        pixels=pixels,
        alpha=coverage,
        refer=lambda: product.as_photographed(target.width, target.height),
        product_box=target,
        transform=placed.transform,
        upscaled=placed.upscaled,
        capped=placed.capped,
        seed=seed,
        timings=timings,
        enlargement=behind.framing.scale if behind else None,
        relight=relight,
    )


def _is_native(photo: Photo, scene: Scene, placement: Placement, placed: Fit) -> bool:
    """Whether the picture is the product's own pixels and nothing else."""
    bare = isinstance(scene, TransparentScene) and shadow_kind(placement, scene) == "none"
    return bare and placed.transform.scale == 1.0 and photo.pixels.format == "uchar"


def _laid_native(
    product: Product,
    placed: Fit,
    width: int,
    height: int,
    *,
    seed: int,
    timings: dict[str, float],
) -> Composition:
    """The same composition as the general way's, to the bit, without its steps through linear light."""
    photo, box, target = product.photo, product.box, placed.box
    with _timed(timings, "composite"):
        coverage = np.zeros((height, width), np.float32)
        alpha = coverage[target.top : target.bottom, target.left : target.right]
        np.copyto(alpha, product.matte[box.top : box.bottom, box.left : box.right])
        alpha[alpha >= OPAQUE] = 1.0
        pixels = lay_native(photo, alpha, box, target, (width, height))
    return Composition(
        pixels=pixels,
        alpha=coverage,
        refer=lambda: to_linear(photo.pixels.crop(box.left, box.top, box.width, box.height).numpy()),
        product_box=target,
        transform=placed.transform,
        upscaled=placed.upscaled,
        capped=placed.capped,
        seed=seed,
        timings=timings,
    )


def _framed(
    scene: Scene, picture: Photo | None, placement: Placement, width: int, height: int
) -> Backdrop | None:
    if not isinstance(scene, BackdropScene):
        return None
    if picture is None:
        raise BackdropUnusable("The scene is a backdrop, and its picture is missing.")
    framing = frame(scene, picture.width, picture.height, width, height, wish=placement.ground)
    return Backdrop(picture, framing)


def _fit(  # noqa: PLR0917 - what is placed, how, and where
    box: Box,
    foot: int,
    scene: Scene,
    placement: Placement,
    canvas: Box,
    clear: Box | None,
    behind: Backdrop | None,
) -> Fit:
    if behind is not None and isinstance(scene, BackdropScene):
        lift = placement.lift if shadow_kind(placement, scene) == "floating" else 0.0
        return stand_on_line(
            behind.framing,
            scene,
            placement,
            box,
            foot=foot,
            width=canvas.width,
            height=canvas.height,
            lift=lift,
        )
    area = clear or canvas
    margin = 0.0
    if placement.fill is not None:
        scale = scale_for_fill(box, canvas.width, canvas.height, placement.fill)
    else:
        margin = DEFAULT_MARGIN if placement.margin is None else placement.margin
        scale = scale_for_margin(box, area.width, area.height, margin)
    ground = placement.ground
    if ground is not None and clear is not None:
        # A ground line is meant on the canvas; where it lies outside the area, the area's edge holds.
        ground = (ground * canvas.height - area.top) / area.height
    fitted = fit(
        box,
        area.width,
        area.height,
        scale=scale,
        upscale_limit=placement.upscale_limit,
        alignment=placement.alignment,
        margin=margin,
        ground=ground,
        ground_row=foot,
    )
    return fitted.moved(area.left, area.top)


def _hover(  # noqa: PLR0917 - lift_rows' own arguments, and what decides in its stead
    placement: Placement,
    scene: Scene,
    product_height: int,
    foot: float,
    height: int,
    behind: Backdrop | None,
) -> float:
    """Rows between foot and floor. A backdrop's floor is where it is: there the product has been lifted."""
    if behind is None:
        return lift_rows(placement, scene, product_height, height - foot)
    floats = shadow_kind(placement, scene) == "floating"
    return max(0.0, behind.framing.line - foot) if floats else 0.0


def standing_of(coverage: NDArray[np.float32], box: Box) -> Standing:
    """Where a stand must be: under the foot, wide enough for it, and for most of what leans out above it.

    What would topple over its foot rests on more than its lowest rows show, as a ring on its side does: the
    stand is then under all of it.
    """
    low = coverage[box.bottom - max(1, round(_FOOT_SHARE * box.height)) : box.bottom] > SOLID
    columns = np.flatnonzero(low.any(axis=0))
    if columns.size == 0:
        return Standing(box.left + box.width / 2, box.width)
    left, right = float(columns[0]), float(columns[-1] + 1)
    weight = coverage[box.top : box.bottom].sum(axis=0)
    balance = float(np.average(np.arange(weight.size) + 0.5, weights=weight))
    if not left <= balance <= right:
        return Standing(box.left + box.width / 2, box.width)
    return Standing(0.5 * (left + right), max(1.1 * (right - left), 0.8 * box.width))


def _caught(shade: Transmittance | None, ground: Ground) -> Transmittance | None:
    """The shadow where there is something for it to fall on: not beyond the edge of a stand."""
    if shade is None or ground.catches is None:
        return shade
    return np.asarray(1.0 - (1.0 - shade) * ground.catches, np.float32)


def _lay(
    ground: Ground, shade: Transmittance | None, layer: Layer, width: int, height: int, *, seed: int
) -> NDArray[np.uint8]:
    if ground.pixels is None:
        return over_nothing(width, height, shade, layer)
    return over_ground(ground.pixels, shade, layer, dither=ground.smooth, seed=seed)


@contextmanager
def _timed(timings: dict[str, float], step: str) -> Iterator[None]:
    started = time.perf_counter()
    yield
    timings[step] = round(time.perf_counter() - started, 4)

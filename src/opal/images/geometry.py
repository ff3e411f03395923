"""Plain arithmetic of placing a product on a canvas: boxes, fitting, alignment, transform.

No pixels here. Called by `placement/place.py` before any pixel is touched; y grows downwards.
"""

from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

Alignment: TypeAlias = Literal[
    "top-left",
    "top",
    "top-right",
    "left",
    "center",
    "right",
    "bottom-left",
    "bottom",
    "bottom-right",
]

ALIGNMENTS: dict[str, tuple[float, float]] = {
    "top-left": (0.0, 0.0),
    "top": (0.5, 0.0),
    "top-right": (1.0, 0.0),
    "left": (0.0, 0.5),
    "center": (0.5, 0.5),
    "right": (1.0, 0.5),
    "bottom-left": (0.0, 1.0),
    "bottom": (0.5, 1.0),
    "bottom-right": (1.0, 1.0),
}
"""Name to the share of the free width and height that lies left of and above the product."""


@dataclass(frozen=True, slots=True)
class Box:
    """A rectangle of whole pixels; `right` and `bottom` are exclusive."""

    left: int
    top: int
    width: int
    height: int

    def __post_init__(self) -> None:
        """Refuse an empty rectangle: every caller divides by a side sooner or later."""
        if self.width < 1 or self.height < 1:
            raise ValueError(f"a box needs positive sides, got {self.width} x {self.height}")

    @property
    def right(self) -> int:
        """First column right of the box."""
        return self.left + self.width

    @property
    def bottom(self) -> int:
        """First row below the box."""
        return self.top + self.height

    def inside(self, width: int, height: int) -> bool:
        """Whether the box lies wholly on a canvas of this size."""
        return self.left >= 0 and self.top >= 0 and self.right <= width and self.bottom <= height


@dataclass(frozen=True, slots=True)
class Transform:
    """Photo pixel to canvas pixel: `canvas = scale * photo + (tx, ty)`, for pixel corners."""

    scale: float
    tx: float
    ty: float


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a product goes: its box on the canvas and how it got there."""

    box: Box
    transform: Transform
    upscaled: bool
    """More pixels than the photo had: each photo pixel covers more than one canvas pixel."""
    capped: bool
    """The wanted size needed more enlargement than allowed, so the product stayed smaller."""

    def moved(self, x: int, y: int) -> "Fit":
        """The same fit, `x` canvas pixels to the right and `y` down."""
        box, way = self.box, self.transform
        return replace(
            self,
            box=Box(box.left + x, box.top + y, box.width, box.height),
            transform=Transform(way.scale, way.tx + x, way.ty + y),
        )


def scale_for_fill(product: Box, width: int, height: int, fill: float) -> float:
    """Scale at which the product's tighter direction takes `fill` (0..1] of the canvas.

    The tighter direction is the one that would touch the border first, so a fill of 1 touches
    two borders and cuts nothing.
    """
    return fill * min(width / product.width, height / product.height)


def scale_for_margin(product: Box, width: int, height: int, margin: float) -> float:
    """Scale at which the product fits the canvas less `margin` on each side.

    `margin` is a share [0..0.45] of the shorter canvas side, so that it looks alike in every
    aspect.
    """
    free = 2 * margin * min(width, height)
    return min((width - free) / product.width, (height - free) / product.height)


def fit(
    product: Box,
    width: int,
    height: int,
    *,
    scale: float,
    upscale_limit: float,
    alignment: Alignment,
    margin: float = 0.0,
    ground: float | None = None,
    ground_row: float | None = None,
) -> Fit:
    """Place `product` (its box on the photo) on a `width` x `height` canvas; never cut it.

    `scale` is the wanted one, held to `upscale_limit` (1.0 = no enlargement). Alignment acts
    inside the margin where the product is smaller than that area. With `ground` (share of the
    canvas height) the product's own `ground_row` (photo row where it touches the floor, the
    box's bottom when not given) comes to lie there, as far as the canvas allows.
    """
    capped = scale > upscale_limit
    scale = min(scale, upscale_limit, width / product.width, height / product.height)
    box_width = max(1, min(width, round(product.width * scale)))
    box_height = max(1, min(height, round(product.height * scale)))
    share_x, share_y = ALIGNMENTS[alignment]
    inset = margin * min(width, height)
    left = _aligned(width, box_width, inset, share_x)
    top = _aligned(height, box_height, inset, share_y)
    if ground is not None:
        rests_at = product.bottom if ground_row is None else ground_row
        top = round(ground * height - (rests_at - product.top) * scale)
        top = max(0, min(height - box_height, top))
    return Fit(
        box=Box(left, top, box_width, box_height),
        transform=Transform(scale, left - product.left * scale, top - product.top * scale),
        upscaled=scale > 1.0,
        capped=capped,
    )


def _aligned(side: int, length: int, inset: float, share: float) -> int:
    """Start of `length` in `side` at `share` of the free room; the inset gives way, not the product."""
    inset = min(inset, (side - length) / 2)
    return round(inset + (side - 2 * inset - length) * share)

"""Which part of a backdrop a canvas shows, and where on it the product stands. Plain arithmetic.

Called by `placement/place.py`; web-api and the command line ask `check_enlargement` before work begins.
"""

from dataclasses import dataclass, replace

from opal.errors import BackdropTooSmall
from opal.images.geometry import Box, Fit, Transform, fit, scale_for_fill, scale_for_margin
from opal.placement.placement import DEFAULT_MARGIN, Placement
from opal.placement.scene import BackdropScene

MAX_ENLARGEMENT = 4.0
"""Canvas pixels per pixel of the backdrop, at most. Up to about 2 a softly lit background still passes for a
photograph at full size; beyond 4 it is plainly an enlarged thumbnail."""
MIN_SIDE = 512
"""Shortest side of a backdrop: enough for every canvas up to 2048 pixels."""
_LINE_HIGHEST, _LINE_LOWEST = 0.6, 0.92
"""Where a crop may put the ground line, as shares of the canvas height, when it has a choice: the product
needs the room above it, the floor shows below it."""
_SPOT_INSET = 0.3
"""Share of the canvas width that a crop keeps beside the product's spot, when it has a choice."""
_LEAST_ROOM = 0.02
"""Free share of the shorter side above a product that has the size of its place, and beside one at a spot."""
_BLUR_REACH = 1 / 3
"""Share of the picture's height over which the blur grows where no horizon is given."""
_SHORTEST_FLOOR = 0.02
"""Least distance, as a share of the picture's height, between ground line and horizon."""


@dataclass(frozen=True, slots=True)
class Framing:
    """A canvas's view of a backdrop. Rows and columns are canvas pixels and may lie beyond the canvas."""

    crop: Box
    """What of the picture is shown, in its own pixels."""
    scale: float
    """Canvas pixels per pixel of the picture; above 1 it is enlarged."""
    picture_rows: float
    """Height of the whole picture in canvas pixels."""
    line: float
    """Row of the ground line."""
    floor_end: float
    """Row where the floor ends, or is taken to end."""
    spot: float | None
    """Column of the product's middle, where the scene names one."""


def check_enlargement(picture_width: int, picture_height: int, width: int, height: int) -> float:
    """Canvas pixels per picture pixel when the picture covers the canvas; raises BackdropTooSmall."""
    scale = max(width / picture_width, height / picture_height)
    if scale > MAX_ENLARGEMENT:
        raise BackdropTooSmall(
            f"The backdrop is {picture_width} × {picture_height}; for {width} × {height} it would be "
            f"enlarged {scale:.1f} times, and {MAX_ENLARGEMENT:.0f} is the most."
        )
    return scale


def frame(
    scene: BackdropScene,
    picture_width: int,
    picture_height: int,
    width: int,
    height: int,
    *,
    wish: float | None = None,
) -> Framing:
    """Cover a `width` x `height` canvas with as much of the picture as its aspect allows.

    The crop is centred on the scene's focus as far as the picture reaches, and moved so that the ground
    line and the product's spot keep room around them. `wish` is the share of the canvas height at which
    the line should come to lie. Raises BackdropTooSmall.
    """
    scale = check_enlargement(picture_width, picture_height, width, height)
    crop_width = min(picture_width, max(1, round(width / scale)))
    crop_height = min(picture_height, max(1, round(height / scale)))
    line = scene.ground * picture_height
    lowest, highest = (_LINE_LOWEST, _LINE_HIGHEST) if wish is None else (wish, wish)
    top = _start(
        scene.focus_y * picture_height - crop_height / 2,
        line - lowest * crop_height,
        line - highest * crop_height,
        picture_height - crop_height,
    )
    left = scene.focus_x * picture_width - crop_width / 2
    spot = None if scene.across is None else scene.across * picture_width
    inset = _SPOT_INSET * crop_width
    least, most = (left, left) if spot is None else (spot - crop_width + inset, spot - inset)
    left = _start(left, least, most, picture_width - crop_width)
    end = scene.ground - _BLUR_REACH if scene.horizon is None else scene.horizon
    end = min(end, scene.ground - _SHORTEST_FLOOR)
    down, over = height / crop_height, width / crop_width
    return Framing(
        crop=Box(round(left), round(top), crop_width, crop_height),
        scale=scale,
        picture_rows=picture_height * down,
        line=(line - round(top)) * down,
        floor_end=(end * picture_height - round(top)) * down,
        spot=None if spot is None else (spot - round(left)) * over,
    )


def stand_on_line(
    framing: Framing,
    scene: BackdropScene,
    placement: Placement,
    box: Box,
    *,
    foot: int,
    width: int,
    height: int,
    lift: float,
) -> Fit:
    """Fit the product (`box` on its photo, resting at row `foot`) with its foot on the ground line.

    It is as tall as the room above the line allows, at most. `lift` raises it by that share of its
    height, for a product that floats.
    """
    shorter = min(width, height)
    margin = DEFAULT_MARGIN if placement.margin is None else placement.margin
    tall = foot - box.top
    if scene.scale is not None:
        wanted, headroom = scene.scale * framing.picture_rows / tall, _LEAST_ROOM * shorter
    elif placement.fill is not None:
        wanted = scale_for_fill(box, width, height, placement.fill)
        headroom = 0.5 * (1.0 - placement.fill) * shorter
    else:
        wanted, headroom = scale_for_margin(box, width, height, margin), margin * shorter
    line = min(max(framing.line, 1.0), float(height))
    room = max(line - headroom, 0.5 * line)
    placed = fit(
        box,
        width,
        height,
        scale=min(wanted, room / (tall * (1.0 + lift))),
        upscale_limit=placement.upscale_limit,
        alignment=placement.alignment,
        margin=margin if placement.fill is None else 0.0,
        ground=line / height,
        ground_row=foot,
    )
    left = placed.box.left
    if framing.spot is not None:
        free = width - placed.box.width
        inset = min(round(_LEAST_ROOM * shorter), free // 2)
        left = max(inset, min(free - inset, round(framing.spot - placed.box.width / 2)))
    top = max(0, placed.box.top - round(lift * placed.box.height))
    return _moved(placed, left, top)


def _start(wanted: float, least: float, most: float, free: float) -> float:
    """Where a crop starts: as wanted, but within `least`..`most`, and always within 0..`free`."""
    return min(max(0.0, min(max(wanted, least), most)), free)


def _moved(placed: Fit, left: int, top: int) -> Fit:
    box, was = placed.box, placed.transform
    moved = Transform(was.scale, was.tx + left - box.left, was.ty + top - box.top)
    return replace(placed, box=Box(left, top, box.width, box.height), transform=moved)

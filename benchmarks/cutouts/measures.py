"""How far a matte is from the exact one. Mattes are (H, W) float32, 0 ground .. 1 product."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.cutout.regions import label
from opal.images.matte import Matte

BAND_PX = 5
"""Half width of the band around the true outline in which edges are judged, pixels."""
# A hole is enclosed ground: clear pixels that do not reach the frame. Smaller ones, as a share of the
# product's area, are gaps in a weave rather than part of a shape.
_LEAST_HOLE = 2e-4
_CLEAR = 0.05

_Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Measures:
    """One matte against the truth."""

    mae: float
    """Mean absolute difference over the whole frame, 0..1."""
    iou: float
    """Intersection over union of product, both cut at one half, 0..1."""
    boundary: float
    """Mean absolute difference within `BAND_PX` of the true outline, 0..1."""
    holes: float | None
    """Share of the true holes' clear pixels that were left clear (below one half); None without holes."""


def measure(matte: Matte, truth: Matte) -> Measures:
    """Compare; raises ValueError when the sizes differ or the truth shows no product."""
    if matte.shape != truth.shape:
        raise ValueError(f"the matte is {matte.shape}, the truth {truth.shape}")
    solid = truth > 0.5
    if not solid.any():
        raise ValueError("the truth shows no product")
    found = matte > 0.5
    error = np.abs(matte - truth)
    band = outline_band(solid, BAND_PX)
    holes = enclosed_ground(truth)
    return Measures(
        mae=float(error.mean()),
        iou=float((found & solid).sum() / (found | solid).sum()),
        boundary=float(error[band].mean()) if band.any() else 0.0,
        holes=float((matte[holes] < 0.5).mean()) if holes.any() else None,
    )


def outline_band(solid: _Bools, radius: int) -> _Bools:
    """Pixels within `radius` of where `solid` changes; the frame itself is no outline."""
    height, width = solid.shape
    across = solid[:, 1:] != solid[:, :-1]
    down = solid[1:] != solid[:-1]
    edge = np.zeros_like(solid)
    edge[:, 1:] |= across
    edge[:, :-1] |= across
    edge[1:] |= down
    edge[:-1] |= down
    rows, columns = np.nonzero(edge)
    band = np.zeros_like(solid)
    for y in range(-radius, radius + 1):
        for x in range(-radius, radius + 1):
            if x * x + y * y <= radius * radius:
                band[np.clip(rows + y, 0, height - 1), np.clip(columns + x, 0, width - 1)] = True
    return band


def enclosed_ground(truth: Matte) -> _Bools:
    """The clear pixels of holes: handles, rings, between straps."""
    solid = truth > 0.5
    regions, areas = label(~solid)
    outside = np.unique(np.concatenate([regions[0], regions[-1], regions[:, 0], regions[:, -1]]))
    hole = areas >= _LEAST_HOLE * solid.sum()
    hole[outside] = False
    hole[0] = False
    enclosed: _Bools = hole[regions] & (truth < _CLEAR)
    return enclosed

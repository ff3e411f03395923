"""Connected regions of a low-resolution matte, and the removal of stray ones.

Called by `refine.py` and `holes.py`.
"""

import numpy as np
import pyvips
from numpy.typing import NDArray

_Floats = NDArray[np.float32]

# Areas as shares of the largest region's area.
_ISLAND = 0.015
# Of a region that leaves the picture beside a largest one that does not: a floor's gap, a table's edge, a
# neighbour. A photographer keeps what is for sale in the frame.
_CUT_ISLAND = 0.25


def remove_islands(matte: _Floats, joined_by: float = 0.25) -> _Floats:
    """Clear regions much smaller than the largest one: reflections, dust, labels on the wall.

    A pair of shoes stays a pair; an aerial cut off by one weak pixel stays too, since regions are
    joined across small gaps first. What leaves the picture beside a product that does not must be a good
    part of its size to stay. (h, w) 0..1 in and out; what is above `joined_by` joins its neighbours.
    """
    if not (matte > 0.5).any():
        return matte
    # Growing loses a lone pixel or two; they are dust like the rest, so they are labelled as they are.
    weak = matte > joined_by
    labels, areas = label(_grow(weak, 2.0) | weak)
    body = np.bincount(labels.reshape(-1), weights=(matte > 0.5).reshape(-1), minlength=areas.size)
    body[0] = 0
    leaving = np.zeros(body.size, bool)
    leaving[np.concatenate([labels[0], labels[-1], labels[:, 0], labels[:, -1]])] = True
    least = np.where(leaving & ~leaving[body.argmax()], _CUT_ISLAND, _ISLAND)
    stray = body < least * body.max()
    stray[0] = False
    return np.where(stray[labels], np.float32(0.0), matte)


def label(mask: NDArray[np.bool_]) -> tuple[NDArray[np.int32], NDArray[np.intp]]:
    """Number the connected regions of a mask from 1; 0 is outside. Returns labels and areas by label."""
    image = pyvips.Image.new_from_array(mask.astype(np.uint8))
    # libvips numbers regions of equal value, so the outside gets numbers too: renumber the inside.
    numbers = image.labelregions().numpy()
    counts = np.bincount(numbers.reshape(-1))
    inside = np.zeros(counts.size, bool)
    # A region lies wholly inside or outside, so any one of its pixels tells.
    inside[numbers.reshape(-1)] = mask.reshape(-1)
    renumber = np.where(inside, np.cumsum(inside), 0).astype(np.int32)
    return renumber[numbers], np.concatenate([[counts[~inside].sum()], counts[inside]])


def count_large(mask: NDArray[np.bool_], share: float) -> int:
    """How many connected regions have at least `share` of the largest one's area; seen at half size."""
    _, areas = label(mask[::2, ::2])
    return int((areas[1:] >= share * areas[1:].max()).sum()) if areas.size > 1 else 0


def _grow(mask: NDArray[np.bool_], radius: float) -> NDArray[np.bool_]:
    grown: NDArray[np.bool_] = (
        pyvips.Image.new_from_array(mask.astype(np.float32)).gaussblur(radius).numpy() > 0.1
    )
    return grown

"""Which small holes of a low-resolution matte are real: a chain's links stay open, a seam's stitches do not.

Called by `refine.py`.
"""

from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray

from opal.cutout.regions import label

_Floats = NDArray[np.float32]

# Of the product's area: smaller holes have to show the ground, larger ones are the product's shape.
_SMALL = 0.004
# Where colours say nothing, what is smaller than this is closed.
_SPECK = 0.0004
# The prediction in a hole's clearest tenth, where the network is all but sure of it, or leans that way.
_CLEAREST = 0.1
_ALL_BUT_SURE, _LEANING = 0.06, 0.3
# Log-likelihood ratios of a hole's colours that speak for the product, and plainly for the ground.
_PRODUCTS, _GROUNDS = 1.5, -4.0


def close_false_holes(matte: _Floats, prediction: _Floats, colours: Callable[[], _Floats | None]) -> _Floats:
    """Fill small holes that are the product's own: stitches, a glint, a print in the wall's grey.

    A gap that is open to the frame counts as a hole. A small one is real where the ground is seen through
    it: the network is all but sure of its clearest part and its colours do not speak for the product; or its
    colours are plainly the ground's and the network leans that way. `matte` (h, w) 0..1 is the shape so far,
    `prediction` (h, w) the network's answer; `colours` gives its `evidence.colour_evidence` and is called
    only where there are small holes.
    """
    solid = matte > 0.5
    labels, areas = label(~solid)
    share = areas / max(1, int(solid.sum()))
    small = share < _SMALL
    small[0] = False  # the product itself
    if not small.any():
        return matte
    ratio = colours()
    false = small & (share < _SPECK) if ratio is None else _false(labels, small, prediction, ratio)
    return np.where(false[labels], np.float32(1.0), matte) if false.any() else matte


def _false(
    labels: NDArray[np.int32], small: NDArray[np.bool_], prediction: _Floats, ratio: _Floats
) -> NDArray[np.bool_]:
    """By label, which of the `small` holes show no ground."""
    places = np.flatnonzero(small[labels])
    places = places[np.argsort(labels.reshape(-1)[places], kind="stable")]
    numbers, starts = np.unique(labels.reshape(-1)[places], return_index=True)
    seen, told = prediction.reshape(-1)[places], ratio.reshape(-1)[places]
    clearest = np.array([np.quantile(hole, _CLEAREST) for hole in np.split(seen, starts[1:])])
    mean = np.add.reduceat(told, starts) / np.diff([*starts, places.size])
    real = (clearest < _ALL_BUT_SURE) & (mean < _PRODUCTS)
    real |= (clearest < _LEANING) & (mean < _GROUNDS)
    false = np.zeros_like(small)
    false[numbers[~real]] = True
    return false

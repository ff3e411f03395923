"""How far a matte can be trusted, and why not: plain signs that a person should look at the picture.

Called by the engines. Figures are of the network's own answer and of the shape drawn from it.
"""

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.cutout.refine import Refined
from opal.cutout.regions import count_large, label
from opal.cutout.sight import Sight
from opal.cutout.working_grid import blur, lowest
from opal.images.geometry import Box
from opal.images.matte import Matte
from opal.images.photo import SourceInfo
from opal.images.resize import resize_to

_Floats = NDArray[np.float32]

# Shares of the frame that a product photo rarely leaves.
_NEARLY_EMPTY, _NEARLY_FULL = 0.005, 0.9
# Share of one side of the frame along which the product may leave it before it counts as cut off.
_CUT_OFF = 0.01
# Hesitation per product area: 0.04 is a crisp answer, a tenth is a network that guesses.
_CRISP, _GUESSING = 0.04, 0.25
# What the network half saw beside the product: this likely, and wider than an edge (pixels of 1024). On
# photos cut out right it takes up at most 0.005 of the product; a lost lid knob took up 0.013.
_HALF_SEEN = (0.03, 0.5)
_WIDER_THAN_EDGE = 9
_HALF_SEEN_SHARE = 0.008
_BESIDE = 6.0
# Longer side, pixels, at which a file's own transparency is judged.
_OWN_SIDE = 1024
# Left of the confidence where a file's decoder warned of damage: always less than what is marked for review.
_BLEMISHED = 0.5
# A second region of at least this share of the largest one is a second subject.
_SECOND = 0.2


def judge(sight: Sight, refined: Refined) -> tuple[float, tuple[str, ...]]:
    """Confidence 0..1 and its reasons, worst first.

    `sight` is the network's answer, `refined` what was drawn from it.
    """
    shape, prediction = refined.shape, sight.prediction
    return _sum_up(
        _hesitation(prediction, shape),
        _area(shape, sight),
        _frame(shape, sight),
        _subjects(shape),
        _focus(refined),
        _left_beside(prediction),
    )


def judge_own(matte: Matte) -> tuple[float, tuple[str, ...]]:
    """The same for the transparency that a file came with, (h, w) 0..1: nothing hesitated over it.

    A cut-out trimmed to its product touches the frame all around and fills it; that says nothing.
    """
    height, width = matte.shape
    scale = min(1.0, _OWN_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    shape: _Floats = (
        resize_to(pyvips.Image.new_from_array(matte), *size, "linear").numpy().reshape(size[::-1])
    )
    solid = shape > 0.5
    trimmed = all(side.any() for side in (solid[0], solid[-1], solid[:, 0], solid[:, -1]))
    whole = Sight(shape, Box(0, 0, width, height), width, height)
    at_frame = () if trimmed else (_area(shape, whole), _frame(shape, whole))
    confidence, reasons = _sum_up(*at_frame, _subjects(shape))
    return confidence, (*reasons, "The file's own transparency was used.")


def judge_file(
    source: SourceInfo, confidence: float, reasons: tuple[str, ...]
) -> tuple[float, tuple[str, ...]]:
    """What is left of a confidence, with its reasons, by the state that the photo's file is in."""
    if not source.blemished:
        return confidence, reasons
    return round(_BLEMISHED * confidence, 3), (
        "The file seems damaged; a part of the photo may be wrong.",
        *reasons,
    )


def _sum_up(*judged: tuple[float, str]) -> tuple[float, tuple[str, ...]]:
    findings = [(factor, reason) for factor, reason in judged if factor < 1.0]
    confidence = float(np.prod([factor for factor, _ in findings])) if findings else 1.0
    reasons = tuple(reason for factor, reason in sorted(findings) if factor < 0.95)
    return round(confidence, 3), reasons


def _hesitation(prediction: _Floats, shape: _Floats) -> tuple[float, str]:
    """How much of the answer is neither product nor ground, against the product's size.

    Only where the product was drawn: what was left out on other grounds is judged by `_focus`.
    """
    height, width = prediction.shape
    drawn = resize_to(pyvips.Image.new_from_array((shape > 0.0).astype(np.float32)), width, height, "linear")
    kept = prediction * (drawn.numpy() > 0.0)
    product = float((kept > 0.5).mean())
    unsure = float((4.0 * kept * (1.0 - kept)).mean())
    ratio = unsure / max(product, 1e-6)
    doubt = float(np.clip((ratio - _CRISP) / (_GUESSING - _CRISP), 0.0, 1.0))
    return 1.0 - 0.7 * doubt, "Parts of the product's outline are uncertain."


def _area(shape: _Floats, sight: Sight) -> tuple[float, str]:
    share = float((shape > 0.5).mean()) * sight.share
    if share < _NEARLY_EMPTY:
        return 0.5, "The product takes up very little of the photo."
    if share > _NEARLY_FULL:
        return 0.5, "Nearly the whole photo was taken as product."
    return 1.0, ""


def _frame(shape: _Floats, sight: Sight) -> tuple[float, str]:
    """A product that leaves the photo was cut by it; nothing can bring the rest back."""
    solid, part = shape > 0.5, sight.part
    # A side of the part inside the photo cuts nothing off.
    sides = (
        (solid[0], part.top == 0, part.width / sight.width),
        (solid[-1], part.bottom == sight.height, part.width / sight.width),
        (solid[:, 0], part.left == 0, part.height / sight.height),
        (solid[:, -1], part.right == sight.width, part.height / sight.height),
    )
    longest = max(float(side.mean()) * share if at_frame else 0.0 for side, at_frame, share in sides)
    if longest <= _CUT_OFF:
        return 1.0, ""
    return 0.6, "The product is cut off by the edge of the photo."


def _subjects(shape: _Floats) -> tuple[float, str]:
    large = count_large(shape > 0.5, _SECOND)
    return (1.0, "") if large <= 1 else (0.85, f"There are {large} separate subjects.")


def _focus(refined: Refined) -> tuple[float, str]:
    return (0.85, "Things out of focus were left out.") if refined.left_out else (1.0, "")


def _left_beside(prediction: _Floats) -> tuple[float, str]:
    """Areas touching the product that were not taken though the network did not rule them out."""
    low, high = _HALF_SEEN
    # Only what is at least as wide as the window is left of it.
    wide = lowest((prediction > low) & (prediction < high), _WIDER_THAN_EDGE)
    if not wide.any():
        return 1.0, ""
    product = prediction > 0.5
    labels, areas = label(product)
    if areas.size == 1:
        return 1.0, ""
    main = (labels == int(areas[1:].argmax()) + 1).astype(np.float32)
    regions, sizes = label(wide)
    touching = np.unique(regions[(blur(main, _BESIDE) > 0.01) & wide])
    if sizes[touching].sum() < _HALF_SEEN_SHARE * product.sum():
        return 1.0, ""
    return 0.7, "A part of the product may have been left out."

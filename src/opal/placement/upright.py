"""The product as a placement wants it: as it was photographed, or turned upright first.

Called by scoring and export-worker, once per photo and before any picture is composed.
"""

from dataclasses import dataclass

from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.images.straighten import turn_needed, turned
from opal.placement.placement import Placement


@dataclass(frozen=True, slots=True)
class Upright:
    """What is composed, and what fidelity is measured against."""

    photo: Photo
    matte: Matte
    """(H, W) at the photo's size."""
    degrees: float
    """Clockwise turn about the middle of the photo as it was uploaded; 0.0 when it was left as it is."""


def upright(photo: Photo, matte: Matte, placement: Placement) -> Upright:
    """`photo` and its `matte` (H, W), turned where `placement.straighten` asks and the matte says how far."""
    degrees = turn_needed(matte) if placement.straighten else 0.0
    if degrees == 0.0:
        return Upright(photo, matte, 0.0)
    return Upright(*turned(photo, matte, degrees), degrees)

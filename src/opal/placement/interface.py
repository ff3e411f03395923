"""What every placement engine offers: the ground for a scene, in linear light.

Implementations stand beside this file and are chosen in `engines.py`.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from opal.images.colour import Linear
from opal.images.photo import Photo
from opal.placement.camera import Standing
from opal.placement.framing import Framing
from opal.placement.scene import Scene


@dataclass(frozen=True, slots=True)
class Backdrop:
    """A decoded picture and what of it the canvas shows."""

    picture: Photo
    framing: Framing


@dataclass(frozen=True, slots=True)
class Canvas:
    """The picture to fill and where the product will stand in it."""

    width: int
    height: int
    ground_row: float
    """Row in which the product touches the floor."""
    seed: int
    product: Standing | None = None
    """The product's place across; None, as in a thumbnail of the bare scene, is a middling one."""
    backdrop: Backdrop | None = None
    """The picture of a `backdrop` scene. Whoever composes brings it, so that engines stay pure."""


@dataclass(frozen=True, slots=True)
class Ground:
    """A scene without its product. `pixels` is (H, W, 3) linear light; None means transparent."""

    pixels: Linear | None
    smooth: bool
    """Whether it varies so slowly that 8 bit would show bands, so that it wants dither."""
    catches: NDArray[np.float32] | None = None
    """(H, W) share of each pixel on which the product's shadow can fall; None is everywhere."""
    blur: NDArray[np.float32] | None = None
    """(H,) radius in pixels of the disc by which a row, and a shadow cast on it, is out of focus."""


class PlacementEngine(Protocol):
    """Paints scenes of certain kinds. Pure: the same scene and canvas give the same pixels."""

    @property
    def name(self) -> str:
        """Short name, for reports."""
        ...

    @property
    def version(self) -> str:
        """Raised whenever the same scene would look different."""
        ...

    def render(self, scene: Scene, canvas: Canvas) -> Ground:
        """Paint the scene; the product is put on it afterwards."""
        ...

"""What a network has seen of one photo: its answer, and for which part. Made by `network.py`."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from opal.images.geometry import Box
from opal.images.matte import Matte

_Floats = NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class Sight:
    """The network's answer for `part` of a photo of `width` × `height` pixels."""

    prediction: _Floats
    """(h, w), 0 ground .. 1 product; the part squeezed into the network's input."""
    part: Box
    width: int
    height: int

    @property
    def share(self) -> float:
        """Share of the photo that the part takes up."""
        return self.part.width * self.part.height / (self.width * self.height)

    def framed(self, matte: Matte) -> Matte:
        """The part's matte in the whole photo's frame; clear around it."""
        part = self.part
        if (part.width, part.height) == (self.width, self.height):
            return matte
        whole = np.zeros((self.height, self.width), np.float32)
        whole[part.top : part.bottom, part.left : part.right] = matte
        return whole

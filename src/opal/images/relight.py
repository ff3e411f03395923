"""A product's light moved by a known amount: exposure and colour temperature as gains in linear light.

Called by `placement/light_match.py`, which decides by how much, and applied by `placement/place.py`.
"""

from dataclasses import dataclass

import numpy as np

from opal.images.colour import Linear

# How the linear sRGB of a black body changes per mired at 6504 K, as powers of two with luminance kept. From
# the Planckian locus of Y. Kim et al., US patent 7024034 (2006); straight within 3 % over ±20 mired.
_STOPS_PER_MIRED = np.array([0.00484, -0.00052, -0.00906], np.float32)
RED_BLUE_STOPS_PER_MIRED = float(_STOPS_PER_MIRED[0] - _STOPS_PER_MIRED[2])


@dataclass(frozen=True, slots=True)
class Relight:
    """A change of light."""

    stops: float
    """Exposure, in powers of two: above 0 is brighter."""
    mired: float
    """Colour temperature, in millionths of a reciprocal kelvin from daylight: above 0 is warmer."""

    @property
    def gains(self) -> tuple[float, float, float]:
        """Factors on linear red, green and blue."""
        red, green, blue = (float(gain) for gain in np.exp2(self.stops + self.mired * _STOPS_PER_MIRED))
        return red, green, blue

    def apply(self, pixels: Linear) -> Linear:
        """The pixels (..., 3) in the new light, held to 0..1."""
        return np.minimum(pixels * np.array(self.gains, np.float32), np.float32(1.0))

"""What is wanted of a cut-out picture: format, place, ground, and how large it may be.

Made by web-api's routes of a request and by `opal process --flat` of its options; read by ``picture.py``.
"""

import math
from dataclasses import dataclass
from typing import Final, Literal

from opal.images.shadow import ShadowKind

Format = Literal["auto", "png", "jpg", "webp", "zip"]
Channels = Literal["rgba", "alpha"]
Colour = tuple[int, int, int, int]
"""Red, green, blue, alpha; 0..255."""

MEGAPIXEL: Final = 1_000_000
SIZES: Final[dict[str, tuple[float, float, int]]] = {
    "preview": (0.25, 0.25, 1),
    "small": (0.25, 0.25, 1),
    "regular": (0.25, 0.25, 1),
    "medium": (1.5, 1.5, 4),
    "hd": (4.0, 4.0, 4),
    "full": (25.0, 10.0, 4),
    "4k": (25.0, 10.0, 4),
    "50mp": (50.0, 10.0, 4),
    "auto": (25.0, 10.0, 4),
}
"""Name to the largest result in megapixels, the largest PNG, and the price in quarters of a credit."""
ORIGINAL: Final = "original"
"""No reduction at all: rembg's way, not a value of the contract."""
_LIMITS: Final = {**SIZES, ORIGINAL: (math.inf, math.inf, 4)}


@dataclass(frozen=True, slots=True)
class Length:
    """A number of pixels, or a share (0..1 and more) of something."""

    value: float
    relative: bool

    def of(self, whole: float) -> float:
        """The length in pixels where 100 % are ``whole`` pixels."""
        return self.value * whole if self.relative else self.value


Lengths = tuple[Length, Length, Length, Length]
_NO_MARGINS: Final = (Length(0.0, relative=False),) * 4


@dataclass(frozen=True, slots=True)
class Wanted:
    """One picture, as it was asked for."""

    size: str
    type_name: str | None = None
    """What ``X-Type`` answers; None leaves it out."""
    format: Format = "auto"
    channels: Channels = "rgba"
    roi: Lengths | None = None
    """Left, top, right, bottom; None is the whole photo."""
    crop: bool = False
    margins: Lengths = _NO_MARGINS
    """Top, right, bottom, left; relative ones are of the subject."""
    scale: float | None = None
    """Share of the canvas that the subject takes in its tighter direction; None leaves it as it is."""
    position: tuple[float, float] | None = None
    """Shares of the free room left of and above the subject; None leaves it where it is."""
    shadow: ShadowKind = "none"
    shadow_opacity: float | None = None
    bg_color: Colour | None = None

    @property
    def quarters(self) -> int:
        """The price in quarters of a credit."""
        return _LIMITS[self.size][2]

    def limit(self, *, png: bool) -> float:
        """Most pixels of the result."""
        return _LIMITS[self.size][1 if png else 0] * MEGAPIXEL

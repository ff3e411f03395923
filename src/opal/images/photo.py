"""A decoded photo: the value that every later step takes. Built by `decode_photo` only."""

from dataclasses import dataclass

import pyvips

from opal.images.sniff import ImageFormat


@dataclass(frozen=True, slots=True)
class SourceInfo:
    """What the file was before decoding, for reports; `width` and `height` as stored."""

    format: ImageFormat
    bytes: int
    width: int
    height: int
    orientation: int
    profile: str | None
    bits: int
    sha256: str
    halved: bool = False
    """Its sides were halved while decoding, as it has more pixels than are worked on."""
    digital_source_type: str | None = None
    """What the file's own XMP says of how it came to be, as a short name of IPTC's vocabulary."""
    colour_space: str = "srgb"
    """`srgb` when the embedded profile is sRGB in effect or there is none on an RGB picture; else the
    profile's name or the colour model."""
    dpi: int | None = None
    """None where the file states no resolution."""
    blemished: bool = False
    """A JPEG whose decoder warned and went on: some pixels may be its own invention."""


@dataclass(frozen=True, slots=True)
class Photo:
    """A decoded photo: upright, sRGB, no alpha (a source's own alpha is kept apart).

    `pixels` has 3 bands, uchar ("srgb") or ushort ("rgb16"), with the sRGB transfer curve, and lies
    in memory: it may be read many times. `alpha` has 1 band, uchar, and is there only when the
    source had one that tells a product from its ground.
    """

    pixels: pyvips.Image
    alpha: pyvips.Image | None
    source: SourceInfo

    @property
    def width(self) -> int:
        """Upright width in pixels."""
        return int(self.pixels.width)

    @property
    def height(self) -> int:
        """Upright height in pixels."""
        return int(self.pixels.height)

"""What a photo may cost before any pixel is decoded: bytes, pixels, sides, frames, interlacing.

`probe` is called for web-api at upload completion, in a process of `opal.decoder`; it reads headers only.
"""

from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Self, overload

import pyvips

from opal.errors import (
    InterlacedTooLarge,
    PhotoAnimated,
    PhotoEmpty,
    PhotoTooLarge,
    PhotoTooSmall,
    SideTooLong,
    TooManyPixels,
)
from opal.images.ballast import check_ballast, webp_canvas
from opal.images.loaders import read_header
from opal.images.sniff import HEAD_BYTES, ImageFormat, View, sniff

if TYPE_CHECKING:
    # Not needed by the decoder's processes, and heavier than all that they do need.
    from opal.settings import PhotoSettings


@dataclass(frozen=True, slots=True)
class Limits:
    """Largest (and smallest) photo accepted."""

    max_bytes: int = 60_000_000
    max_pixels: int = 50_000_000
    """Pixels that are worked on."""
    halve: bool = False
    """Whether photos of up to four times `max_pixels` are taken, and their sides halved while decoding."""
    max_side: int = 16_384
    min_side: int = 64
    max_frames: int | None = 1
    """None takes animations and files of several pages; their first picture is looked at."""
    # A 0.9 MB Adam7 file of 30 000 x 30 000 took 953 MB and 8 s: it cannot be decoded in rows.
    max_interlaced_pixels: int = 25_000_000
    max_ballast: int = 16_000_000
    """Bytes of profile, XMP, previews and comments. The largest printing profiles have 3 MB, and editors have
    been seen to write 10 MB of history."""

    @property
    def most_pixels(self) -> int:
        """Pixels of the largest photo that is decoded."""
        return self.max_pixels * (4 if self.halve else 1)

    @classmethod
    def of(cls, photo: "PhotoSettings") -> Self:
        """The limits that the settings name."""
        return cls(
            max_bytes=photo.max_bytes,
            max_pixels=photo.max_pixels,
            halve=photo.oversize == "halve",
            max_side=photo.max_side,
            min_side=photo.min_side,
        )


@dataclass(frozen=True, slots=True)
class Header:
    """What the file's header says; `width` and `height` as stored, before EXIF orientation."""

    format: ImageFormat
    bytes: int
    width: int
    height: int
    bands: int
    bits: int
    orientation: int
    frames: int
    interlaced: bool

    @property
    def upright_size(self) -> tuple[int, int]:
        """Width and height after EXIF orientation is applied."""
        return (self.height, self.width) if self.orientation >= 5 else (self.width, self.height)


@overload
def read_source(source: bytes | Path, limits: Limits) -> bytes: ...
@overload
def read_source(source: View | Path, limits: Limits) -> View: ...
def read_source(source: View | Path, limits: Limits) -> View:
    """The source's bytes, refused by size before they are read.

    Raises PhotoEmpty and PhotoTooLarge.
    """
    size = source.stat().st_size if isinstance(source, Path) else len(source)
    if size == 0:
        raise PhotoEmpty
    if size > limits.max_bytes:
        raise PhotoTooLarge(f"The photo has {size:,} bytes; at most {limits.max_bytes:,} are allowed.")
    return source.read_bytes() if isinstance(source, Path) else source


def whole_file(limits: Limits) -> Limits:
    """The same limits for a picture that is looked at as it is: any number of frames, down to one pixel."""
    return replace(limits, min_side=1, max_frames=None)


def admit(view: View, limits: Limits) -> ImageFormat:
    """What a file is, told before any library may see it.

    Raises UnsupportedFormat, PhotoEmpty, PhotoMetadataTooLarge, and for WebP SideTooLong and TooManyPixels.
    """
    image_format = sniff(view[:HEAD_BYTES])
    check_ballast(view, image_format, limits.max_ballast)
    if image_format is ImageFormat.WEBP:
        _check_size(*webp_canvas(view), limits)
    return image_format


def probe(source: View | Path, limits: Limits | None = None) -> Header:
    """Read the header and hold it against the limits; no pixel is decoded.

    Raises the InvalidPhoto subclass that names what is wrong.
    """
    limits = limits or Limits()
    data = read_source(source, limits)
    image_format = admit(data, limits)
    header = describe(data, image_format, read_header(data, image_format, strict=False))
    check(header, limits)
    return header


def describe(data: View, image_format: ImageFormat, image: pyvips.Image) -> Header:
    """Collect what an opened but undecoded image says about itself."""
    fields = set(image.get_fields())

    def number(name: str, default: int) -> int:
        return int(image.get(name)) if name in fields else default

    stored_bits = {"uchar": 8, "ushort": 16, "short": 16}.get(image.format, 32)
    orientation = number("orientation", 1)
    return Header(
        format=image_format,
        bytes=len(data),
        width=int(image.width),
        height=int(image.height),
        bands=int(image.bands),
        bits=number("bits-per-sample", stored_bits),
        orientation=orientation if 1 <= orientation <= 8 else 1,
        frames=max(number("n-pages", 1), _apng_frames(data) if image_format is ImageFormat.PNG else 1),
        # A progressive JPEG is not "interlaced" here: its cost is bounded by the pixel limit.
        interlaced=image_format is ImageFormat.PNG and number("interlaced", 0) == 1,
    )


def check(header: Header, limits: Limits) -> None:
    """Raise the error of the first limit that the header breaks."""
    width, height = header.width, header.height
    _check_size(width, height, limits)
    size = f"{width} × {height}"
    if min(width, height) < limits.min_side:
        raise PhotoTooSmall(f"The photo is {size}; each side needs at least {limits.min_side} pixels.")
    if limits.max_frames is not None and header.frames > limits.max_frames:
        raise PhotoAnimated(f"The file holds {header.frames} frames or pages; send one photo.")
    if header.interlaced and width * height > limits.max_interlaced_pixels:
        raise InterlacedTooLarge(
            f"The photo is an interlaced PNG of {size}; above "
            f"{limits.max_interlaced_pixels / 1e6:.0f} megapixels save it without interlacing."
        )


def _check_size(width: int, height: int, limits: Limits) -> None:
    size = f"{width} × {height}"
    if max(width, height) > limits.max_side:
        raise SideTooLong(f"The photo is {size}; a side may have at most {limits.max_side} pixels.")
    if width * height > limits.most_pixels:
        raise TooManyPixels(
            f"The photo is {size}, {width * height / 1e6:.1f} megapixels; "
            f"at most {limits.most_pixels / 1e6:.1f} are allowed."
        )


def _apng_frames(data: View) -> int:
    """Frames of an animated PNG (its acTL chunk stands before the first IDAT); libvips ignores it."""
    position = 8
    while position + 12 <= len(data):
        length = int.from_bytes(data[position : position + 4], "big")
        kind = data[position + 4 : position + 8]
        if kind == b"acTL":
            return int.from_bytes(data[position + 8 : position + 12], "big")
        if kind == b"IDAT":
            break
        position += 12 + length
    return 1

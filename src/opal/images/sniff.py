"""What a file really is, told from its first bytes; names and declared types are not believed.

Called by `limits.probe`, `decode_photo` and web-api when an upload completes.
"""

import mmap
from enum import StrEnum
from typing import TypeAlias

from opal.errors import PhotoEmpty, UnsupportedFormat

View: TypeAlias = bytes | mmap.mmap
"""A whole file, in memory or mapped into it."""

HEAD_BYTES = 4096
"""How many bytes `sniff` looks at, at most."""


class ImageFormat(StrEnum):
    """The formats a photo may have. Values are used in reports and as file extensions."""

    JPEG = "jpeg"
    PNG = "png"
    WEBP = "webp"
    GIF = "gif"
    TIFF = "tiff"
    AVIF = "avif"
    HEIC = "heic"

    @property
    def media_type(self) -> str:
        """The IANA media type."""
        return f"image/{self.value}"


_MAGIC: tuple[tuple[bytes, ImageFormat], ...] = (
    (b"\xff\xd8\xff", ImageFormat.JPEG),
    (b"\x89PNG\r\n\x1a\n", ImageFormat.PNG),
    (b"GIF87a", ImageFormat.GIF),
    (b"GIF89a", ImageFormat.GIF),
    (b"II*\x00", ImageFormat.TIFF),
    (b"MM\x00*", ImageFormat.TIFF),
    (b"II+\x00", ImageFormat.TIFF),
    (b"MM\x00+", ImageFormat.TIFF),
)

_AVIF_BRANDS = frozenset({b"avif", b"avis"})
_HEIC_BRANDS = frozenset({b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"hevm", b"hevs"})

# Recognised only to say what the file is instead of "unknown".
_REFUSED: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"8BPS", "a Photoshop document"),
    (b"BM", "a BMP picture"),
    (b"\x00\x00\x00\x0cJXL ", "a JPEG XL picture"),
    (b"\xff\x0a", "a JPEG XL picture"),
    (b"\x00\x00\x00\x0cjP  ", "a JPEG 2000 picture"),
    (b"%!PS", "a PostScript document"),
    (b"PK\x03\x04", "a ZIP archive"),
    (b"<?xml", "an XML or SVG document"),
    (b"<svg", "an SVG document"),
    (b"<!DOCTYPE", "an HTML or XML document"),
    (b"<html", "an HTML document"),
)


def sniff(head: bytes) -> ImageFormat:
    """The format of a file that begins with `head` (the first `HEAD_BYTES` suffice).

    Raises PhotoEmpty for no bytes at all and UnsupportedFormat, saying what it is, otherwise.
    """
    if not head:
        raise PhotoEmpty
    for magic, image_format in _MAGIC:
        if head.startswith(magic):
            return image_format
    if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
        return ImageFormat.WEBP
    if head[4:8] == b"ftyp":
        return _iso_media_format(head)
    stripped = head[:HEAD_BYTES].lstrip(b"\xef\xbb\xbf \t\r\n")
    kind = next((name for magic, name in _REFUSED if stripped.startswith(magic)), "not a known picture")
    raise UnsupportedFormat(f"The file is {kind}. Send a JPEG, PNG, WebP, TIFF or AVIF photo.")


def _iso_media_format(head: bytes) -> ImageFormat:
    """AVIF and HEIC share one container; the brands in its first box tell them apart."""
    size = min(int.from_bytes(head[:4], "big"), len(head), 256)
    # Layout: size, "ftyp", major brand, minor version, compatible brands.
    brands = {head[8:12], *(head[i : i + 4] for i in range(16, size - 3, 4))}
    if head[8:12] == b"avis" or brands & _AVIF_BRANDS:
        return ImageFormat.AVIF
    if brands & _HEIC_BRANDS:
        return ImageFormat.HEIC
    raise UnsupportedFormat("The file is a film or an unknown ISO media file, not a photo.")

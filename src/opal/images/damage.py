"""What is wrong with a file that cannot be decoded: cut short on its way, or damaged inside.

Called by `loaders.read_header` and `decode_photo` once libvips has given up; it looks at bytes only.
"""

from typing import Literal

from opal.errors import InvalidPhoto, PhotoCorrupt, PhotoTruncated
from opal.images.sniff import ImageFormat, View

_TAIL = 64
"""Bytes at the end in which an end mark is looked for; some cameras write a few bytes after it."""


def name_damage(data: View, image_format: ImageFormat) -> InvalidPhoto:
    """PhotoTruncated where the file lacks its own end, PhotoCorrupt otherwise. To be raised by the caller.

    `data` is not empty and begins as `image_format` does.
    """
    name = image_format.value.upper()
    if _ends_early(data, image_format):
        return PhotoTruncated(f"The {name} file ends before its pixels do; upload it again.")
    return PhotoCorrupt(f"The {name} file is damaged and cannot be decoded.")


def _ends_early(data: View, image_format: ImageFormat) -> bool:
    """Whether the file lacks its format's own end mark or declared length."""
    match image_format:
        case ImageFormat.JPEG:
            return b"\xff\xd9" not in data[-_TAIL:]
        case ImageFormat.PNG:
            return b"IEND" not in data[-_TAIL:]
        case ImageFormat.GIF:
            return not data[:].rstrip(b"\x00").endswith(b"\x3b")
        case ImageFormat.WEBP:
            return int.from_bytes(data[4:8], "little") + 8 > len(data)
        case ImageFormat.AVIF | ImageFormat.HEIC:
            return _iso_boxes_end(data) > len(data)
        case ImageFormat.TIFF:
            # Its strips may stand anywhere, but most programs write the directory last.
            return _tiff_directory(data) >= len(data)


def _iso_boxes_end(data: View) -> int:
    """Where the last top-level box of an ISO media file says it ends."""
    position = 0
    while position + 8 <= len(data):
        size = int.from_bytes(data[position : position + 4], "big")
        if size == 1:
            size = int.from_bytes(data[position + 8 : position + 16], "big")
        if size < 8:
            # 0 means "to the end of the file"; less than a header is damage.
            return len(data)
        position += size
    # A few bytes that are too short for a box's header are the beginning of one.
    return position if position >= len(data) else len(data) + 1


def _tiff_directory(data: View) -> int:
    """Where a TIFF (version 42) or BigTIFF (43) says its first directory stands."""
    order: Literal["little", "big"] = "little" if data[:2] == b"II" else "big"
    is_big = int.from_bytes(data[2:4], order) == 43
    place = data[8:16] if is_big else data[4:8]
    return int.from_bytes(place, order) if len(place) == (8 if is_big else 4) else len(data)

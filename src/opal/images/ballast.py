"""What a file carries besides its pixels, counted without reading it: profiles, XMP, previews, comments.

Called by `limits.admit` before any library sees the file. A few kilobytes can hold a compressed profile of
60 MB, and a file of 60 MB can be a profile and nothing else; libraries copy all of it before they say how
large the picture is.
"""

import zlib
from collections.abc import Iterator
from typing import Literal

from opal.errors import PhotoMetadataTooLarge
from opal.images.sniff import ImageFormat, View

_MOST_PIECES = 5_000
"""Segments, chunks, boxes or pages. A photo has a few dozen before its pixels."""
_GULP = 65_536
_COMPRESSED = frozenset((b"iCCP", b"zTXt", b"iTXt"))
"""PNG chunks that may be compressed."""


def check_ballast(view: View, image_format: ImageFormat, most: int) -> None:
    """Raise PhotoMetadataTooLarge for more than `most` bytes of metadata, or for far too many pieces.

    Damage ends the count; it is for the decoder to name.
    """
    total = 0
    for number, size in enumerate(_PIECES[image_format](view, most)):
        total += size
        if total > most:
            raise PhotoMetadataTooLarge(
                f"The file carries more than {most / 1e6:.0f} MB besides its pixels "
                "(a profile, XMP, previews); save it without metadata."
            )
        if number >= _MOST_PIECES:
            raise PhotoMetadataTooLarge(
                f"The file is made of more than {_MOST_PIECES:,} pieces; save it without metadata."
            )


def _jpeg(view: View, _most: int) -> Iterator[int]:
    """Marker segments up to the first scan."""
    at = 2
    # As libjpeg does: whatever stands between two segments is passed over, and a marker may begin many times.
    while (at := view.find(b"\xff", at)) >= 0 and at + 4 <= len(view):
        marker = view[at + 1]
        if marker in {0x00, 0xFF}:
            at += 1
            yield 0
            continue
        if marker == 0xDA:
            return
        size = int.from_bytes(view[at + 2 : at + 4], "big")
        # APPn and comments; tables and frame headers are the picture's own.
        yield size if 0xE0 <= marker <= 0xEF or marker == 0xFE else 0
        at += 2 + max(size, 2)


def _png(view: View, most: int) -> Iterator[int]:
    """Chunks up to the first of pixels; what is compressed counts as what it becomes."""
    at = 8
    while at + 12 <= len(view):
        size, kind = int.from_bytes(view[at : at + 4], "big"), view[at + 4 : at + 8]
        if kind in {b"IDAT", b"IEND"}:
            return
        if kind in _COMPRESSED:
            yield max(size, _inflated(kind, view[at + 8 : at + 8 + min(size, most + 1)], most))
        else:
            yield size
        at += 12 + size


def _inflated(kind: bytes, body: bytes, most: int) -> int:
    """Bytes that the compressed part of a chunk becomes, at most one more than `most`."""
    # Keyword, 0, method; or keyword, 0, whether compressed, method, language, 0, translated keyword, 0.
    start = body.find(b"\0") + 2
    if kind == b"iTXt":
        if body[start - 1 : start] != b"\1":
            return 0
        start = body.find(b"\0", body.find(b"\0", start + 1) + 1) + 1
    unpacker, rest, total = zlib.decompressobj(), body[start:], 0
    try:
        while rest and total <= most:
            total += len(unpacker.decompress(rest, _GULP))
            rest = unpacker.unconsumed_tail
    except zlib.error:
        pass
    return total


def _webp(view: View, _most: int) -> Iterator[int]:
    """All chunks of the RIFF file: XMP stands behind the pixels."""
    at = 12
    while at + 8 <= len(view):
        size = int.from_bytes(view[at + 4 : at + 8], "little")
        yield size if view[at : at + 4] in {b"ICCP", b"EXIF", b"XMP "} else 0
        at += 8 + size + (size & 1)


def webp_canvas(view: View) -> tuple[int, int]:
    """Width and height that a WebP claims, (0, 0) where it is damaged.

    Its decoder sets memory aside for all of it before it tells how large it is.
    """
    kind, body = view[12:16], view[20:30]
    if len(body) < 10:
        return 0, 0
    if kind == b"VP8X":
        return int.from_bytes(body[4:7], "little") + 1, int.from_bytes(body[7:10], "little") + 1
    if kind == b"VP8L":
        packed = int.from_bytes(body[1:5], "little")
        return (packed & 0x3FFF) + 1, (packed >> 14 & 0x3FFF) + 1
    return int.from_bytes(body[6:8], "little") & 0x3FFF, int.from_bytes(body[8:10], "little") & 0x3FFF


_TIFF_SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 8, 6: 1, 7: 1, 8: 2, 9: 4, 10: 8, 11: 4, 12: 8, 16: 8, 17: 8, 18: 8}


def _tiff(view: View, _most: int) -> Iterator[int]:
    """Entries of the first directory, by what their values take; then every further directory, as a page."""
    order: Literal["little", "big"] = "little" if view[:2] == b"II" else "big"
    big = int.from_bytes(view[2:4], order) == 43
    word = 8 if big else 4
    counter, entry = (8, 20) if big else (2, 12)

    def number(at: int, size: int) -> int:
        return int.from_bytes(view[at : at + size], order)

    at = number(8, 8) if big else number(4, 4)
    first = at + counter
    for place in range(first, first + number(at, counter) * entry, entry):
        if place + entry > len(view):
            return
        # Entries that claim more than the file has are damage.
        yield min(number(place + 4, word) * _TIFF_SIZES.get(number(place + 2, 2), 1), len(view))
    while 0 < (at := number(at + counter + number(at, counter) * entry, word)) < len(view):
        yield 0


def _gif(_view: View, _most: int) -> Iterator[int]:
    """Nothing of its extensions is kept by the decoder."""
    yield from ()


def _iso_media(view: View, most: int) -> Iterator[int]:
    """Top-level boxes; of `mdat` what the index says is no picture (ISO 14496-12, 8.11)."""
    at = 0
    while at + 8 <= len(view):
        size, kind = int.from_bytes(view[at : at + 4], "big"), view[at + 4 : at + 8]
        if size == 1:
            size = int.from_bytes(view[at + 8 : at + 16], "big")
        elif size == 0:
            size = len(view) - at
        if size < 8:
            return
        if kind == b"meta":
            yield size
            if size <= most:
                yield from _items(view[at : at + size])
        else:
            yield 0
        at += size


_PICTURE_ITEMS = frozenset((b"av01", b"hvc1", b"grid", b"iovl", b"iden", b"tmap"))


def _items(meta: bytes) -> Iterator[int]:
    """Bytes of each item that is not a picture, by the index in a `meta` box."""
    kinds = dict(_item_kinds(meta))
    for item, size in _item_sizes(meta):
        yield 0 if kinds.get(item) in _PICTURE_ITEMS else size


def _item_kinds(meta: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and type of each item: the `infe` boxes, version 2 or 3."""
    at = meta.find(b"infe")
    while at >= 4:
        version = meta[at + 4] if at + 4 < len(meta) else 0
        wide = 4 if version == 3 else 2
        body = at + 8
        yield int.from_bytes(meta[body : body + wide], "big"), meta[body + wide + 2 : body + wide + 6]
        at = meta.find(b"infe", at + 4)


def _item_sizes(meta: bytes) -> Iterator[tuple[int, int]]:
    """Number and length of each item: the `iloc` box, versions 0 to 2."""
    at = meta.find(b"iloc")
    if at < 0 or at + 10 > len(meta):
        return
    version, widths = meta[at + 4], meta[at + 8 : at + 10]
    offset_w, length_w, base_w = widths[0] >> 4, widths[0] & 15, widths[1] >> 4
    index_w = widths[1] & 15 if version else 0
    wide = 4 if version == 2 else 2
    at += 10

    def number(width: int) -> int:
        nonlocal at
        at += width
        return int.from_bytes(meta[at - width : at], "big")

    for _ in range(min(number(wide), _MOST_PIECES)):
        item = number(wide)
        at += (2 if version else 0) + 2 + base_w
        for _ in range(number(2)):
            at += index_w + offset_w
            if at >= len(meta):
                return
            yield item, number(length_w)


_PIECES = {
    ImageFormat.JPEG: _jpeg,
    ImageFormat.PNG: _png,
    ImageFormat.WEBP: _webp,
    ImageFormat.GIF: _gif,
    ImageFormat.TIFF: _tiff,
    ImageFormat.AVIF: _iso_media,
    ImageFormat.HEIC: _iso_media,
}

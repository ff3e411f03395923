"""Damaged and hostile files by number: the same number is the same file, today and on any machine.

Each is made from a small picture of an accepted format by one to three of the changes below.
"""

import random
import struct
from collections.abc import Callable
from functools import cache

import numpy as np
import pyvips
from tests.unit.photo_files import codes, file_of, frames, image

_EXTREMES = (0, 1, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFFFFFF, 0x80000000, 0xFFFFFFFE, 0xFFFFFFFF)
# What other programs take for the beginning of a file of theirs.
_OTHERS = (
    b"%PDF-1.7\n1 0 obj<<>>endobj\n",
    b"PK\x03\x04\x14\x00\x00\x00",
    b"<svg xmlns='http://www.w3.org/2000/svg'/>",
    b"<!DOCTYPE html><script>0</script>",
    b"GIF89a\x01\x00\x01\x00",
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00",
    b"#!/bin/sh\n",
    b"MATLAB 5.0 MAT-file",
    b"MZ\x90\x00",
)

Change = Callable[[random.Random, bytearray], bytearray]


@cache
def originals() -> tuple[bytes, ...]:
    """Pictures of every accepted format, in the forms that take other ways through their decoders."""
    small = image(codes(96, 80))
    with_words = small.copy()
    with_words.set_type(pyvips.GValue.gstr_type, "exif-ifd0-Orientation", "6")
    with_words.set_type(pyvips.GValue.blob_type, "xmp-data", b"<x:xmpmeta xmlns:x='adobe:ns:meta/'/>")
    described = with_words.icc_transform("p3", input_profile="srgb", embedded=False)
    alpha = image(np.dstack([codes(96, 80), codes(96, 80)[..., :1]]))
    deep = small.colourspace("rgb16")
    return (
        file_of("jpeg", small),
        described.jpegsave_buffer(Q=80, interlace=True),
        small.icc_transform("cmyk", input_profile="srgb").jpegsave_buffer(),
        described.pngsave_buffer(),
        deep.pngsave_buffer(interlace=True),
        alpha.pngsave_buffer(palette=True),
        file_of("webp", alpha),
        described.webpsave_buffer(),
        frames("webp"),
        file_of("gif", small),
        frames("gif"),
        described.tiffsave_buffer(compression="deflate"),
        deep.tiffsave_buffer(compression="lzw", tile=True, tile_width=64, tile_height=64),
        small.tiffsave_buffer(compression="jpeg", bigtiff=True),
        frames("tiff"),
        file_of("avif", alpha),
        described.heifsave_buffer(compression="av1", effort=0),
    )


def _flip(dice: random.Random, data: bytearray) -> bytearray:
    for _ in range(dice.choice((1, 2, 8, 32))):
        data[dice.randrange(len(data))] ^= 1 << dice.randrange(8)
    return data


def _edit_number(dice: random.Random, data: bytearray) -> bytearray:
    """Put an extreme where a length or a count may stand; most stand near the beginning."""
    width = dice.choice((1, 2, 4))
    at = dice.randrange(min(len(data), dice.choice((64, 1024, len(data)))))
    number = dice.choice(_EXTREMES) & ((1 << 8 * width) - 1)
    data[at : at + width] = number.to_bytes(width, dice.choice(("big", "little")))
    return data


def _truncate(dice: random.Random, data: bytearray) -> bytearray:
    return data[: dice.randrange(len(data))]


def _splice(dice: random.Random, data: bytearray) -> bytearray:
    """The head of one file and the tail of another."""
    other = dice.choice(originals())
    return data[: dice.randrange(len(data))] + other[dice.randrange(len(other)) :]


def _repeat(dice: random.Random, data: bytearray) -> bytearray:
    at = dice.randrange(len(data))
    piece = data[at : at + dice.choice((4, 12, 100, 2000))]
    return data[:at] + piece * dice.choice((2, 10, 100)) + data[at:]


def _leave_out(dice: random.Random, data: bytearray) -> bytearray:
    at = dice.randrange(len(data))
    return data[:at] + data[at + dice.choice((1, 4, 12, 500)) :]


def _insert(dice: random.Random, data: bytearray) -> bytearray:
    at = dice.randrange(len(data))
    return data[:at] + dice.randbytes(dice.choice((1, 4, 64, 1000))) + data[at:]


def _blank(dice: random.Random, data: bytearray) -> bytearray:
    at = dice.randrange(len(data))
    size = min(dice.choice((4, 64, 1000)), len(data) - at)
    data[at : at + size] = bytes((dice.choice((0, 0xFF)),)) * size
    return data


def _polyglot(dice: random.Random, data: bytearray) -> bytearray:
    """Another kind of file before, behind or inside."""
    other = dice.choice(_OTHERS)
    at = dice.choice((0, len(data), dice.randrange(len(data))))
    return data[:at] + other + data[at:]


def _grow(dice: random.Random, data: bytearray) -> bytearray:
    """Claim another size in two adjoining numbers."""
    at = dice.randrange(min(len(data), 200))
    sides = (dice.choice((64, 5000, 16_384, 65_535)), dice.choice((64, 5000, 16_384, 65_535)))
    layout = dice.choice((">HH", ">II", "<HH", "<II"))
    data[at : at + struct.calcsize(layout)] = struct.pack(layout, *sides)
    return data


CHANGES: tuple[Change, ...] = (
    _flip,
    _edit_number,
    _truncate,
    _splice,
    _repeat,
    _leave_out,
    _insert,
    _blank,
    _polyglot,
    _grow,
)


def mutant(number: int) -> bytes:
    """One damaged file, never empty."""
    dice = random.Random(number)
    data = bytearray(originals()[number % len(originals())])
    for _ in range(dice.choice((1, 1, 2, 3))):
        data = dice.choice(CHANGES)(dice, data) or bytearray(b"\x00")
    return bytes(data)

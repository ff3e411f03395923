"""How much memory, time and output one picture may cost. Arithmetic only; ``confine.py`` enforces it."""

from dataclasses import dataclass
from typing import Self

_MB = 1_000_000
# Of a file there is the mapping, and what its decoder copies of it.
_COPIES_OF_FILE = 2
_HEADER_ROOM = 24 * _MB
_DECODER_ROOM = 160 * _MB
"""Stacks of libvips' threads, rows in flight, tables of codecs."""
_BYTES_PER_PIXEL = 40
"""Twice what any accepted format took beyond the above: 18 by a turned AVIF of 12 bits with alpha."""
_BYTES_PER_CANVAS_PIXEL = 4
_HEADER_CPU_S = 2
_PHOTO_CPU_S = 8
# The same AVIF takes 0.13 s per megapixel.
_MEGAPIXELS_PER_CPU_S = 1
# A busy machine is not the picture's fault: waiting is bounded far more loosely than computing.
_WALL_PER_CPU = 3
_WALL_S = 30


@dataclass(frozen=True, slots=True)
class Bounds:
    """What one child may use."""

    memory: int
    """Address space in bytes, beyond what the process has when it begins."""
    cpu_s: int
    """Processor time, seconds."""
    output: int
    """Largest file that it may write, bytes."""

    @classmethod
    def of_header(cls, size: int, *, canvas: int = 0) -> Self:
        """For looking at the header of a file of `size` bytes.

        `canvas` is the pixels for which its decoder sets memory aside, untouched, by then.
        """
        memory = _HEADER_ROOM + _COPIES_OF_FILE * size + _BYTES_PER_CANVAS_PIXEL * canvas
        return cls(memory=memory, cpu_s=_HEADER_CPU_S, output=0)

    @classmethod
    def of_pixels(cls, size: int, pixels: int) -> Self:
        """For decoding `pixels` pixels from a file of `size` bytes."""
        return cls(
            memory=_DECODER_ROOM + _COPIES_OF_FILE * size + _BYTES_PER_PIXEL * pixels,
            cpu_s=_PHOTO_CPU_S + pixels // (_MEGAPIXELS_PER_CPU_S * 1_000_000),
            # Three bands of 16 bits; alpha has one of 8 and a file of its own.
            output=6 * pixels,
        )

    @property
    def wall_s(self) -> float:
        """Seconds after which the child is ended whatever it does."""
        return _WALL_S + _WALL_PER_CPU * self.cpu_s

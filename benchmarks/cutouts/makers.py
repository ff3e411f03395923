"""The two sides as processes that take turns, photo by photo, so that both meet the same noise."""

import sys
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyvips
from benchmarks.cutouts.cases import Case
from benchmarks.peers.process import Side

from opal.images.matte import Matte


@dataclass(frozen=True, slots=True)
class Made:
    """One cut-out: its matte in the photo's frame, and what it took."""

    matte: Matte
    seconds: float
    cpu_seconds: float
    peak_mib: float
    png_bytes: int
    steps: dict[str, float]
    confidence: float | None = None
    failed: str | None = None
    """Why there is no cut-out; the matte is then empty."""


class Maker(Side):
    """A maker's process; a context that ends it."""

    def __init__(self, name: str, side: str, what: str, folder: Path) -> None:
        """`folder` is where its PNGs go."""
        super().__init__(name, [sys.executable, "-m", "benchmarks.cutouts.maker", side, what])
        self._out = folder / f"{name.replace(' ', '-')}.png"

    def make(self, case: Case, shape: tuple[int, int]) -> Made:
        """Cut one photo out; `shape` is its upright (height, width).

        Raises RuntimeError when the process dies.
        """
        told = self.ask({"photo": str(case.photo.absolute()), "out": str(self._out)})
        if "failed" in told:
            empty = np.zeros(shape, np.float32)
            return Made(empty, 0.0, 0.0, told["peak_mib"], 0, {}, failed=told["failed"])
        matte = framed(alpha_of(self._out), int(told["left"]), int(told["top"]), shape)
        return Made(
            matte=matte,
            seconds=told["seconds"],
            cpu_seconds=told["cpu_seconds"],
            peak_mib=told["peak_mib"],
            png_bytes=told["png_bytes"],
            steps=told["steps"],
            confidence=told.get("confidence"),
        )


def alpha_of(png: Path) -> Matte:
    """The alpha channel of a cut-out, 0..1."""
    image = pyvips.Image.new_from_file(str(png))
    alpha: Matte = image[image.bands - 1].numpy().astype(np.float32) / np.float32(255.0)
    return alpha


def framed(alpha: Matte, left: int, top: int, shape: tuple[int, int]) -> Matte:
    """Put a cropped cut-out's alpha back where it was in the photo's frame; the rest is clear."""
    height, width = shape
    matte = np.zeros(shape, np.float32)
    rows = slice(max(0, top), min(height, top + alpha.shape[0]))
    columns = slice(max(0, left), min(width, left + alpha.shape[1]))
    matte[rows, columns] = alpha[
        rows.start - top : rows.stop - top, columns.start - left : columns.stop - left
    ]
    return matte

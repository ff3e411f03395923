"""What a cut-out engine is to the rest of Opal. Implementations are named in `engines.py`."""

from dataclasses import dataclass, field
from typing import Protocol

from opal.images.matte import Matte
from opal.images.photo import Photo


@dataclass(frozen=True, slots=True)
class EngineInfo:
    """Which engine made a matte, so that it can be made again; `sha256` is of the weights."""

    name: str
    version: str
    model: str
    sha256: str


@dataclass(frozen=True, slots=True)
class Cutout:
    """A product's matte at the photo's upright size, and how far it can be trusted.

    `confidence` is 0..1; `reasons` are short sentences for a person who reviews the picture, worst
    first. `timings` are seconds per step.
    """

    matte: Matte
    confidence: float
    reasons: tuple[str, ...] = ()
    timings: dict[str, float] = field(default_factory=dict)


class CutoutEngine(Protocol):
    """Finds the product in a photo. Implementations may be called from several threads."""

    @property
    def info(self) -> EngineInfo:
        """Which engine and weights this is."""
        ...

    def cut_out(self, photo: Photo) -> Cutout:
        """The product's matte. Raises NoProductFound when nothing stands out from the ground."""
        ...

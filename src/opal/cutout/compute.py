"""How a network is computed, whatever its weights: on how many threads, and how finely.

Apart from the network, which is slow to import. Made from the settings by whoever loads an engine.
"""

from dataclasses import dataclass
from typing import Literal, Self

from opal.cutout.version import VERSION
from opal.settings import ScoringSettings

Precision = Literal["f32", "bf16"]


@dataclass(frozen=True, slots=True)
class Compute:
    """Threads and precision of a network."""

    threads: int = 0
    """Of CPU; 0 takes all cores."""
    precision: Precision = "f32"
    """`bf16` keeps 8 bits of each number's fraction where `f32` keeps 24."""

    @classmethod
    def of(cls, settings: ScoringSettings) -> Self:
        """As the settings have it."""
        return cls(settings.threads, settings.precision)

    @property
    def version(self) -> str:
        """The engines' version; of its own for what gives another matte."""
        return VERSION if self.precision == "f32" else f"{VERSION}-{self.precision}"

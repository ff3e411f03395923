"""What processes take while they run for long: memory and open files, looked at every few seconds.

Read from ``/proc``. The slope is Theil and Sen's: the median of the slopes between all pairs of looks, which
one large picture does not move.
"""

import os
import time
from dataclasses import dataclass, field
from itertools import combinations
from pathlib import Path
from statistics import median

PAGE = os.sysconf("SC_PAGE_SIZE")
MB = 1_000_000
TEN_MINUTES_S = 600.0


@dataclass(frozen=True, slots=True)
class Look:
    """One process at one moment."""

    at_s: float
    resident: int
    """Bytes of anonymous memory and of mapped files that the process holds in RAM."""
    files: int
    """Open file descriptors."""


@dataclass(slots=True)
class Watched:
    """One process and what was seen of it."""

    name: str
    pid: int
    looks: list[Look] = field(default_factory=list)

    def look(self) -> None:
        """Look at it once more."""
        proc = Path("/proc") / str(self.pid)
        resident = int(proc.joinpath("statm").read_text().split()[1]) * PAGE
        self.looks.append(Look(time.monotonic(), resident, sum(1 for _ in proc.joinpath("fd").iterdir())))

    @property
    def steady(self) -> list[Look]:
        """The looks of the second half: by then everything has been used once and pools are full."""
        return self.looks[len(self.looks) // 2 :]

    @property
    def growth_mb(self) -> float:
        """Growth of memory in MB per ten minutes."""
        slopes = [
            (later.resident - earlier.resident) / (later.at_s - earlier.at_s)
            for earlier, later in combinations(self.steady, 2)
        ]
        return median(slopes) * TEN_MINUTES_S / MB

    @property
    def more_files(self) -> float:
        """By how many more descriptors are open towards the end than before: medians of two quarters."""
        steady = self.steady
        half = len(steady) // 2
        return median(look.files for look in steady[half:]) - median(look.files for look in steady[:half])

"""Whether a process's memory grows: a line of least squares through its readings.

Used by `worker_memory.py` and `cutout_api.py`.
"""

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

SHARE = 0.02
"""Growth over the run below this share of what is held does not matter."""


@dataclass(frozen=True, slots=True)
class Growth:
    """A line through one reading per item, after the warm-up."""

    kib_per_item: float
    error: float
    """Standard error of the slope, KiB per item."""
    share: float
    """Growth from the first to the last of these items, as a share of their mean."""

    @property
    def grows(self) -> bool:
        """More than chance explains, and enough to matter."""
        return self.kib_per_item > 2.0 * self.error and self.share > SHARE


def growth(values: Sequence[float]) -> Growth:
    """Least squares through one figure per item, MiB."""
    numbers = np.arange(len(values))
    (slope, _), covariance = np.polyfit(numbers, values, 1, cov=True)
    return Growth(
        kib_per_item=round(float(slope) * 1024, 2),
        error=round(float(np.sqrt(covariance[0, 0])) * 1024, 2),
        share=round(float(slope) * len(values) / statistics.fmean(values), 4),
    )

"""How long a failed delivery and its receiver are left alone. Pure; each sender has its own schedule."""

from collections.abc import Sequence
from datetime import timedelta
from typing import Final

JITTER: Final = 0.1
"""Up to this share of a wait is added to it: a receiver that was away is not met by everyone at once."""
_FIRST_PAUSE_S = 5
_LONGEST_PAUSE_S = 5 * 60


def wait_after(schedule_s: Sequence[int], attempts: int, chance: float) -> timedelta | None:
    """How long after the ``attempts``-th failed try the next one is made; None: never.

    ``schedule_s`` are the seconds between one try and the next; ``chance``, 0 to 1, is how much of the jitter
    is added.
    """
    if attempts > len(schedule_s):
        return None
    return timedelta(seconds=schedule_s[attempts - 1] * (1 + JITTER * chance))


def pause_after(failures: int) -> timedelta:
    """How long a receiver gets nothing after ``failures`` failed tries in a row: 5, 10, 20 s … 5 minutes.

    So a thousand deliveries to one that is away are not a thousand tries, and keep theirs for later.
    """
    return timedelta(seconds=min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S))

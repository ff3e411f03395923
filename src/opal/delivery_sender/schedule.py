"""When a delivery is tried again, and for how long a failing target is left alone. Pure."""

from datetime import timedelta
from typing import Final

_MINUTE, _HOUR = 60, 3600
# After the first try, which is made at once: nine tries within 39 hours and 36 minutes. A full disk, a key
# that ran out or a bucket that is gone are mended by people, in a working day or two.
SCHEDULE_S: Final = (5, _MINUTE, 5 * _MINUTE, 30 * _MINUTE, 2 * _HOUR, 5 * _HOUR, 8 * _HOUR, 24 * _HOUR)
JITTER: Final = 0.1
"""Up to this share of a wait is added to it: a store that was away is not met by everyone at once."""
_FIRST_PAUSE_S = 5
_LONGEST_PAUSE_S = 5 * _MINUTE


def wait_after(attempts: int, chance: float) -> timedelta | None:
    """How long after the ``attempts``-th failed try the next one is made; None: never.

    ``chance``, 0 to 1, is how much of the jitter is added.
    """
    if attempts > len(SCHEDULE_S):
        return None
    return timedelta(seconds=SCHEDULE_S[attempts - 1] * (1 + JITTER * chance))


def pause_after(failures: int) -> timedelta:
    """How long a target gets nothing after ``failures`` failed tries in a row: 5, 10, 20 s … 5 minutes.

    So ten thousand pictures for a bucket that is away keep their tries for when it is back.
    """
    return timedelta(seconds=min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S))

"""When a delivery is tried again, and for how long a failing endpoint is left alone. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Final

_MINUTE, _HOUR = 60, 3600
# The specification's, after the first try, which is made at once: ten tries within 75 hours and 35 minutes.
SCHEDULE_S: Final = (
    5,
    5 * _MINUTE,
    30 * _MINUTE,
    2 * _HOUR,
    5 * _HOUR,
    10 * _HOUR,
    14 * _HOUR,
    20 * _HOUR,
    24 * _HOUR,
)
JITTER: Final = 0.1
"""Up to this share of a wait is added to it: an endpoint that was away is not met by everyone at once."""
_FIRST_PAUSE_S = 5
_LONGEST_PAUSE_S = 5 * _MINUTE
_LONGEST_RETRY_AFTER = timedelta(hours=1)


def wait_after(attempts: int, chance: float) -> timedelta | None:
    """How long after the ``attempts``-th failed try the next one is made; None: never.

    ``chance``, 0 to 1, is how much of the jitter is added.
    """
    if attempts > len(SCHEDULE_S):
        return None
    return timedelta(seconds=SCHEDULE_S[attempts - 1] * (1 + JITTER * chance))


def pause_after(failures: int) -> timedelta:
    """How long an endpoint gets nothing after ``failures`` failed tries in a row: 5, 10, 20 s … 5 minutes.

    So a thousand deliveries to an endpoint that is away are not a thousand calls, and keep their tries for
    when it is back. Never longer than a single delivery's own wait.
    """
    return timedelta(seconds=min(_FIRST_PAUSE_S * 2 ** min(failures - 1, 10), _LONGEST_PAUSE_S))


def retry_after(headers: Mapping[str, str], now: datetime) -> datetime | None:
    """The time that a `Retry-After` header asks for, at most an hour away; None without a readable one."""
    value = headers.get("retry-after", "").strip()
    if value.isascii() and value.isdecimal():
        # Seven digits are three months: enough, and no number of any length becomes a time.
        return now + min(timedelta(seconds=int(value[:7])), _LONGEST_RETRY_AFTER)
    try:
        asked = parsedate_to_datetime(value)
    except (ValueError, OverflowError):
        return None
    if asked.tzinfo is None:
        asked = asked.replace(tzinfo=UTC)
    return min(asked, now + _LONGEST_RETRY_AFTER)

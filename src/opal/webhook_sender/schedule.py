"""When a webhook's delivery is tried again. Pure; the arithmetic is in ``outgoing/patience.py``."""

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
_LONGEST_RETRY_AFTER = timedelta(hours=1)


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

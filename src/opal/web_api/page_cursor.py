"""Cursors of lists whose entries can be deleted: they say a place in the list, not an entry in it.

Used by ``backdrops.py``. Clients hand them back as they are; inside are time and id of the last entry seen.
"""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

CURSOR = "^[0-9]{1,17}-[a-z]{1,20}_[0-9a-f]{24}$"
"""What a cursor looks like, for the schema: another text is refused as a fault of the request.

Seventeen digits of microseconds reach to the year 5138, well within what a datetime holds."""


def cursor_after(created_at: datetime, entry_id: str) -> str:
    """The cursor for what comes after this entry."""
    return f"{(created_at - _EPOCH) // _MICROSECOND}-{entry_id}"


def place_of(cursor: str) -> tuple[datetime, str]:
    """Time and id of the entry that the cursor, which looks like ``CURSOR``, was made after."""
    microseconds, _, entry_id = cursor.partition("-")
    return _EPOCH + int(microseconds) * _MICROSECOND, entry_id

"""Cursors of lists whose entries can be deleted: they say a place in the list, not an entry in it.

Used by ``backdrops.py``, ``deliveries.py`` and ``picture_deliveries.py``. Clients hand them back as they are;
inside are time and id of the last entry seen.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Annotated, Protocol, TypeVar

from fastapi import Query

from opal.faults import in_words

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)

_CURSOR = in_words("^[0-9]{1,17}-[a-z]{1,20}_[0-9a-f]{24}$", "the `next_cursor` of another page")
"""What a cursor looks like, for the schema: another text is refused as a fault of the request.

Seventeen digits of microseconds reach to the year 5138, well within what a datetime holds."""

PageLimit = Annotated[int, Query(ge=1, le=200, description="Entries per page.")]
PageCursor = Annotated[str | None, Query(pattern=_CURSOR, description="From `next_cursor`.")]


class Entry(Protocol):
    """What a list has in it."""

    @property
    def id(self) -> str:
        """Tells entries of one moment apart."""

    @property
    def created_at(self) -> datetime:
        """What the list is in the order of."""


_E = TypeVar("_E", bound=Entry)


def page_of(found: Sequence[_E], limit: int) -> tuple[Sequence[_E], str | None]:
    """The first ``limit`` of the entries found, of which one more was asked for; and the next cursor."""
    page = found[:limit]
    if len(found) <= limit:
        return page, None
    return page, f"{(page[-1].created_at - _EPOCH) // _MICROSECOND}-{page[-1].id}"


def place_of(cursor: str | None) -> tuple[datetime, str] | None:
    """Time and id of the entry that the cursor was made after; None at the beginning."""
    if cursor is None:
        return None
    microseconds, _, entry_id = cursor.partition("-")
    return _EPOCH + int(microseconds) * _MICROSECOND, entry_id

"""What a tenant used, day by day, out of the ledger. Called by ``http/credits.py``."""

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import BigInteger, cast, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.ledger import EntryKind
from opal.database.tables import ledger

_TOLD = (EntryKind.GRANT, EntryKind.DEBIT, EntryKind.REFUND)


@dataclass(frozen=True, slots=True)
class DayOfCredits:
    """One day in UTC; each figure is 0 or more."""

    day: date
    debited: int
    refunded: int
    granted: int


async def by_day(connection: AsyncConnection, tenant_id: str, last: date, days: int) -> list[DayOfCredits]:
    """``days`` days up to and with ``last``, oldest first, also those on which nothing happened."""
    first = last - timedelta(days=days - 1)
    since, until = (datetime.combine(day, time(), UTC) for day in (first, last + timedelta(days=1)))
    created = ledger.c.created_at
    # SQLite stores UTC and knows no zones; PostgreSQL would take its session's.
    in_utc = created if connection.dialect.name == "sqlite" else func.timezone("UTC", created)
    day = func.date(in_utc)
    rows = await connection.execute(
        select(day, ledger.c.kind, cast(func.sum(ledger.c.amount), BigInteger))
        .where(
            ledger.c.tenant_id == tenant_id,
            ledger.c.kind.in_(_TOLD),
            created >= since,
            created < until,
        )
        .group_by(day, ledger.c.kind)
    )
    sums: defaultdict[date, dict[EntryKind, int]] = defaultdict(dict)
    for told, kind, amount in rows:
        sums[date.fromisoformat(str(told))][EntryKind(kind)] = int(amount)
    return [
        DayOfCredits(
            day=each,
            debited=-sums[each].get(EntryKind.DEBIT, 0),
            refunded=sums[each].get(EntryKind.REFUND, 0),
            granted=sums[each].get(EntryKind.GRANT, 0),
        )
        for each in (first + timedelta(days=number) for number in range(days))
    ]

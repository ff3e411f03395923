"""How much may be asked for per minute, counted for all processes together, a row for each count.

Called by web-api: ``take`` for pictures that are made while the client waits, ``take_requests`` for requests.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from sqlalchemy import Table, case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import rate_windows, request_windows

WINDOW: Final = timedelta(minutes=1)


@dataclass(frozen=True, slots=True)
class Allowance:
    """What is left of the running minute; ``granted`` says whether what was asked for fitted into it."""

    granted: bool
    limit: int
    remaining: int
    resets_at: datetime

    @property
    def resets_in_s(self) -> int:
        """Whole seconds until then, at least one."""
        return seconds_until(self.resets_at)


def seconds_until(moment: datetime) -> int:
    """Whole seconds until ``moment``, at least one."""
    return max(1, math.ceil((moment - utc_now()).total_seconds()))


async def take(connection: AsyncConnection, tenant_id: str, cost: int, limit: int) -> Allowance:
    """Take ``cost`` megapixels of the tenant's ``limit`` per minute, all of it or nothing.

    A window begins with the first request after the one before has passed. What costs more than the limit
    itself is granted to a fresh window, as it could never be granted otherwise.
    """
    return await _take(connection, rate_windows, {"tenant_id": tenant_id}, cost, limit)


async def take_requests(
    connection: AsyncConnection, tenant_id: str, subject: str, count: int, limit: int
) -> Allowance:
    """Take ``count`` of the ``limit`` requests a minute that ``subject`` has, all of them or none.

    ``subject`` is a key's id, or names the tenant as a whole.
    """
    row = {"tenant_id": tenant_id, "subject": subject}
    return await _take(connection, request_windows, row, count, limit)


async def _take(
    connection: AsyncConnection, table: Table, identity: dict[str, str], cost: int, limit: int
) -> Allowance:
    now = utc_now()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    over = table.c.started_at <= now - WINDOW
    statement = dialect.insert(table).values(**identity, started_at=now, used=cost)
    taken = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=list(identity),
            set_={
                "started_at": case((over, now), else_=table.c.started_at),
                "used": case((over, cost), else_=table.c.used + cost),
            },
            where=over | (table.c.used + cost <= limit),
        )
    )
    query = select(table).where(*(table.c[name] == value for name, value in identity.items()))
    row = (await connection.execute(query)).one()
    return Allowance(taken.rowcount == 1, limit, max(0, limit - row.used), row.started_at + WINDOW)

"""How much a tenant may ask for per minute, counted for all processes together in one row.

Called by web-api for pictures that are made while the client waits.
"""

import math
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import case, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import rate_windows

WINDOW = timedelta(minutes=1)


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
        return max(1, math.ceil((self.resets_at - utc_now()).total_seconds()))


async def take(connection: AsyncConnection, tenant_id: str, cost: int, limit: int) -> Allowance:
    """Take ``cost`` of the tenant's ``limit`` per minute, all of it or nothing.

    A window begins with the first request after the one before has passed. What costs more than the limit
    itself is granted to a fresh window, as it could never be granted otherwise.
    """
    table, now = rate_windows, utc_now()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    over = table.c.started_at <= now - WINDOW
    statement = dialect.insert(table).values(tenant_id=tenant_id, started_at=now, used=cost)
    taken = await connection.execute(
        statement.on_conflict_do_update(
            index_elements=["tenant_id"],
            set_={
                "started_at": case((over, now), else_=table.c.started_at),
                "used": case((over, cost), else_=table.c.used + cost),
            },
            where=over | (table.c.used + cost <= limit),
        )
    )
    row = (await connection.execute(select(table).where(table.c.tenant_id == tenant_id))).one()
    return Allowance(taken.rowcount == 1, limit, max(0, limit - row.used), row.started_at + WINDOW)

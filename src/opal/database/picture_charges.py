"""Paying for pictures that are made while the client waits, in quarters of a credit.

Called by web-api. The ledger knows whole credits only: the first of four previews debits one, and the next
three use up what is prepaid. The same request within ``PAID_FOR`` is paid already: a client that lost the
answer asks again and is not charged twice.
"""

from datetime import timedelta
from typing import Final

from sqlalchemy import delete, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import ledger
from opal.database.engine import utc_now
from opal.database.tables import accounts, picture_charges

QUARTERS: Final = 4
"""Of one credit. Fewer are prepaid at any time: a further credit is debited only where those do not do."""
PAID_FOR = timedelta(minutes=10)


async def funds(connection: AsyncConnection, tenant_id: str) -> int:
    """Quarters of credits that the tenant may spend; what is held for jobs is not among them."""
    query = select(accounts.c.prepaid_quarters).where(accounts.c.tenant_id == tenant_id)
    prepaid = (await connection.execute(query)).scalar_one_or_none() or 0
    return QUARTERS * (await ledger.balance(connection, tenant_id)).available + prepaid


async def charge(
    connection: AsyncConnection, tenant_id: str, request_hash: str, quarters: int, note: str
) -> int:
    """Charge one picture (1 to 4 quarters); returns what was charged, 0 for a request that is paid already.

    Raises ``InsufficientCredits``: the transaction must then be given up.
    """
    table, now = picture_charges, utc_now()
    await connection.execute(
        delete(table).where(table.c.tenant_id == tenant_id, table.c.charged_at < now - PAID_FOR)
    )
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    first = await connection.execute(
        dialect.insert(table)
        .values(tenant_id=tenant_id, request_hash=request_hash, charged_at=now)
        .on_conflict_do_nothing(index_elements=["tenant_id", "request_hash"])
    )
    if first.rowcount != 1:
        return 0
    # Two at once would both find too little prepaid, and prepay a credit each.
    mine = accounts.c.tenant_id == tenant_id
    await connection.execute(select(accounts.c.tenant_id).where(mine).with_for_update())
    if quarters == QUARTERS or not await _use_prepaid(connection, tenant_id, quarters):
        await ledger.spend(connection, tenant_id, 1, note)
        await _prepay(connection, tenant_id, QUARTERS - quarters)
    return quarters


async def is_paid(connection: AsyncConnection, tenant_id: str, request_hash: str) -> bool:
    """Whether the same request was charged within ``PAID_FOR``."""
    table = picture_charges
    query = select(table.c.charged_at).where(
        table.c.tenant_id == tenant_id, table.c.request_hash == request_hash
    )
    charged_at = (await connection.execute(query)).scalar_one_or_none()
    return charged_at is not None and charged_at >= utc_now() - PAID_FOR


async def _use_prepaid(connection: AsyncConnection, tenant_id: str, quarters: int) -> bool:
    enough = (accounts.c.tenant_id == tenant_id) & (accounts.c.prepaid_quarters >= quarters)
    used = await connection.execute(
        update(accounts).where(enough).values(prepaid_quarters=accounts.c.prepaid_quarters - quarters)
    )
    return used.rowcount == 1


async def _prepay(connection: AsyncConnection, tenant_id: str, quarters: int) -> None:
    mine = accounts.c.tenant_id == tenant_id
    await connection.execute(
        update(accounts).where(mine).values(prepaid_quarters=accounts.c.prepaid_quarters + quarters)
    )

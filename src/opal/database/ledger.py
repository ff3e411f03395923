"""Credits: an append-only ledger whose sum is the balance, never below zero.

One credit per photo: held when the job is accepted, debited in the transaction that completes the
item, released when the item fails or is cancelled before that, refunded when it fails after it. An item that
is sent again is a new round, with a hold of its own. Every kind happens at most once per item and round (a
unique constraint), so a repeated step changes nothing. Pictures without an item are debited without a hold
(``picture_charges.py``).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import func, insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import accounts, ledger
from opal.errors import InsufficientCredits, InvalidInput
from opal.items.item import Item


class EntryKind(StrEnum):
    """Why credits moved."""

    GRANT = "grant"
    HOLD = "hold"
    DEBIT = "debit"
    RELEASE = "release"
    REFUND = "refund"


@dataclass(frozen=True, slots=True)
class Balance:
    """Credits of a tenant. ``available`` is what a new job may use."""

    balance: int
    held: int

    @property
    def available(self) -> int:
        """Credits that are neither spent nor held."""
        return self.balance - self.held


@dataclass(frozen=True, slots=True)
class LedgerEntry:
    """One row: ``amount`` changed the balance, ``held`` changed what is held."""

    seq: int
    kind: EntryKind
    amount: int
    held: int
    job_id: str | None
    item_id: str | None
    note: str
    created_at: datetime
    round: int = 0


async def grant(connection: AsyncConnection, tenant_id: str, amount: int, note: str = "") -> Balance:
    """Add ``amount`` credits (1 or more) to the tenant's balance."""
    if amount < 1:
        raise InvalidInput("A grant is at least one credit.")
    await _open_account(connection, tenant_id)
    row = {"tenant_id": tenant_id, "kind": EntryKind.GRANT, "amount": amount, "held": 0, "note": note}
    await connection.execute(insert(ledger).values(**row, created_at=utc_now()))
    await _shift(connection, tenant_id, amount, 0)
    return await balance(connection, tenant_id)


async def hold(
    connection: AsyncConnection,
    tenant_id: str,
    job_id: str,
    item_ids: Sequence[str],
    *,
    round_: int = 0,
    at: datetime | None = None,
) -> None:
    """Hold one credit per item, ``at`` the job's own time or now.

    Raises ``InsufficientCredits``, and then holds none.
    """
    needed = len(item_ids)
    # One guarded UPDATE: two jobs at the same time cannot both have the last credit.
    result = await connection.execute(
        update(accounts)
        .where(accounts.c.tenant_id == tenant_id, accounts.c.balance - accounts.c.held >= needed)
        .values(held=accounts.c.held + needed)
    )
    if result.rowcount != 1:
        left = (await balance(connection, tenant_id)).available
        raise InsufficientCredits(
            f"{needed} credit{'s are' if needed > 1 else ' is'} needed; {left} are available."
        )
    now = at or utc_now()
    rows = [
        {
            "tenant_id": tenant_id,
            "job_id": job_id,
            "item_id": item_id,
            "kind": EntryKind.HOLD,
            "amount": 0,
            "held": 1,
            "note": "",
            "round": round_,
            "created_at": now,
        }
        for item_id in item_ids
    ]
    await connection.execute(insert(ledger), rows)


async def debit(connection: AsyncConnection, item: Item) -> bool:
    """Turn the item's hold into a charge; False when it was charged before."""
    return await _once(connection, item, EntryKind.DEBIT, amount=-1, held=-1)


async def release(connection: AsyncConnection, item: Item) -> bool:
    """Give the item's hold back; False when it was released or charged before."""
    settled = await _has(connection, item, (EntryKind.DEBIT, EntryKind.RELEASE))
    return False if settled else await _once(connection, item, EntryKind.RELEASE, amount=0, held=-1)


async def refund(connection: AsyncConnection, item: Item) -> bool:
    """Give the item's charge back; False when it was not charged, or was refunded before."""
    if not await _has(connection, item, (EntryKind.DEBIT,)):
        return False
    return await _once(connection, item, EntryKind.REFUND, amount=1, held=0)


async def spend(connection: AsyncConnection, tenant_id: str, amount: int, note: str) -> None:
    """Debit credits that were not held, for work that is done. Raises ``InsufficientCredits``."""
    result = await connection.execute(
        update(accounts)
        .where(accounts.c.tenant_id == tenant_id, accounts.c.balance - accounts.c.held >= amount)
        .values(balance=accounts.c.balance - amount)
    )
    if result.rowcount != 1:
        left = (await balance(connection, tenant_id)).available
        raise InsufficientCredits(f"The picture needs a credit; {left} are available.")
    row = {"tenant_id": tenant_id, "kind": EntryKind.DEBIT, "amount": -amount, "held": 0, "note": note}
    await connection.execute(insert(ledger).values(**row, created_at=utc_now()))


async def balance(connection: AsyncConnection, tenant_id: str) -> Balance:
    """What the tenant has; zero for one that was never granted anything."""
    query = select(accounts.c.balance, accounts.c.held).where(accounts.c.tenant_id == tenant_id)
    row = (await connection.execute(query)).one_or_none()
    return Balance(row.balance, row.held) if row else Balance(0, 0)


async def summed(connection: AsyncConnection, tenant_id: str) -> Balance:
    """The same figures from the ledger's rows alone; must equal ``balance``."""
    query = select(func.coalesce(func.sum(ledger.c.amount), 0), func.coalesce(func.sum(ledger.c.held), 0))
    row = (await connection.execute(query.where(ledger.c.tenant_id == tenant_id))).one()
    return Balance(int(row[0]), int(row[1]))


async def entries(
    connection: AsyncConnection, tenant_id: str, limit: int, before: int | None = None
) -> list[LedgerEntry]:
    """The newest ``limit`` entries, or those older than entry ``before``."""
    names = LedgerEntry.__dataclass_fields__
    query = select(*[ledger.c[name] for name in names]).where(ledger.c.tenant_id == tenant_id)
    if before is not None:
        query = query.where(ledger.c.seq < before)
    rows = await connection.execute(query.order_by(ledger.c.seq.desc()).limit(limit))
    return [LedgerEntry(**{**row._asdict(), "kind": EntryKind(row.kind)}) for row in rows]


async def _has(connection: AsyncConnection, item: Item, kinds: Sequence[EntryKind]) -> bool:
    query = select(ledger.c.seq).where(ledger.c.item_id == item.id, ledger.c.kind.in_(kinds))
    return await connection.scalar(query.where(ledger.c.round == item.round).limit(1)) is not None


async def _once(connection: AsyncConnection, item: Item, kind: EntryKind, *, amount: int, held: int) -> bool:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    result = await connection.execute(
        dialect.insert(ledger)
        .values(
            tenant_id=item.tenant_id,
            job_id=item.job_id,
            item_id=item.id,
            kind=kind,
            amount=amount,
            held=held,
            note="",
            round=item.round,
            created_at=utc_now(),
        )
        .on_conflict_do_nothing(index_elements=["item_id", "kind", "round"])
    )
    if result.rowcount != 1:
        return False
    await _shift(connection, item.tenant_id, amount, held)
    return True


async def _shift(connection: AsyncConnection, tenant_id: str, amount: int, held: int) -> None:
    await connection.execute(
        update(accounts)
        .where(accounts.c.tenant_id == tenant_id)
        .values(balance=accounts.c.balance + amount, held=accounts.c.held + held)
    )


async def _open_account(connection: AsyncConnection, tenant_id: str) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    await connection.execute(
        dialect.insert(accounts)
        .values(tenant_id=tenant_id, balance=0, held=0)
        .on_conflict_do_nothing(index_elements=["tenant_id"])
    )

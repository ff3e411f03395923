"""Figures over all tenants, for ``web_api/stock.py``: what the database holds, counted."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import BigInteger, ColumnElement, ScalarSelect, func, select
from sqlalchemy import cast as sql_cast
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.ledger import EntryKind
from opal.database.outbox import pending
from opal.database.tables import accounts, items, ledger
from opal.items.states import ItemState


@dataclass(frozen=True, slots=True)
class Figures:
    """``gap``: by how much accounts and ledger differ. Credits are of all tenants together."""

    items: Mapping[ItemState, int]
    failed: Mapping[str, int]
    granted: int
    debited: int
    refunded: int
    balance: int
    held: int
    gap: int
    outbox: int
    outbox_oldest: datetime | None


async def count(connection: AsyncConnection) -> Figures:
    """Count everything anew."""
    states = await connection.execute(select(items.c.state, func.count()).group_by(items.c.state))
    found = {ItemState(state): number for state, number in states}
    codes = await connection.execute(
        select(items.c.error_code, func.count())
        .where(items.c.state == ItemState.FAILED)
        .group_by(items.c.error_code)
    )
    # One statement sees one moment; two would find a gap where somebody commits in between.
    money = (
        await connection.execute(
            select(
                _entries(EntryKind.GRANT).label("granted"),
                _entries(EntryKind.DEBIT).label("debited"),
                _entries(EntryKind.REFUND).label("refunded"),
                _sum(accounts.c.balance).label("balance"),
                _sum(accounts.c.held).label("held"),
                _sum(ledger.c.amount).label("entered"),
                _sum(ledger.c.held).label("entered_held"),
            )
        )
    ).one()
    waiting, oldest = await pending(connection)
    return Figures(
        items={state: found.get(state, 0) for state in ItemState},
        failed={code or "": number for code, number in codes},
        granted=money.granted,
        debited=-money.debited,
        refunded=money.refunded,
        balance=money.balance,
        held=money.held,
        gap=abs(money.balance - money.entered) + abs(money.held - money.entered_held),
        outbox=waiting,
        outbox_oldest=oldest,
    )


def _entries(kind: EntryKind) -> ScalarSelect[int]:
    return select(_whole(ledger.c.amount)).where(ledger.c.kind == kind).scalar_subquery()


def _sum(column: ColumnElement[int]) -> ScalarSelect[int]:
    return select(_whole(column)).scalar_subquery()


def _whole(column: ColumnElement[int]) -> ColumnElement[int]:
    # PostgreSQL's sum of bigint is a decimal.
    return sql_cast(func.coalesce(func.sum(column), 0), BigInteger)

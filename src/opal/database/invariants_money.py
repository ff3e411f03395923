"""The rules of credits, part of `invariants.py`. A function's docstring is its rule."""

from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Select,
    String,
    and_,
    case,
    cast,
    func,
    literal,
    null,
    or_,
    select,
    union_all,
)

from opal.database.invariants_work import of_item
from opal.database.tables import accounts, erasures, items, ledger
from opal.items.states import ItemState

_CHARGED = (ItemState.COMPLETED, ItemState.EXPORTED)
_WAITING = (ItemState.CREATED, ItemState.UPLOADED, ItemState.QUEUED, ItemState.PROCESSING)


def _by_round() -> Any:
    """What the ledger says of each round of each item."""
    debits = func.sum(case((ledger.c.amount < 0, 1), else_=0))
    return (
        select(
            ledger.c.item_id,
            ledger.c.round,
            func.sum(ledger.c.amount).label("amount"),
            func.sum(ledger.c.held).label("held"),
            debits.label("debits"),
        )
        .where(ledger.c.item_id.is_not(None))
        .group_by(ledger.c.item_id, ledger.c.round)
        .subquery()
    )


def _of_round(found: ColumnElement[str], told: Any, wrong: ColumnElement[bool]) -> Select[Any]:
    """Items of whose present round the ledger says what is ``wrong``."""
    mine = (told.c.item_id == items.c.id) & (told.c.round == items.c.round)
    return of_item(found).select_from(items.outerjoin(told, mine)).where(wrong)


def _number(column: ColumnElement[Any]) -> ColumnElement[str]:
    return cast(func.coalesce(column, 0), String)


def charged_once(_dialect: str, _before: datetime) -> Select[Any]:
    """An item that is completed or exported has exactly one debit; any other has none, or got it back.

    Those of earlier rounds are not counted. A revision that is being made changes nothing.
    """
    told = _by_round()
    amount, debits = func.coalesce(told.c.amount, 0), func.coalesce(told.c.debits, 0)
    charged = items.c.state.in_(_CHARGED) | items.c.pending_revision.is_not(None)
    found = items.c.state + ", " + _number(told.c.debits) + " debits, sum " + _number(told.c.amount)
    wrong = or_(charged & ((amount != -1) | (debits != 1)), ~charged & ((amount != 0) | (debits > 1)))
    return _of_round(found, told, wrong)


def held_while_waiting(_dialect: str, _before: datetime) -> Select[Any]:
    """An item that waits or is worked on holds exactly one credit, any other none.

    One of which a revision is being made is paid for already.
    """
    told = _by_round()
    waiting = items.c.state.in_(_WAITING) & items.c.pending_revision.is_(None)
    due = case((waiting, 1), else_=0)
    found = items.c.state + ", holds " + _number(told.c.held)
    return _of_round(found, told, func.coalesce(told.c.held, 0) != due)


def rounds_settled(_dialect: str, _before: datetime) -> Select[Any]:
    """An item that was sent again had its credit back before, whole; there is no round to come."""
    told = _by_round()
    found = (
        literal("round ")
        + cast(told.c.round, String)
        + ": sum "
        + _number(told.c.amount)
        + ", holds "
        + _number(told.c.held)
    )
    past = (told.c.round < items.c.round) & ((told.c.amount != 0) | (told.c.held != 0) | (told.c.debits > 1))
    return (
        of_item(found)
        .select_from(items.join(told, told.c.item_id == items.c.id))
        .where(or_(past, told.c.round > items.c.round))
    )


def charged_for_an_item(_dialect: str, _before: datetime) -> Select[Any]:
    """A ledger row that names an item is of one that is there, the tenant's own, and of its job.

    Unless it was erased: then it was held before the tenant asked for that, and settled before that was done.
    """
    gone = items.c.id.is_(None)
    first = (
        select(ledger.c.item_id, func.min(ledger.c.created_at).label("at"))
        .where(ledger.c.kind == "hold")
        .group_by(ledger.c.item_id)
        .subquery()
    )
    erased = (
        select(erasures.c.id)
        .where(
            erasures.c.tenant_id == ledger.c.tenant_id,
            erasures.c.requested_at >= first.c.at,
            or_(erasures.c.finished_at.is_(None), erasures.c.finished_at >= ledger.c.created_at),
        )
        .exists()
    )
    foreign = items.c.tenant_id != ledger.c.tenant_id
    whose = case((gone, "an unknown item"), (foreign, "another tenant's item"), else_="another job's item")
    return (
        select(
            ledger.c.item_id.label("subject"),
            ledger.c.tenant_id,
            ledger.c.job_id.label("job_id"),
            (ledger.c.kind + " of " + whose).label("found"),
        )
        .select_from(
            ledger.outerjoin(items, items.c.id == ledger.c.item_id).outerjoin(
                first, first.c.item_id == ledger.c.item_id
            )
        )
        .where(ledger.c.item_id.is_not(None))
        .where(or_(gone & ~erased, foreign, items.c.job_id != func.coalesce(ledger.c.job_id, "")))
    )


def erased_and_settled(_dialect: str, _before: datetime) -> Select[Any]:
    """Of an item that is gone nothing is held, and each round of it was charged once or not at all."""
    told = _by_round()
    whose = select(ledger.c.item_id, ledger.c.tenant_id, ledger.c.job_id).distinct().subquery()
    found = (
        _number(told.c.debits) + " debits, sum " + _number(told.c.amount) + ", holds " + _number(told.c.held)
    )
    unsettled = or_(told.c.held != 0, told.c.amount.not_in([0, -1]), told.c.debits > 1)
    return (
        select(
            told.c.item_id.label("subject"),
            whose.c.tenant_id,
            whose.c.job_id.label("job_id"),
            found.label("found"),
        )
        .select_from(
            told.join(whose, whose.c.item_id == told.c.item_id).outerjoin(items, items.c.id == told.c.item_id)
        )
        .where(items.c.id.is_(None), unsettled)
    )


def entries_are_whole(_dialect: str, _before: datetime) -> Select[Any]:
    """Every row of the ledger moves what its kind moves, and names both an item and its job or neither.

    Without are grants, and debits of single pictures, for which nothing was held.
    """
    amount, held = ledger.c.amount, ledger.c.held
    of_item = ledger.c.item_id.is_not(None) & ledger.c.job_id.is_not(None)
    of_none = ledger.c.item_id.is_(None) & ledger.c.job_id.is_(None)
    whole = or_(
        and_(ledger.c.kind == "grant", of_none, amount > 0, held == 0),
        and_(ledger.c.kind == "debit", of_none, amount < 0, held == 0),
        and_(ledger.c.kind == "hold", of_item, amount == 0, held == 1),
        and_(ledger.c.kind == "debit", of_item, amount == -1, held == -1),
        and_(ledger.c.kind == "release", of_item, amount == 0, held == -1),
        and_(ledger.c.kind == "refund", of_item, amount == 1, held == 0),
    )
    found = ledger.c.kind + " of " + cast(amount, String) + ", held " + cast(held, String)
    return select(
        (literal("ledger row ") + cast(ledger.c.seq, String)).label("subject"),
        ledger.c.tenant_id,
        ledger.c.job_id.label("job_id"),
        found.label("found"),
    ).where(~whole)


def balance_is_the_sum(_dialect: str, _before: datetime) -> Select[Any]:
    """A tenant's balance and what is held are the sums of its ledger."""
    sums = (
        select(
            ledger.c.tenant_id,
            func.sum(ledger.c.amount).label("amount"),
            func.sum(ledger.c.held).label("held"),
        )
        .group_by(ledger.c.tenant_id)
        .subquery()
    )
    account = "balance " + cast(accounts.c.balance, String) + ", held " + cast(accounts.c.held, String)
    added = "ledger " + _number(sums.c.amount) + ", held " + _number(sums.c.held)
    differing = (
        select(
            accounts.c.tenant_id.label("subject"),
            accounts.c.tenant_id.label("tenant_id"),
            cast(null(), String).label("job_id"),
            (account + "; " + added).label("found"),
        )
        .select_from(accounts.outerjoin(sums, sums.c.tenant_id == accounts.c.tenant_id))
        .where(
            or_(
                accounts.c.balance != func.coalesce(sums.c.amount, 0),
                accounts.c.held != func.coalesce(sums.c.held, 0),
            )
        )
    )
    without = (
        select(
            sums.c.tenant_id.label("subject"),
            sums.c.tenant_id.label("tenant_id"),
            cast(null(), String).label("job_id"),
            ("no account; " + added).label("found"),
        )
        .select_from(sums.outerjoin(accounts, accounts.c.tenant_id == sums.c.tenant_id))
        .where(accounts.c.tenant_id.is_(None))
    )
    return select(union_all(differing, without).subquery())


def never_below_zero(_dialect: str, _before: datetime) -> Select[Any]:
    """After every row of the ledger the balance covered what was held, and that was not negative."""
    mine, order = ledger.c.tenant_id, ledger.c.seq
    after = select(
        ledger.c.seq,
        ledger.c.tenant_id,
        func.sum(ledger.c.amount).over(partition_by=mine, order_by=order).label("balance"),
        func.sum(ledger.c.held).over(partition_by=mine, order_by=order).label("held"),
    ).subquery()
    found = "balance " + cast(after.c.balance, String) + ", held " + cast(after.c.held, String)
    return select(
        (literal("ledger row ") + cast(after.c.seq, String)).label("subject"),
        after.c.tenant_id.label("tenant_id"),
        cast(null(), String).label("job_id"),
        found.label("found"),
    ).where((after.c.held < 0) | (after.c.balance < after.c.held))


def prepaid_is_less_than_a_credit(_dialect: str, _before: datetime) -> Select[Any]:
    """Of a credit that was debited for a quarter picture, up to three quarters are left."""
    return select(
        accounts.c.tenant_id.label("subject"),
        accounts.c.tenant_id.label("tenant_id"),
        cast(null(), String).label("job_id"),
        (cast(accounts.c.prepaid_quarters, String) + " quarters").label("found"),
    ).where(~accounts.c.prepaid_quarters.between(0, 3))

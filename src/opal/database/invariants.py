"""What is always true of a database of Opal's, each rule one query for the rows that break it.

Asked by `opal doctor --invariants` and at the end of every fault test. The queries stand for themselves: they
use none of the code that writes what they look at. Blobs are held against their rows in
`upkeep/blob_check.py`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import invariants_money, invariants_work
from opal.database.engine import utc_now
from opal.database.tables import jobs
from opal.items.item import LONGEST_LEASE


@dataclass(frozen=True, slots=True)
class Scope:
    """What is looked at: everything, one tenant's, or one job's."""

    tenant_id: str | None = None
    job_id: str | None = None


EVERYTHING = Scope()


@dataclass(frozen=True, slots=True)
class Patience:
    """How long something may be under way before it counts as stuck."""

    message: timedelta = timedelta(minutes=10)
    """A message in the outbox."""
    work: timedelta = timedelta(hours=26)
    """An item that nothing touches, or an erasure; longer than the day that a client has for an upload."""


RUNNING = Patience()
"""For a database that is in use."""
SETTLED = Patience(timedelta(0), timedelta(0))
"""Nothing may be under way any more: after a test."""


@dataclass(frozen=True, slots=True)
class Offender:
    """A row that breaks a rule."""

    subject: str
    """An item, a tenant, a message: what the row is about."""
    tenant_id: str
    found: str


@dataclass(frozen=True, slots=True)
class Verdict:
    """How one rule stands; ``first`` are a few of the ``count`` offenders."""

    name: str
    rule: str
    count: int
    first: tuple[Offender, ...]


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule and its query, which selects ``subject``, ``tenant_id``, ``job_id`` and ``found``."""

    name: str
    rule: str
    offenders: Callable[[str, datetime], Select[Any]]
    """Of the database's dialect, and of the time before which something counts as stuck."""
    patience: Callable[[Patience], timedelta] | None = None


def _invariant(
    query: Callable[[str, datetime], Select[Any]],
    patience: Callable[[Patience], timedelta] | None = None,
) -> Invariant:
    """Named after its function, whose docstring is the rule."""
    rule = " ".join((query.__doc__ or "").split())
    return Invariant(query.__name__, rule, query, patience)


INVARIANTS: tuple[Invariant, ...] = (
    _invariant(invariants_money.charged_once),
    _invariant(invariants_money.held_while_waiting),
    _invariant(invariants_money.rounds_settled),
    _invariant(invariants_money.charged_for_an_item),
    _invariant(invariants_money.erased_and_settled),
    _invariant(invariants_money.entries_are_whole),
    _invariant(invariants_money.balance_is_the_sum),
    _invariant(invariants_money.never_below_zero),
    _invariant(invariants_money.prepaid_is_less_than_a_credit),
    _invariant(invariants_work.no_lease_on_finished),
    # Later than any worker asks for: the sign is turned, as it is of what is to come.
    _invariant(invariants_work.leases_end, lambda _patience: -LONGEST_LEASE),
    _invariant(invariants_work.exactly_its_variants),
    _invariant(invariants_work.revisions_agree),
    _invariant(invariants_work.story_agrees),
    _invariant(invariants_work.story_is_unbroken),
    _invariant(invariants_work.one_tenant),
    _invariant(invariants_work.work_ends, lambda patience: patience.work),
    _invariant(invariants_work.erasures_end, lambda patience: patience.work),
    _invariant(invariants_work.outbox_drains, lambda patience: patience.message),
)


async def examine(
    connection: AsyncConnection,
    scope: Scope = EVERYTHING,
    patience: Patience = RUNNING,
    *,
    most: int = 5,
) -> list[Verdict]:
    """Every rule's verdict, in the order of ``INVARIANTS``, with at most ``most`` offenders each."""
    now = utc_now()
    verdicts = []
    for each in INVARIANTS:
        before = now - each.patience(patience) if each.patience else now
        found = each.offenders(connection.dialect.name, before).subquery()
        query = select(found)
        if scope.tenant_id is not None:
            query = query.where(found.c.tenant_id == scope.tenant_id)
        if scope.job_id is not None:
            query = query.where(_of_job(found, scope.job_id))
        count = await connection.scalar(select(func.count()).select_from(query.subquery()))
        first: list[Offender] = []
        if count:
            rows = await connection.execute(query.order_by(found.c.subject).limit(most))
            first = [Offender(row.subject, row.tenant_id, row.found) for row in rows]
        verdicts.append(Verdict(each.name, each.rule, int(count or 0), tuple(first)))
    return verdicts


def _of_job(found: Any, job_id: str) -> Any:
    """Of the job itself; of an account or an erasure, which is no job's, where the job's tenant has it."""
    owner = select(jobs.c.tenant_id).where(jobs.c.id == job_id).scalar_subquery()
    return (found.c.job_id == job_id) | (found.c.job_id.is_(None) & (found.c.tenant_id == owner))

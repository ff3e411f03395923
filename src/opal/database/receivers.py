"""What webhooks and delivery targets have in common: each is a *receiver* that things are delivered to.

A receiver is on or off, counts its failures in a row, and is left alone for a while after each; a delivery is
due, claimed until a time, and settled. Called by ``webhooks.py``, ``deliveries.py``,
``delivery_targets.py`` and ``picture_deliveries.py``. Whoever locks both locks the receiver first.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal, Protocol

from sqlalchemy import ColumnElement, Row, Table, and_, func, or_, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import tenants
from opal.errors import OpalError

LONGEST_REASON: Final = 200
"""Characters of a reason that are kept."""

ReceiverState = Literal["active", "disabled"]


@dataclass(frozen=True, slots=True)
class FailurePolicy:
    """When a receiver is disabled, and how long it is left alone after so many failures in a row."""

    max_failures: int
    disable_after: timedelta
    pause: Callable[[int], timedelta]


class Claimed(Protocol):
    """A delivery that is one sender's until ``claimed_until``, which is its fencing token too."""

    @property
    def id(self) -> str:
        """The delivery's id."""

    @property
    def claimed_until(self) -> datetime:
        """As it was written when it was claimed."""


def is_open(receivers: Table, now: datetime) -> ColumnElement[bool]:
    """Whether the receiver is on, and not being left alone after a failure."""
    rested = or_(receivers.c.not_before.is_(None), receivers.c.not_before <= now)
    return and_(receivers.c.state == "active", rested)


def is_claimable(deliveries: Table, now: datetime) -> ColumnElement[bool]:
    """Whether the delivery is due and nobody's."""
    free = or_(deliveries.c.claimed_until.is_(None), deliveries.c.claimed_until <= now)
    return and_(deliveries.c.state == "waiting", deliveries.c.next_at <= now, free)


def is_still(deliveries: Table, due: Claimed) -> ColumnElement[bool]:
    """Whether the delivery has not been taken over by another sender since it was claimed."""
    return and_(deliveries.c.id == due.id, deliveries.c.claimed_until == due.claimed_until)


async def require_room(
    connection: AsyncConnection, receivers: Table, tenant_id: str, most: int, full: type[OpalError]
) -> None:
    """Raises ``full`` when the tenant has ``most`` receivers of this kind already."""
    # Creations of one tenant take turns, or two would both be the last one allowed.
    await connection.execute(
        select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True)
    )
    have = select(func.count()).select_from(receivers).where(receivers.c.tenant_id == tenant_id)
    if int((await connection.execute(have)).scalar_one()) >= most:
        raise full


async def lock_receiver(connection: AsyncConnection, receivers: Table, receiver_id: str) -> Row[Any] | None:
    """State and failures of the receiver, nobody else's to change until the transaction ends; None: gone."""
    columns: list[Any] = [receivers.c[name] for name in ("id", "state", "failures", "failing_since")]
    query = select(*columns)
    mine = query.where(receivers.c.id == receiver_id).with_for_update(key_share=True)
    return (await connection.execute(mine)).one_or_none()


async def forget_failures(connection: AsyncConnection, receivers: Table, receiver_id: str) -> None:
    """Something arrived. Only where there is something to forget: a healthy one's row is left alone."""
    await connection.execute(
        update(receivers)
        .where(receivers.c.id == receiver_id, receivers.c.failures > 0)
        .values(failures=0, failing_since=None, not_before=None)
    )


async def count_failure(
    connection: AsyncConnection,
    receivers: Table,
    locked: Row[Any],
    reason: str,
    policy: FailurePolicy,
    *,
    gone: str | None = None,
    not_before: datetime | None = None,
) -> str | None:
    """Count a failed try for the ``locked`` receiver; returns why it is disabled now, or None.

    ``gone`` disables it at once, with that reason; ``not_before`` is what it asked for itself.
    """
    if locked.state != "active":
        return None
    now = utc_now()
    failures = locked.failures + 1
    since = locked.failing_since or now
    disabled = gone
    if disabled is None and failures >= policy.max_failures and now - since >= policy.disable_after:
        disabled = f"{failures} tries in a row failed, the last one: {reason}"[:LONGEST_REASON]
    await connection.execute(
        update(receivers)
        .where(receivers.c.id == locked.id)
        .values(
            failures=failures,
            failing_since=since,
            not_before=max(now + policy.pause(failures), not_before or now),
            state="disabled" if disabled else "active",
            disabled_reason=disabled,
        )
    )
    return disabled


async def turn_on(
    connection: AsyncConnection, receivers: Table, receiver_id: str, *, deliveries: Table, by: str
) -> None:
    """Forget its failures; what waits for it in ``deliveries``, whose column ``by`` names it, is due now."""
    await connection.execute(
        update(receivers)
        .where(receivers.c.id == receiver_id)
        .values(state="active", disabled_reason=None, failures=0, failing_since=None, not_before=None)
    )
    waiting = update(deliveries).where(deliveries.c[by] == receiver_id, deliveries.c.state == "waiting")
    await connection.execute(waiting.values(next_at=utc_now()))


async def stop_resting(connection: AsyncConnection, receivers: Table, receiver_id: str) -> None:
    """Somebody asks for a delivery, and so believes that the receiver is well again."""
    await connection.execute(update(receivers).where(receivers.c.id == receiver_id).values(not_before=None))

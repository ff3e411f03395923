"""Which photos wait for a person's verdict: marked for review, exported, and nobody has said yet.

Read by the console. Oldest first, so that a queue that grows is worked off in its order.
"""

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.items import get_item
from opal.database.tables import items
from opal.items.item import Item
from opal.items.states import ItemState


async def count_waiting(
    connection: AsyncConnection, tenant_id: str, job_id: str | None = None, *, most: int
) -> int:
    """How many of the tenant's photos wait, or of one of its jobs; at most ``most`` are counted."""
    some = select(items.c.id).where(*_waiting(tenant_id, job_id)).limit(most).subquery()
    return int((await connection.execute(select(func.count()).select_from(some))).scalar_one())


async def next_waiting(
    connection: AsyncConnection, tenant_id: str, job_id: str | None = None, after: Item | None = None
) -> Item | None:
    """The photo that has waited longest, behind ``after`` in the queue where one is given; None: none."""
    query = select(items.c.id).where(*_waiting(tenant_id, job_id))
    if after is not None:
        query = query.where(_behind(after))
    order = (items.c.created_at, items.c.job_id, items.c.position)
    found = (await connection.execute(query.order_by(*order).limit(1))).scalar_one_or_none()
    return None if found is None else await get_item(connection, found)


def waits_for_review() -> ColumnElement[bool]:
    """As ``items/next_steps.py`` has it of one item."""
    return and_(items.c.review.is_(True), items.c.verdict.is_(None), items.c.state == ItemState.EXPORTED)


def _waiting(tenant_id: str, job_id: str | None) -> list[ColumnElement[bool]]:
    conditions = [items.c.tenant_id == tenant_id, waits_for_review()]
    return conditions if job_id is None else [*conditions, items.c.job_id == job_id]


def _behind(item: Item) -> ColumnElement[bool]:
    created, job, position = items.c.created_at, items.c.job_id, items.c.position
    same_time = created == item.created_at
    return or_(
        created > item.created_at,
        and_(same_time, job > item.job_id),
        and_(same_time, job == item.job_id, position > item.position),
    )

"""Delivery targets: where a tenant wants its finished pictures, and how that has been going."""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.receivers import ReceiverState, require_room, turn_on
from opal.database.tables import delivery_targets as targets
from opal.database.tables import picture_deliveries
from opal.errors import TooManyDeliveryTargets, UnknownDeliveryTarget

ID = "target_[0-9a-f]{24}"
"""What a target's id looks like, as a regular expression."""
_TURNED_OFF = "It was turned off."


@dataclass(frozen=True, slots=True)
class DeliveryTarget:
    """A target without its secrets. ``failures`` counts failed tries since the last one that succeeded."""

    id: str
    tenant_id: str
    name: str
    place: dict[str, Any]
    template: str
    reports: bool
    presets: list[str]
    """Of which pictures go there, by their presets' names; empty: of all."""
    formats: list[str]
    """And by their formats; empty: all."""
    state: ReceiverState
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    created_at: datetime


# Named one by one: a secret that is not selected cannot be shown.
_COLUMNS = [targets.c[name] for name in DeliveryTarget.__dataclass_fields__]


async def create_target(
    connection: AsyncConnection, target: DeliveryTarget, sealed: str | None, *, most: int
) -> None:
    """Keep a new target. Raises ``TooManyDeliveryTargets`` when the tenant has ``most`` already."""
    await require_room(connection, targets, target.tenant_id, most, TooManyDeliveryTargets)
    values = {name: getattr(target, name) for name in DeliveryTarget.__dataclass_fields__}
    await connection.execute(insert(targets).values(**values, sealed=sealed))


async def tenant_target(connection: AsyncConnection, tenant_id: str, target_id: str) -> DeliveryTarget:
    """The tenant's target. Raises ``UnknownDeliveryTarget`` for unknown, foreign and malformed ids."""
    return await _one(connection, _of(tenant_id, target_id))


async def sealed_secret(connection: AsyncConnection, target_id: str) -> str | None:
    """The target's secret as it was sealed; None for a place that needs none."""
    query = select(targets.c.sealed).where(targets.c.id == target_id)
    return (await connection.execute(query)).scalar_one_or_none()


async def list_targets(connection: AsyncConnection, tenant_id: str) -> list[DeliveryTarget]:
    """All targets of the tenant, oldest first."""
    query = select(*_COLUMNS).where(targets.c.tenant_id == tenant_id)
    rows = await connection.execute(query.order_by(targets.c.created_at, targets.c.id))
    return [_target(row) for row in rows]


async def change_target(
    connection: AsyncConnection,
    tenant_id: str,
    target_id: str,
    changes: Mapping[str, Any],
    enabled: bool | None = None,
) -> DeliveryTarget:
    """Write ``changes``; turned on, its failures are forgotten and all that waits is due now.

    Raises ``UnknownDeliveryTarget``.
    """
    present = await _one(connection, _of(tenant_id, target_id).with_for_update(key_share=True))
    values = dict(changes)
    if enabled is True:
        await turn_on(connection, targets, target_id, deliveries=picture_deliveries, by="target_id")
    elif enabled is False and present.state == "active":
        values |= {"state": "disabled", "disabled_reason": _TURNED_OFF}
    if values:
        await connection.execute(update(targets).where(targets.c.id == target_id).values(**values))
    return await tenant_target(connection, tenant_id, target_id)


async def delete_target(connection: AsyncConnection, tenant_id: str, target_id: str) -> None:
    """Forget the target and its deliveries; what was delivered stays. Raises ``UnknownDeliveryTarget``."""
    # Locked, so that no export writes a delivery to it between the two deletions.
    await _one(connection, _of(tenant_id, target_id).with_for_update())
    await connection.execute(delete(picture_deliveries).where(picture_deliveries.c.target_id == target_id))
    await connection.execute(delete(targets).where(targets.c.id == target_id))


def _of(tenant_id: str, target_id: str) -> Select[Any]:
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, target_id):
        raise UnknownDeliveryTarget
    return select(*_COLUMNS).where(targets.c.id == target_id, targets.c.tenant_id == tenant_id)


async def _one(connection: AsyncConnection, query: Select[Any]) -> DeliveryTarget:
    row: Row[Any] | None = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownDeliveryTarget
    return _target(row)


def _target(row: Row[Any]) -> DeliveryTarget:
    return DeliveryTarget(**row._asdict())

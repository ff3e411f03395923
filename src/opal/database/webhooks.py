"""Webhook endpoints: where a tenant wants to be told, of what, and how that has been going."""

import re
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.receivers import ReceiverState, require_room, turn_on
from opal.database.tables import webhook_deliveries, webhooks
from opal.database.webhook_secrets import COLUMNS, kept, new_secret, sealed_values
from opal.errors import SecretUnreadable, TooManyWebhooks, UnknownWebhook
from opal.items.item import new_id
from opal.messages.webhook_event import EventType
from opal.sealing import Sealer

ID = "webhook_[0-9a-f]{24}"
"""What a webhook's id looks like, as a regular expression."""


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint without its secret. ``failures`` counts failed tries since the last one that succeeded."""

    id: str
    tenant_id: str
    url: str
    events: tuple[EventType, ...]
    state: ReceiverState
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    created_at: datetime


# Named one by one: a secret that is not selected cannot be shown.
_COLUMNS = [webhooks.c[name] for name in Webhook.__dataclass_fields__]


async def create_webhook(
    connection: AsyncConnection,
    sealer: Sealer,
    tenant_id: str,
    url: str,
    events: tuple[EventType, ...],
    *,
    most: int,
) -> tuple[Webhook, str]:
    """A new endpoint; the second value is its secret, shown only here and kept sealed.

    Raises ``TooManyWebhooks`` when the tenant has ``most`` already.
    """
    await require_room(connection, webhooks, tenant_id, most, TooManyWebhooks)
    secret = new_secret()
    made = Webhook(new_id("webhook"), tenant_id, url, events, "active", None, 0, None, utc_now())
    await connection.execute(
        insert(webhooks).values(
            id=made.id,
            tenant_id=tenant_id,
            url=url,
            events=list(events),
            state=made.state,
            created_at=made.created_at,
            **sealed_values(sealer, made.id, secret),
        )
    )
    return made, secret


async def tenant_webhook(
    connection: AsyncConnection, tenant_id: str, webhook_id: str, *, keep: bool = False
) -> Webhook:
    """The tenant's endpoint; with ``keep`` nobody can delete it before the transaction ends.

    Raises ``UnknownWebhook`` for ids that are unknown, foreign or none at all.
    """
    query = _of(tenant_id, webhook_id)
    return await _one(connection, query.with_for_update(read=True, key_share=True) if keep else query)


async def list_webhooks(connection: AsyncConnection, tenant_id: str) -> list[Webhook]:
    """All endpoints of the tenant, oldest first."""
    query = select(*_COLUMNS).where(webhooks.c.tenant_id == tenant_id)
    rows = await connection.execute(query.order_by(webhooks.c.created_at, webhooks.c.id))
    return [_webhook(row) for row in rows]


async def delete_webhook(connection: AsyncConnection, tenant_id: str, webhook_id: str) -> None:
    """Forget the endpoint and its deliveries. Raises ``UnknownWebhook``."""
    # Locked, so that no move writes a delivery to it between the two deletions.
    await _one(connection, _of(tenant_id, webhook_id).with_for_update())
    await connection.execute(delete(webhook_deliveries).where(webhook_deliveries.c.webhook_id == webhook_id))
    await connection.execute(delete(webhooks).where(webhooks.c.id == webhook_id))


async def rotate_secret(
    connection: AsyncConnection, sealer: Sealer, tenant_id: str, webhook_id: str, *, old_for: timedelta
) -> tuple[datetime, str]:
    """Give the endpoint a new secret; the old one signs beside it for ``old_for``.

    Returns until when, and the new secret, shown only here. Of the secrets before the old one none signs any
    more, nor does an old one that the ``sealer`` cannot open. Raises ``UnknownWebhook``.
    """
    await _one(connection, _of(tenant_id, webhook_id).with_for_update(key_share=True))
    now = utc_now()
    row = (await connection.execute(select(*COLUMNS).where(webhooks.c.id == webhook_id))).one()
    old = None
    with suppress(SecretUnreadable):
        old, *_ = kept(webhook_id, row).open(sealer, now)
    secret, until = new_secret(), now + old_for
    await connection.execute(
        update(webhooks)
        .where(webhooks.c.id == webhook_id)
        .values(old_secret_until=until, **sealed_values(sealer, webhook_id, secret, old))
    )
    return until, secret


async def enable_webhook(connection: AsyncConnection, tenant_id: str, webhook_id: str) -> Webhook:
    """Turn the endpoint on, its failures forgotten; all that waits is due now. Raises ``UnknownWebhook``."""
    await _one(connection, _of(tenant_id, webhook_id).with_for_update(key_share=True))
    await turn_on(connection, webhooks, webhook_id, deliveries=webhook_deliveries, by="webhook_id")
    return await tenant_webhook(connection, tenant_id, webhook_id)


def _of(tenant_id: str, webhook_id: str) -> Select[Any]:
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, webhook_id):
        raise UnknownWebhook
    return select(*_COLUMNS).where(webhooks.c.id == webhook_id, webhooks.c.tenant_id == tenant_id)


async def _one(connection: AsyncConnection, query: Select[Any]) -> Webhook:
    row: Row[Any] | None = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownWebhook
    return _webhook(row)


def _webhook(row: Row[Any]) -> Webhook:
    values = row._asdict()
    return Webhook(**{**values, "events": tuple(EventType(name) for name in values["events"])})

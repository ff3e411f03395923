"""Webhook endpoints: where a tenant wants to be told, of what, and how that has been going."""

import base64
import re
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal

from sqlalchemy import Row, Select, delete, func, insert, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import tenants, webhook_deliveries, webhooks
from opal.errors import TooManyWebhooks, UnknownWebhook
from opal.items.item import new_id
from opal.messages.webhook_event import EventType

ID = "webhook_[0-9a-f]{24}"
"""What a webhook's id looks like, as a regular expression."""
_SECRET_BYTES = 32


@dataclass(frozen=True, slots=True)
class Webhook:
    """An endpoint without its secret. ``failures`` counts failed tries since the last one that succeeded."""

    id: str
    tenant_id: str
    url: str
    events: tuple[EventType, ...]
    state: Literal["active", "disabled"]
    disabled_reason: str | None
    failures: int
    failing_since: datetime | None
    created_at: datetime


# Named one by one: a secret that is not selected cannot be shown.
_COLUMNS = [webhooks.c[name] for name in Webhook.__dataclass_fields__]


async def create_webhook(
    connection: AsyncConnection, tenant_id: str, url: str, events: tuple[EventType, ...], *, most: int
) -> tuple[Webhook, str]:
    """A new endpoint; the second value is its secret, shown only here.

    Raises ``TooManyWebhooks`` when the tenant has ``most`` already.
    """
    # Creations of one tenant take turns, or two would both be the last one allowed.
    await connection.execute(
        select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update(key_share=True)
    )
    have = select(func.count()).select_from(webhooks).where(webhooks.c.tenant_id == tenant_id)
    if int((await connection.execute(have)).scalar_one()) >= most:
        raise TooManyWebhooks
    secret = _new_secret()
    made = Webhook(new_id("webhook"), tenant_id, url, events, "active", None, 0, None, utc_now())
    await connection.execute(
        insert(webhooks).values(
            id=made.id,
            tenant_id=tenant_id,
            url=url,
            events=list(events),
            secret=secret,
            state=made.state,
            created_at=made.created_at,
        )
    )
    return made, secret


async def tenant_webhook(connection: AsyncConnection, tenant_id: str, webhook_id: str) -> Webhook:
    """The tenant's endpoint. Raises ``UnknownWebhook`` for ids that are unknown, foreign or none at all."""
    return await _one(connection, _of(tenant_id, webhook_id))


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
    connection: AsyncConnection, tenant_id: str, webhook_id: str, *, old_for: timedelta
) -> tuple[datetime, str]:
    """Give the endpoint a new secret; the old one signs beside it for ``old_for``.

    Returns until when, and the new secret, shown only here. Of the secrets before the old one none signs any
    more. Raises ``UnknownWebhook``.
    """
    await _one(connection, _of(tenant_id, webhook_id).with_for_update(key_share=True))
    secret, until = _new_secret(), utc_now() + old_for
    await connection.execute(
        update(webhooks)
        .where(webhooks.c.id == webhook_id)
        .values(old_secret=webhooks.c.secret, old_secret_until=until, secret=secret)
    )
    return until, secret


async def enable_webhook(connection: AsyncConnection, tenant_id: str, webhook_id: str) -> Webhook:
    """Turn the endpoint on, its failures forgotten; all that waits is due now. Raises ``UnknownWebhook``."""
    await _one(connection, _of(tenant_id, webhook_id).with_for_update(key_share=True))
    await connection.execute(
        update(webhooks)
        .where(webhooks.c.id == webhook_id)
        .values(state="active", disabled_reason=None, failures=0, failing_since=None, not_before=None)
    )
    waiting = update(webhook_deliveries).where(webhook_deliveries.c.webhook_id == webhook_id)
    await connection.execute(waiting.where(webhook_deliveries.c.state == "waiting").values(next_at=utc_now()))
    return await tenant_webhook(connection, tenant_id, webhook_id)


def _new_secret() -> str:
    """As the specification writes a symmetric secret: `whsec_` and 24 to 64 random bytes in base64."""
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode("ascii")


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

"""``/v1/webhooks/{id}/deliveries``: what a webhook was told, how that went, telling it again, and tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, Field

from opal.database import deliveries, webhooks
from opal.database.deliveries import Delivery, DeliveryState
from opal.database.engine import utc_now
from opal.errors import UnknownDelivery, UnknownWebhook, WebhookDisabled
from opal.http.authentication import SettingsRoute, Tenant
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.messages.webhook_event import EventType, WebhookEvent
from opal.web_api.job_view import ITEM_ID_EXAMPLE, JOB_ID_EXAMPLE
from opal.web_api.page_cursor import PageCursor, PageLimit, page_of, place_of
from opal.web_api.parts import WebParts
from opal.web_api.webhook_docs import EXAMPLES
from opal.web_api.webhooks import WEBHOOK_ID_EXAMPLE, WebhookId
from opal.webhook_sender.sender import WebhookSender

router = APIRouter(route_class=SettingsRoute, tags=["webhooks"])

_ID = "delivery_0d1e2f3a4b5c6d7e8f9a0b1c"
DeliveryId = Annotated[str, Path(description="The delivery's id.", examples=[_ID])]


class DeliveryView(BaseModel):
    """One event's way to one webhook."""

    id: str = Field(examples=[_ID])
    event_id: str = Field(description="What the receiver reads in `webhook-id`.")
    type: EventType
    job_id: str
    item_id: str | None = Field(description="Null for an event of a job.")
    test: bool = Field(
        description="An example that was asked for: nothing happened, and there is no such job."
    )
    state: DeliveryState = Field(
        description="`waiting` for its first or next try, `delivered`, or `failed`: every try was made."
    )
    attempts: int = Field(description="Tries made so far, since the last replay.")
    next_at: datetime | None = Field(description="When the next try is due; null unless it waits.")
    last_at: datetime | None = Field(description="When the last try ended.")
    last_status: int | None = Field(description="What it was answered; null: no answer came.")
    last_error: str | None = Field(description="Why the last try did not succeed.")
    created_at: datetime


class DeliveryPage(BaseModel):
    """Deliveries, newest first."""

    deliveries: list[DeliveryView]
    next_cursor: str | None = Field(description="Pass as `cursor` for older ones; null at the end.")


_NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
_FAILING = Delivery(
    id=_ID,
    webhook_id=WEBHOOK_ID_EXAMPLE,
    event_id="evt_7c8d9e0f1a2b3c4d5e6f7a8b",
    type=EventType.ITEM_EXPORTED,
    job_id=JOB_ID_EXAMPLE,
    item_id=ITEM_ID_EXAMPLE,
    test=False,
    state="waiting",
    attempts=1,
    next_at=_NOON + timedelta(seconds=5),
    last_at=_NOON,
    last_status=503,
    last_error="It answered 503.",
    created_at=_NOON,
)


_TESTED = replace(_FAILING, test=True, state="delivered", last_status=204, last_error=None)


def _view(delivery: Delivery) -> DeliveryView:
    values = {name: getattr(delivery, name) for name in DeliveryView.model_fields}
    return DeliveryView(**{**values, "next_at": delivery.next_at if delivery.state == "waiting" else None})


@router.get(
    "/v1/webhooks/{webhook_id}/deliveries",
    summary="List a webhook's deliveries",
    responses={
        **answer("One page of deliveries.", DeliveryPage(deliveries=[_view(_FAILING)], next_cursor=None)),
        **problems(*BY_KEY, UnknownWebhook, *ALWAYS),
    },
)
async def list_deliveries(
    parts: WebParts,
    tenant_id: Tenant,
    webhook_id: WebhookId,
    *,
    state: Annotated[DeliveryState | None, Query(description="Only those in this state.")] = None,
    limit: PageLimit = 50,
    cursor: PageCursor = None,
) -> DeliveryPage:
    """What the webhook was told in the last `OPAL_WEBHOOK_KEEP_DAYS` days, newest first."""
    async with parts.database.read() as connection:
        await webhooks.tenant_webhook(connection, tenant_id, webhook_id)
        found = await deliveries.list_deliveries(connection, webhook_id, limit + 1, place_of(cursor), state)
    page, more = page_of(found, limit)
    return DeliveryPage(deliveries=[_view(each) for each in page], next_cursor=more)


@router.get(
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}",
    summary="Read a delivery",
    responses={
        **answer("The delivery.", _view(_FAILING)),
        **problems(*BY_KEY, UnknownWebhook, UnknownDelivery, *ALWAYS),
    },
)
async def read_delivery(
    parts: WebParts, tenant_id: Tenant, webhook_id: WebhookId, delivery_id: DeliveryId
) -> DeliveryView:
    """How one event has been getting on with the webhook."""
    async with parts.database.read() as connection:
        await webhooks.tenant_webhook(connection, tenant_id, webhook_id)
        return _view(await deliveries.read_delivery(connection, webhook_id, delivery_id))


@router.post(
    "/v1/webhooks/{webhook_id}/deliveries/{delivery_id}/replay",
    status_code=202,
    summary="Send a delivery again",
    responses={
        **answer("The delivery, due now.", _view(_FAILING), 202),
        **problems(*BY_KEY, UnknownWebhook, UnknownDelivery, WebhookDisabled, *ALWAYS),
    },
)
async def replay_delivery(
    parts: WebParts, tenant_id: Tenant, webhook_id: WebhookId, delivery_id: DeliveryId
) -> DeliveryView:
    """Send the same event under the same `webhook-id` again, within a second or so, arrived or not.

    Its schedule begins anew. One that still waits is brought forward.
    """
    async with parts.database.transaction() as connection:
        await webhooks.tenant_webhook(connection, tenant_id, webhook_id)
        return _view(await deliveries.replay(connection, webhook_id, delivery_id))


@router.post(
    "/v1/webhooks/{webhook_id}/test",
    summary="Test a webhook",
    responses={
        **answer("The test's delivery: how it went.", _view(_TESTED)),
        **problems(*BY_KEY, UnknownWebhook, *ALWAYS),
    },
)
async def send_test_event(
    request: Request,
    tenant_id: Tenant,
    webhook_id: WebhookId,
    kind: Annotated[
        EventType, Query(alias="type", description="Which event to send an example of.")
    ] = EventType.ITEM_EXPORTED,
) -> DeliveryView:
    """Send an example of an event now, signed as any other, with `"test": true` in it; disabled or not.

    It is tried once, listed with the other deliveries, can be replayed, and counts for nothing when it fails.
    """
    sender: WebhookSender = request.app.state.webhook_sender
    event = WebhookEvent(type=kind, timestamp=utc_now(), test=True, data=EXAMPLES[kind][1])
    return _view(await sender.send_test(tenant_id, webhook_id, event))

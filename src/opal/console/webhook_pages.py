"""``/settings/webhooks``: addresses that are told of events; each with its log of deliveries."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import ValidationError

from opal.console.forms import Form as FormRoute
from opal.console.forms import faults_of, onward
from opal.console.page import Page, pages_of
from opal.database.deliveries import DeliveryState
from opal.errors import OpalError
from opal.messages.webhook_event import EventType
from opal.web_api import deliveries, webhooks
from opal.web_api.page_cursor import PageCursor
from opal.web_api.parts import WebParts
from opal.web_api.webhooks import NewWebhook

router = APIRouter(route_class=Page, include_in_schema=False)
forms = APIRouter(route_class=FormRoute, include_in_schema=False)

_PATH = "/settings/webhooks"
_ONE = f"{_PATH}/{{webhook_id}}"
_A_PAGE = 30
_Text = Annotated[str, Form(max_length=2000)]


@router.get(_PATH)
async def show_webhooks(request: Request, parts: WebParts) -> Response:
    """All webhooks, and the form of a new one."""
    return await _shown(request, parts)


@forms.post(_PATH)
async def create_webhook(
    request: Request, parts: WebParts, url: _Text = "", events: Annotated[list[str] | None, Form()] = None
) -> Response:
    """Make it and show its secret, this once."""
    try:
        wanted = NewWebhook.model_validate({"url": url.strip(), "events": events or []})
        made = await webhooks.create_webhook(request, parts, request.state.tenant_id, wanted, Response())
    except (ValidationError, OpalError) as error:
        return await _shown(request, parts, {"url": url, "events": events or []}, faults_of(error))
    return pages_of(request).render(request, "webhook_secret", id=made.id, url=made.url, shown=made.secret)


@router.get(_ONE)
async def show_webhook(
    request: Request,
    parts: WebParts,
    webhook_id: str,
    state: Annotated[DeliveryState | None, Query()] = None,
    cursor: PageCursor = None,
) -> Response:
    """One webhook, and what it was told."""
    tenant_id: str = request.state.tenant_id
    page = await deliveries.list_deliveries(
        parts, tenant_id, webhook_id, state=state, limit=_A_PAGE, cursor=cursor
    )
    return pages_of(request).render(
        request,
        "webhook",
        hook=await webhooks.read_webhook(parts, tenant_id, webhook_id),
        log=page.deliveries,
        older=page.next_cursor,
        first=cursor is None,
        state=state,
        kinds=list(EventType),
    )


@forms.post(f"{_ONE}/test")
async def send_test(request: Request, webhook_id: str, kind: Annotated[EventType, Form()]) -> Response:
    """Send an example now; how it went is the newest line of the log."""
    sent = await deliveries.send_test_event(request, request.state.tenant_id, webhook_id, kind)
    done = "test_delivered" if sent.state == "delivered" else "test_failed"
    return onward(_ONE.format(webhook_id=webhook_id), done)


@forms.post(f"{_ONE}/enable")
async def enable(request: Request, parts: WebParts, webhook_id: str) -> Response:
    """Turn it on again."""
    await webhooks.enable_webhook(parts, request.state.tenant_id, webhook_id)
    return onward(_ONE.format(webhook_id=webhook_id), "enabled")


@forms.post(f"{_ONE}/rotate")
async def rotate(request: Request, parts: WebParts, webhook_id: str) -> Response:
    """Give it a new secret and show that, this once."""
    tenant_id: str = request.state.tenant_id
    told = await webhooks.rotate_webhook_secret(request, parts, tenant_id, webhook_id)
    hook = await webhooks.read_webhook(parts, tenant_id, webhook_id)
    return pages_of(request).render(
        request,
        "webhook_secret",
        id=hook.id,
        url=hook.url,
        shown=told.secret,
        until=told.old_secret_until,
    )


@forms.post(f"{_ONE}/delete")
async def delete(request: Request, parts: WebParts, webhook_id: str) -> Response:
    """Forget it and its log."""
    await webhooks.delete_webhook(parts, request.state.tenant_id, webhook_id)
    return onward(_PATH, "webhook_deleted")


@forms.post(f"{_ONE}/deliveries/{{delivery_id}}/replay")
async def replay(request: Request, parts: WebParts, webhook_id: str, delivery_id: str) -> Response:
    """Send the same event again."""
    await deliveries.replay_delivery(parts, request.state.tenant_id, webhook_id, delivery_id)
    return onward(_ONE.format(webhook_id=webhook_id), "replayed")


async def _shown(
    request: Request,
    parts: WebParts,
    entered: dict[str, object] | None = None,
    faults: dict[str, str] | None = None,
) -> Response:
    found = await webhooks.list_webhooks(parts, request.state.tenant_id)
    return pages_of(request).render(
        request,
        "webhooks",
        status=422 if faults else 200,
        webhooks=found.webhooks,
        kinds=list(EventType),
        entered=entered or {"url": "", "events": list(EventType)},
        faults=faults or {},
    )

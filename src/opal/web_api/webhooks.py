"""``/v1/webhooks``: where a tenant wants to be told of items and jobs."""

from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Path, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from opal.database import webhooks
from opal.database.receivers import ReceiverState
from opal.database.webhooks import Webhook
from opal.errors import AddressRefused, InvalidJson, TooManyWebhooks, UnknownWebhook
from opal.faults import in_words
from opal.http.authentication import SettingsRoute, Tenant, require_same_tenant
from opal.http.errors import BodyTooLarge, TenantMismatch, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.messages.webhook_event import EventType
from opal.outgoing.addresses import LONGEST_URL
from opal.outgoing.client import Outgoing
from opal.web_api.parts import WebParts

router = APIRouter(route_class=SettingsRoute, tags=["webhooks"])

WEBHOOK_ID_EXAMPLE = "webhook_5e6f7a8b9c0d1e2f3a4b5c6d"
WebhookId = Annotated[str, Path(description="The webhook's id.", examples=[WEBHOOK_ID_EXAMPLE])]

_SHOWN_ONCE = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oDMlG5PzIEUT4="  # an example, nobody's
_SECRET_FIELD = Field(
    description="Verifies what is sent (docs/webhooks.md). Shown only now: keep it.", examples=[_SHOWN_ONCE]
)


class NewWebhook(BaseModel):
    """An address to call."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"url": "https://shop.example/opal", "events": ["item.exported", "job.finished"]}]
        },
    )

    url: str = Field(
        max_length=LONGEST_URL,
        pattern=in_words(
            r"^https?://[^\x00-\x20\x7f]+$",
            "an address that begins with https:// (or http://, where that is allowed), without spaces",
        ),
        description="HTTPS, on port 443 or 8443, at a public address.",
    )
    events: list[EventType] = Field(
        default=list(EventType), min_length=1, description="What to be told of; left out: everything."
    )
    tenant_id: str | None = Field(default=None, description="May be left out; else it must be the key's own.")


class WebhookView(BaseModel):
    """A webhook; its secret is never shown again."""

    id: str = Field(examples=[WEBHOOK_ID_EXAMPLE])
    url: str
    events: list[EventType]
    state: ReceiverState = Field(
        description="A disabled one gets nothing: it answered 410, or failed for too long."
    )
    disabled_reason: str | None = Field(description="Null while it is active.")
    failures: int = Field(description="Failed tries in a row, of all its deliveries together.")
    failing_since: datetime | None = Field(description="When the first of these failed.")
    created_at: datetime


class CreatedWebhook(WebhookView):
    """A new webhook with its secret."""

    secret: str = _SECRET_FIELD


class WebhookList(BaseModel):
    """All webhooks, oldest first."""

    webhooks: list[WebhookView]


class RotatedSecret(BaseModel):
    """The new secret, and how long the old one still does."""

    secret: str = _SECRET_FIELD
    old_secret_until: datetime = Field(description="Until then every call carries a signature by each.")


_NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
_EXAMPLE = Webhook(
    id=WEBHOOK_ID_EXAMPLE,
    tenant_id="acme",
    url="https://shop.example/opal",
    events=(EventType.ITEM_EXPORTED, EventType.JOB_FINISHED),
    state="active",
    disabled_reason=None,
    failures=0,
    failing_since=None,
    created_at=_NOON,
)


def _view(webhook: Webhook) -> WebhookView:
    return WebhookView(
        id=webhook.id,
        url=webhook.url,
        events=list(webhook.events),
        state=webhook.state,
        disabled_reason=webhook.disabled_reason,
        failures=webhook.failures,
        failing_since=webhook.failing_since,
        created_at=webhook.created_at,
    )


_VIEW = _view(_EXAMPLE)


@router.post(
    "/v1/webhooks",
    status_code=201,
    summary="Create a webhook",
    responses={
        **answer("The new webhook.", CreatedWebhook(**_VIEW.model_dump(), secret=_SHOWN_ONCE), 201),
        **problems(
            InvalidJson,
            *BY_KEY,
            TenantMismatch,
            TooManyWebhooks,
            BodyTooLarge,
            UnsupportedMediaType,
            AddressRefused,
            *ALWAYS,
        ),
    },
)
async def create_webhook(
    request: Request, parts: WebParts, tenant_id: Tenant, body: NewWebhook, response: Response
) -> CreatedWebhook:
    """Answer with the webhook and, this once, its secret. Every later event of the kinds named is sent to it.

    The address is looked up now, and again before every call.
    """
    require_same_tenant(tenant_id, body.tenant_id)
    outgoing: Outgoing = request.app.state.outgoing
    await outgoing.check(body.url)
    events = tuple(dict.fromkeys(body.events))
    most = parts.settings.webhook.max_per_tenant
    async with parts.database.transaction() as connection:
        made, secret = await webhooks.create_webhook(
            connection, request.app.state.sealer, tenant_id, body.url, events, most=most
        )
    response.headers["Location"] = f"/v1/webhooks/{made.id}"
    return CreatedWebhook(**_view(made).model_dump(), secret=secret)


@router.get(
    "/v1/webhooks",
    summary="List webhooks",
    responses={
        **answer("All of the tenant's webhooks.", WebhookList(webhooks=[_VIEW])),
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def list_webhooks(parts: WebParts, tenant_id: Tenant) -> WebhookList:
    """The tenant's webhooks, oldest first, without their secrets; they are few, so there are no pages."""
    async with parts.database.read() as connection:
        found = await webhooks.list_webhooks(connection, tenant_id)
    return WebhookList(webhooks=[_view(each) for each in found])


@router.get(
    "/v1/webhooks/{webhook_id}",
    summary="Read a webhook",
    responses={**answer("The webhook.", _VIEW), **problems(*BY_KEY, UnknownWebhook, *ALWAYS)},
)
async def read_webhook(parts: WebParts, tenant_id: Tenant, webhook_id: WebhookId) -> WebhookView:
    """The webhook, and how its calls have been going."""
    async with parts.database.read() as connection:
        return _view(await webhooks.tenant_webhook(connection, tenant_id, webhook_id))


@router.delete(
    "/v1/webhooks/{webhook_id}",
    status_code=204,
    summary="Delete a webhook",
    responses={
        204: {"description": "The webhook and its deliveries are gone."},
        **problems(*BY_KEY, UnknownWebhook, *ALWAYS),
    },
)
async def delete_webhook(parts: WebParts, tenant_id: Tenant, webhook_id: WebhookId) -> None:
    """Delete the webhook with all its deliveries; a call that is under way ends by itself."""
    async with parts.database.transaction() as connection:
        await webhooks.delete_webhook(connection, tenant_id, webhook_id)


@router.post(
    "/v1/webhooks/{webhook_id}/rotate-secret",
    summary="Give a webhook a new secret",
    responses={
        **answer(
            "The new secret.",
            RotatedSecret(secret=_SHOWN_ONCE, old_secret_until=_NOON + timedelta(days=1)),
        ),
        **problems(*BY_KEY, UnknownWebhook, *ALWAYS),
    },
)
async def rotate_webhook_secret(
    request: Request, parts: WebParts, tenant_id: Tenant, webhook_id: WebhookId
) -> RotatedSecret:
    """Answer with a new secret. The old one signs beside it for a day, so that a receiver may change over."""
    old_for = timedelta(seconds=parts.settings.webhook.old_secret_s)
    async with parts.database.transaction() as connection:
        until, secret = await webhooks.rotate_secret(
            connection, request.app.state.sealer, tenant_id, webhook_id, old_for=old_for
        )
    return RotatedSecret(secret=secret, old_secret_until=until)


@router.post(
    "/v1/webhooks/{webhook_id}/enable",
    summary="Turn a webhook on again",
    responses={
        **answer("The webhook, active.", _VIEW),
        **problems(*BY_KEY, UnknownWebhook, *ALWAYS),
    },
)
async def enable_webhook(parts: WebParts, tenant_id: Tenant, webhook_id: WebhookId) -> WebhookView:
    """Forget its failures and send what waited for it.

    What happened while it was disabled was not kept for it; the jobs themselves tell. An active one stays so.
    """
    async with parts.database.transaction() as connection:
        return _view(await webhooks.enable_webhook(connection, tenant_id, webhook_id))

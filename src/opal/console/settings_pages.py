"""``/settings``: what can be set, public links, and deleting everything."""

from typing import Annotated, Literal

from fastapi import APIRouter, Form, Request, Response

from opal.console.forms import Form as FormRoute
from opal.console.forms import onward
from opal.console.page import Page, pages_of
from opal.errors import ConfirmationNeeded
from opal.web_api import delivery_targets, keys, presets, public_links, tenant_data, webhooks
from opal.web_api.parts import WebParts
from opal.web_api.public_links import PublicLinksChoice

router = APIRouter(route_class=Page, include_in_schema=False)
forms = APIRouter(route_class=FormRoute, include_in_schema=False)

_LINKS = "/settings/public-links"
_DATA = "/settings/data"


@router.get("/settings")
async def show_settings(request: Request, parts: WebParts) -> Response:
    """What there is of each kind, and what of it wants a look."""
    tenant_id: str = request.state.tenant_id
    hooks = (await webhooks.list_webhooks(parts, tenant_id)).webhooks
    targets = (await delivery_targets.list_targets(parts, tenant_id)).targets
    found = (await keys.list_keys(parts, tenant_id, request.state.key)).keys
    return pages_of(request).render(
        request,
        "settings",
        counts={
            "keys": sum(key.revoked_at is None for key in found),
            "webhooks": len(hooks),
            "deliveries": len(targets),
            "presets": len((await presets.list_presets(parts, tenant_id)).own),
        },
        off={
            "webhooks": sum(hook.state != "active" for hook in hooks),
            "deliveries": sum(target.state != "active" for target in targets),
        },
        links=await public_links.read_public_links(parts, tenant_id),
    )


@router.get(_LINKS)
async def show_public_links(request: Request, parts: WebParts) -> Response:
    """Whether they are on, and for which jobs."""
    links = await public_links.read_public_links(parts, request.state.tenant_id)
    return pages_of(request).render(request, "public_links", links=links)


@forms.post(_LINKS)
async def set_public_links(
    request: Request, parts: WebParts, jobs: Annotated[Literal["all", "chosen", "off"], Form()]
) -> Response:
    """Turn them on, for other jobs, or off."""
    tenant_id: str = request.state.tenant_id
    if jobs == "off":
        await public_links.turn_public_links_off(parts, tenant_id)
        return onward(_LINKS, "links_off")
    await public_links.turn_public_links_on(parts, tenant_id, PublicLinksChoice(jobs=jobs))
    return onward(_LINKS, "links_on")


@router.get(_DATA)
async def show_data(request: Request, parts: WebParts) -> Response:
    """What deleting everything would do, and the receipts of when it was done."""
    return await _data(request, parts)


@forms.post(_DATA)
async def delete_data(
    request: Request, parts: WebParts, confirmed: Annotated[str, Form(max_length=200)] = ""
) -> Response:
    """Delete everything, where the tenant's own name was typed."""
    tenant_id: str = request.state.tenant_id
    try:
        await tenant_data.delete_data(Response(), parts, tenant_id, confirmed.strip())
    except ConfirmationNeeded:
        return await _data(request, parts, refused=True)
    return onward(_DATA, "erasing")


async def _data(request: Request, parts: WebParts, *, refused: bool = False) -> Response:
    found = await tenant_data.list_receipts(parts, request.state.tenant_id)
    return pages_of(request).render(
        request, "data", status=422 if refused else 200, receipts=found.receipts, refused=refused
    )

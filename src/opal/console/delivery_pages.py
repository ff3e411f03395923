"""``/settings/deliveries``: where finished pictures are put; each place with its log."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import ValidationError

from opal.console.delivery_form import FieldFault, SentTarget, kinds_of, target_faults
from opal.console.forms import Form as FormRoute
from opal.console.forms import onward
from opal.console.page import Page, pages_of
from opal.database.picture_deliveries import PictureDeliveryState
from opal.errors import OpalError
from opal.web_api import delivery_targets, picture_deliveries
from opal.web_api.delivery_targets import TargetChange
from opal.web_api.page_cursor import PageCursor
from opal.web_api.parts import WebParts
from opal.web_api.picture_deliveries import Part

router = APIRouter(route_class=Page, include_in_schema=False)
forms = APIRouter(route_class=FormRoute, include_in_schema=False)

_PATH = "/settings/deliveries"
_ONE = f"{_PATH}/{{target_id}}"
_A_PAGE = 30


@router.get(_PATH)
async def show_targets(request: Request, parts: WebParts) -> Response:
    """All targets, and the form of a new one."""
    return await _shown(request, parts, SentTarget(reports=True), {})


@forms.post(_PATH)
async def create_target(request: Request, parts: WebParts, sent: Annotated[SentTarget, Form()]) -> Response:
    """Make it; its secrets are never shown again, not even where something else is wrong."""
    tenant_id: str = request.state.tenant_id
    try:
        made = await delivery_targets.create_target(request, parts, tenant_id, sent.target(), Response())
    except (ValidationError, FieldFault, OpalError) as error:
        faults = target_faults(sent, error, kinds_of(parts.settings.delivery))
        return await _shown(request, parts, sent, faults)
    return onward(_ONE.format(target_id=made.id), "target_made")


@router.get(_ONE)
async def show_target(
    request: Request,
    parts: WebParts,
    target_id: str,
    state: Annotated[PictureDeliveryState | None, Query()] = None,
    cursor: PageCursor = None,
) -> Response:
    """One target, and what was delivered there."""
    tenant_id: str = request.state.tenant_id
    page = await picture_deliveries.list_target_deliveries(
        parts, tenant_id, target_id, Part(state, _A_PAGE, cursor)
    )
    return pages_of(request).render(
        request,
        "delivery_target",
        target=await delivery_targets.read_target(parts, tenant_id, target_id),
        log=page.deliveries,
        older=page.next_cursor,
        first=cursor is None,
        state=state,
    )


@forms.post(f"{_ONE}/test")
async def try_target(request: Request, parts: WebParts, target_id: str) -> Response:
    """Put a small file there; what went wrong is told in the target's own words."""
    tenant_id: str = request.state.tenant_id
    tried = await delivery_targets.test_target(request, parts, tenant_id, target_id)
    if tried.ok:
        return onward(_ONE.format(target_id=target_id), "target_works")
    target = await delivery_targets.read_target(parts, tenant_id, target_id)
    return pages_of(request).render(request, "delivery_tested", target=target, reason=tried.reason)


@forms.post(f"{_ONE}/enabled")
async def turn(
    request: Request, parts: WebParts, target_id: str, enabled: Annotated[bool, Form()]
) -> Response:
    """Turn it on or off."""
    change = TargetChange(enabled=enabled)
    await delivery_targets.change_target(request, parts, request.state.tenant_id, target_id, change)
    return onward(_ONE.format(target_id=target_id), "enabled" if enabled else "disabled")


@forms.post(f"{_ONE}/delete")
async def delete(request: Request, parts: WebParts, target_id: str) -> Response:
    """Forget it and its log; the files stay where they are."""
    await delivery_targets.delete_target(parts, request.state.tenant_id, target_id)
    return onward(_PATH, "target_deleted")


@forms.post(f"{_ONE}/deliveries/{{delivery_id}}/retry")
async def retry(request: Request, parts: WebParts, target_id: str, delivery_id: str) -> Response:
    """Deliver the file again."""
    await picture_deliveries.retry_delivery(parts, request.state.tenant_id, target_id, delivery_id)
    return onward(_ONE.format(target_id=target_id), "delivered_again")


async def _shown(request: Request, parts: WebParts, sent: SentTarget, faults: dict[str, str]) -> Response:
    found = await delivery_targets.list_targets(parts, request.state.tenant_id)
    return pages_of(request).render(
        request,
        "delivery_targets",
        status=422 if faults else 200,
        targets=found.targets,
        kinds=kinds_of(parts.settings.delivery),
        entered=sent.shown(),
        faults=faults,
    )

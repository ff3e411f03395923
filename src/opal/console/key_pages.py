"""``/settings/keys``: the tenant's API keys; a new one is shown once, on the answer to its form."""

import secrets
from typing import Annotated

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import ValidationError

from opal.console.forms import Form as FormRoute
from opal.console.forms import faults_of, onward
from opal.console.page import Page, pages_of, to_sign_in
from opal.database.keys import Scope
from opal.database.tenant_keys import LastSettingsKey
from opal.errors import OpalError
from opal.web_api import keys
from opal.web_api.keys import NewKey
from opal.web_api.parts import WebParts

router = APIRouter(route_class=Page, include_in_schema=False)
forms = APIRouter(route_class=FormRoute, include_in_schema=False)

_PATH = "/settings/keys"
_Text = Annotated[str, Form(max_length=2000)]


@router.get(_PATH)
async def show_keys(request: Request, parts: WebParts) -> Response:
    """All keys, and the form of a new one."""
    return await _shown(request, parts)


@forms.post(_PATH)
async def create_key(
    request: Request,
    parts: WebParts,
    name: _Text = "",
    once: _Text = "",
    scopes: Annotated[list[str] | None, Form()] = None,
) -> Response:
    """Make the key and show it; sent again, as by a reload, the same form makes no second one."""
    try:
        wanted = NewKey.model_validate({"name": name.strip(), "scopes": scopes or []})
        made = await keys.create_key(parts, request.state.key, wanted, Response(), once or None)
    except (ValidationError, OpalError) as error:
        return await _shown(request, parts, {"name": name, "scopes": scopes or []}, faults_of(error))
    return pages_of(request).render(request, "key_made", made=made)


@router.get(f"{_PATH}/{{key_id}}/revoke")
async def ask_to_revoke(
    request: Request, parts: WebParts, key_id: str, last: Annotated[bool, Query()] = False
) -> Response:
    """The question by itself, for the last key, and where dialogs do not open."""
    key = await keys.read_key(parts, request.state.tenant_id, request.state.key, key_id)
    return pages_of(request).render(request, "key_revoke", key=key, last=last)


@forms.post(f"{_PATH}/{{key_id}}/revoke")
async def revoke_key(request: Request, parts: WebParts, key_id: str, confirmed: _Text = "") -> Response:
    """End it. The last one that can change settings is asked about once more."""
    own = key_id == request.state.key.id
    try:
        await keys.revoke_key(parts, request.state.tenant_id, key_id, confirmed or None)
    except LastSettingsKey:
        key = await keys.read_key(parts, request.state.tenant_id, request.state.key, key_id)
        return pages_of(request).render(request, "key_revoke", key=key, last=True, status=409)
    return to_sign_in(request, "/") if own else onward(_PATH, "key_revoked")


async def _shown(
    request: Request,
    parts: WebParts,
    entered: dict[str, object] | None = None,
    faults: dict[str, str] | None = None,
) -> Response:
    found = await keys.list_keys(parts, request.state.tenant_id, request.state.key)
    return pages_of(request).render(
        request,
        "keys",
        status=422 if faults else 200,
        keys=[key for key in found.keys if key.revoked_at is None],
        revoked=[key for key in found.keys if key.revoked_at is not None],
        may_give=[scope for scope in Scope if scope in request.state.scopes],
        entered=entered or {"name": "", "scopes": [Scope.READ, Scope.JOBS]},
        faults=faults or {},
        once=secrets.token_urlsafe(18),
    )

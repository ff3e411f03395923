"""``/v1/keys``: a tenant's own API keys, each shown once."""

import hashlib
import json
from datetime import UTC, datetime
from typing import Annotated, Final

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, ConfigDict, Field

from opal.database import idempotency, tenant_keys
from opal.database.keys import ApiKey, Scope
from opal.database.tenant_keys import LastSettingsKey, TooManyKeys, UnknownKey
from opal.errors import IdempotencyKeyInFlight, IdempotencyKeyReused, InvalidJson
from opal.faults import PRINTABLE
from opal.http.authentication import CallersKey, SettingsRoute, Tenant
from opal.http.errors import BodyTooLarge, ScopeMissing, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.web_api.idempotency_key import IdempotencyKey
from opal.web_api.parts import WebParts

router = APIRouter(route_class=SettingsRoute, tags=["keys"])

_ID: Final = "3f9c0a1b2d4e"
# An example, nobody's; its checksum is wrong.
_SHOWN_ONCE: Final = f"opal_{_ID}_{'0' * 56}"
KeyId = Annotated[str, Path(description="The key's id: the digits after `opal_`.", examples=[_ID])]


class NewKey(BaseModel):
    """What a key is for, and what it may do."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"name": "shop sync", "scopes": ["read", "jobs"]}]}
    )

    name: str = Field(min_length=1, max_length=200, pattern=PRINTABLE, description="For people.")
    scopes: list[Scope] = Field(
        min_length=1, description="What it may do; nothing that the key of this request may not."
    )


class KeyView(BaseModel):
    """A key without its secret."""

    id: str = Field(examples=[_ID])
    name: str
    scopes: list[Scope]
    sandbox: bool = Field(description="Makes watermarked pictures for nothing, and does nothing else.")
    current: bool = Field(description="Whether this request came with it.")
    created_at: datetime
    last_used_at: datetime | None = Field(description="To about a minute; null: never.")
    revoked_at: datetime | None = Field(description="Null while it works.")


class CreatedKey(KeyView):
    """A new key."""

    key: str | None = Field(
        description="All of it, to be sent in `X-API-Key`. Shown only now: keep it. Null in the answer to a "
        "repeated `Idempotency-Key`, as only its hash is stored."
    )


class KeyList(BaseModel):
    """Keys that work, newest first, then those revoked last."""

    keys: list[KeyView]


def _view(key: ApiKey, caller: ApiKey) -> KeyView:
    return KeyView(
        id=key.id,
        name=key.name,
        scopes=[Scope(scope) for scope in key.scopes],
        sandbox=key.sandbox,
        current=key.id == caller.id,
        created_at=key.created_at,
        last_used_at=key.last_used_at,
        revoked_at=key.revoked_at,
    )


_EXAMPLE: Final = ApiKey(
    _ID, "acme", "shop sync", datetime(2026, 3, 2, 12, 0, tzinfo=UTC), None, scopes=(Scope.READ, Scope.JOBS)
)
_VIEW: Final = _view(_EXAMPLE, _EXAMPLE).model_copy(update={"current": False})


@router.get(
    "/v1/keys",
    summary="List API keys",
    responses={**answer("The tenant's keys.", KeyList(keys=[_VIEW])), **problems(*BY_KEY, *ALWAYS)},
)
async def list_keys(parts: WebParts, tenant_id: Tenant, caller: CallersKey) -> KeyList:
    """What each may do and when it was last used; of the revoked ones the last hundred."""
    async with parts.database.read() as connection:
        found = await tenant_keys.shown_keys(connection, tenant_id)
    return KeyList(keys=[_view(key, caller) for key in found])


@router.get(
    "/v1/keys/{key_id}",
    summary="Read an API key",
    responses={**answer("The key.", _VIEW), **problems(*BY_KEY, UnknownKey, *ALWAYS)},
)
async def read_key(parts: WebParts, tenant_id: Tenant, caller: CallersKey, key_id: KeyId) -> KeyView:
    """What it may do, and whether it works."""
    async with parts.database.read() as connection:
        return _view(await tenant_keys.tenant_key(connection, tenant_id, key_id), caller)


@router.post(
    "/v1/keys",
    status_code=201,
    summary="Create an API key",
    responses={
        **answer("The new key.", CreatedKey(**_VIEW.model_dump(), key=_SHOWN_ONCE), 201),
        **problems(
            InvalidJson,
            *BY_KEY,
            IdempotencyKeyInFlight,
            TooManyKeys,
            BodyTooLarge,
            UnsupportedMediaType,
            IdempotencyKeyReused,
            *ALWAYS,
        ),
    },
)
async def create_key(
    parts: WebParts,
    caller: CallersKey,
    body: NewKey,
    response: Response,
    idempotency_key: IdempotencyKey = None,
) -> CreatedKey:
    """Answer with the key, this once. It may do at most what the key of this request may (`scope_missing`).

    A repeat of an `Idempotency-Key` makes no second one, and cannot show the first one again: should its
    answer have got lost, revoke it and make another.
    """
    tenant_id = caller.tenant_id
    for scope in body.scopes:
        if scope not in caller.scopes:
            raise ScopeMissing(f"Your own key lacks the scope `{scope}`, so it cannot give it.")
    async with parts.database.transaction() as connection:
        if idempotency_key is not None:
            stored = await idempotency.begin(connection, tenant_id, idempotency_key, _hash(body))
            if stored is not None:
                known = await tenant_keys.tenant_key(connection, tenant_id, json.loads(stored.body)["id"])
                response.headers.update(_headers(known.id) | {"Idempotent-Replayed": "true"})
                return CreatedKey(**_view(known, caller).model_dump(), key=None)
        made, whole = await tenant_keys.create_own_key(connection, tenant_id, body.name, body.scopes)
        if idempotency_key is not None:
            # Without the key itself, of which nothing but a hash may stay.
            await idempotency.finish(connection, tenant_id, idempotency_key, 201, json.dumps({"id": made.id}))
    response.headers.update(_headers(made.id))
    return CreatedKey(**_view(made, caller).model_dump(), key=whole)


@router.delete(
    "/v1/keys/{key_id}",
    status_code=204,
    summary="Revoke an API key",
    responses={
        204: {"description": "It works no more."},
        **problems(*BY_KEY, UnknownKey, LastSettingsKey, *ALWAYS),
    },
)
async def revoke_key(
    parts: WebParts,
    tenant_id: Tenant,
    key_id: KeyId,
    confirmation: Annotated[
        str | None,
        Header(
            alias="X-Confirm-Revoke",
            description="The key's id: yes, though it is the last one with the scope `settings`.",
        ),
    ] = None,
) -> None:
    """End the key with the next request, and the console's sessions with it. Saying it again changes nothing.

    The last key with the scope `settings` is refused (`last_settings_key`) unless it is confirmed.
    """
    async with parts.database.transaction() as connection:
        await tenant_keys.revoke_own_key(connection, tenant_id, key_id, even_the_last=confirmation == key_id)


def _headers(key_id: str) -> dict[str, str]:
    return {"Location": f"/v1/keys/{key_id}"}


def _hash(body: NewKey) -> str:
    told = json.dumps(body.model_dump(mode="json"), sort_keys=True)
    return hashlib.sha256(b"POST /v1/keys\n" + told.encode()).hexdigest()

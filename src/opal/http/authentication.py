"""Who is asking, and whether they may: a request's API key becomes its tenant before its body is read."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader

from opal.database import ended_sessions, keys
from opal.database.engine import Database
from opal.database.keys import ApiKey, Scope
from opal.errors import Unauthorized
from opal.http.errors import ScopeMissing, TenantMismatch, UnsupportedMediaType
from opal.http.key_use import KeyUse
from opal.http.sessions import CSRF_HEADER, Session, Sessions, require_own_page

_scheme = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="A key made by `opal keys create`: `opal_<id>_<secret>`."
)


_LOOKING = frozenset({"GET", "HEAD"})


class TenantRoute(APIRoute):
    """A route for tenants: 401 without a valid key, 403 without the scope, then 415 to what is not JSON.

    Looking needs the scope `read`, anything else `jobs`.
    """

    looking: Scope = Scope.READ
    changing: Scope = Scope.JOBS

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        looks = set(options.get("methods") or {"GET"}) <= _LOOKING
        self.needed = self.looking if looks else self.changing
        # Only to be named in OpenAPI, as the role that the operation needs.
        named = Security(_scheme, scopes=[self.needed.value])
        options["dependencies"] = [*(options.get("dependencies") or ()), named]
        super().__init__(path, endpoint, **options)

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler behind the checks; it alone would parse the body first."""
        handler = super().get_route_handler()
        takes_json = self.body_field is not None
        needed = self.needed

        async def checked(request: Request) -> Response:
            key = await authenticate(request)
            if needed not in key.scopes:
                raise ScopeMissing(f"This needs a key with the scope `{needed}`.")
            request.state.tenant_id = key.tenant_id
            request.state.key = key
            if takes_json and not _is_json(request):
                raise UnsupportedMediaType
            with structlog.contextvars.bound_contextvars(tenant_id=key.tenant_id):
                return await handler(request)

        return checked


class SettingsRoute(TenantRoute):
    """A tenant's route of which anything but looking needs the scope `settings`."""

    changing = Scope.SETTINGS


class OperatorRoute(TenantRoute):
    """A route for who runs Opal: looking too needs the scope `operate`."""

    looking = Scope.OPERATE
    changing = Scope.OPERATE


async def authenticate(request: Request) -> ApiKey:
    """The request's key, or that of its browser's session; its request counted.

    Raises ``Unauthorized``, ``TooManyRequests`` and, for a session, ``CrossSiteRequest``.
    """
    presented = request.headers.get("X-API-Key")
    if not presented:
        session, key = await session_key(request)
        if request.method not in _LOOKING:
            require_own_page(request, session, request.headers.get(CSRF_HEADER))
        return key
    return _usable(await known_key(request, presented))


async def session_key(request: Request) -> tuple[Session, ApiKey]:
    """The session that the request's cookie tells of, and its key, the request counted.

    Both are looked up each time: a key that is revoked ends its sessions. Raises ``Unauthorized`` and
    ``TooManyRequests``.
    """
    sessions: Sessions | None = getattr(request.app.state, "sessions", None)
    session = None if sessions is None else sessions.read(request)
    if session is None:
        raise Unauthorized
    database: Database = request.app.state.database
    async with database.read() as connection:
        if await ended_sessions.has_ended(connection, session.id):
            raise Unauthorized
        key = await keys.live_key(connection, session.key_id)
    return session, _usable(await _counted(request, key))


def _usable(key: ApiKey | None) -> ApiKey:
    if key is None:
        raise Unauthorized
    if key.sandbox:
        raise Unauthorized("This is a sandbox key: it works at /v1.0 only (docs/removebg.md).")
    return key


async def known_key(request: Request, presented: str) -> ApiKey | None:
    """The key that ``presented`` is, with its request counted, or None. Raises ``TooManyRequests``.

    Whose key it is, is not known before: the one question that is asked for the platform.
    """
    database: Database = request.app.state.database
    async with database.read() as connection:
        key = await keys.authenticate(connection, presented)
    return await _counted(request, key)


async def _counted(request: Request, key: ApiKey | None) -> ApiKey | None:
    if key is not None:
        use: KeyUse = request.app.state.key_use
        request.state.answer_headers = await use.count(key)
    return key


def _tenant(request: Request, _key: Annotated[str | None, Security(_scheme)]) -> str:
    return str(request.state.tenant_id)


Tenant = Annotated[str, Depends(_tenant)]
"""The tenant that the request acts for; only on a ``TenantRoute``."""


def _key(request: Request) -> ApiKey:
    key = request.state.key
    assert isinstance(key, ApiKey)
    return key


CallersKey = Annotated[ApiKey, Depends(_key)]
"""The key that the request came with, or its session's; only on a ``TenantRoute``."""


def require_same_tenant(tenant_id: str, named_in_body: str | None) -> None:
    """A body may repeat its tenant, and is refused when it names another. Raises ``TenantMismatch``."""
    if named_in_body is not None and named_in_body != tenant_id:
        raise TenantMismatch


def _is_json(request: Request) -> bool:
    declared = request.headers.get("content-type")
    if declared is None:
        # No body at all is told apart later, as a missing body.
        return (
            request.headers.get("content-length", "0") == "0" and "transfer-encoding" not in request.headers
        )
    media_type = declared.partition(";")[0].strip().lower()
    return media_type == "application/json"

"""Who is asking: the API key of a request becomes its tenant, before anything of the body is read."""

from collections.abc import Callable, Coroutine
from typing import Annotated, Any

import structlog
from fastapi import Depends, Request, Response, Security
from fastapi.routing import APIRoute
from fastapi.security import APIKeyHeader

from opal.database import keys
from opal.database.engine import Database
from opal.errors import Unauthorized
from opal.http.errors import TenantMismatch, UnsupportedMediaType

_scheme = APIKeyHeader(
    name="X-API-Key", auto_error=False, description="A key made by `opal keys create`: `opal_<id>_<secret>`."
)


class TenantRoute(APIRoute):
    """A route for tenants: answers 401 without a valid key, then 415 to a body that is not JSON."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler behind the two checks; it alone would parse the body first."""
        handler = super().get_route_handler()
        takes_json = self.body_field is not None

        async def checked(request: Request) -> Response:
            request.state.tenant_id = await authenticate(request)
            if takes_json and not _is_json(request):
                raise UnsupportedMediaType
            with structlog.contextvars.bound_contextvars(tenant_id=request.state.tenant_id):
                return await handler(request)

        return checked


async def authenticate(request: Request) -> str:
    """The tenant of the request's key. Raises ``Unauthorized``."""
    presented = request.headers.get("X-API-Key")
    if not presented:
        raise Unauthorized
    database: Database = request.app.state.database
    async with database.read() as connection:
        key = await keys.authenticate(connection, presented)
    if key is None:
        raise Unauthorized
    if key.sandbox:
        raise Unauthorized("This is a sandbox key: it works at /v1.0 only (docs/removebg.md).")
    return key.tenant_id


def _tenant(request: Request, _key: Annotated[str | None, Security(_scheme)]) -> str:
    return str(request.state.tenant_id)


Tenant = Annotated[str, Depends(_tenant)]
"""The tenant that the request acts for; only on a ``TenantRoute``."""


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

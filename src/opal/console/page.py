"""A page: its route, for who is signed in; its template; its answer when something is wrong."""

from collections.abc import Callable, Coroutine
from typing import Any, Final
from urllib.parse import quote

import structlog
from fastapi import Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.responses import HTMLResponse, RedirectResponse
from fastapi.routing import APIRoute
from jinja2 import Environment, PackageLoader, StrictUndefined

from opal.console.assets import Assets
from opal.console.security import HEADERS
from opal.console.words import Words, words
from opal.database.engine import Database
from opal.database.keys import Scope
from opal.database.review_queue import count_waiting
from opal.errors import InvalidInput, NotFound, OpalError, Unauthorized
from opal.http.authentication import session_key
from opal.http.errors import ScopeMissing, status_of
from opal.http.problem import correlation_id_of

SIGN_IN: Final = "/sign-in"
_MOST_TOLD: Final = 99


class Pages:
    """Renders templates with what all of them need."""

    def __init__(self, assets: Assets, policy: str) -> None:
        self._headers = {**HEADERS, "Content-Security-Policy": policy}
        self._environment = Environment(
            loader=PackageLoader("opal.console", "templates"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        told: Words = words()
        self._environment.globals.update(
            asset=assets.address, t=told.say, count=told.count, has=told.has, script_words=told.script
        )

    def render(self, request: Request, name: str, /, *, status: int = 200, **values: Any) -> HTMLResponse:
        """The page of template ``name``, for the session that the route found."""
        session = getattr(request.state, "session", None)
        done = f"done.{request.query_params.get('done', '')}"
        told = words()
        text = self._environment.get_template(f"{name}.html.jinja").render(
            csrf="" if session is None else session.csrf,
            tenant=getattr(request.state, "tenant_id", None),
            scopes=getattr(request.state, "scopes", ()),
            path=request.scope["path"],
            notice=told.say(done) if told.has(done) and status < 300 else None,
            to_review=_told(getattr(request.state, "waiting", 0)),
            **values,
        )
        return HTMLResponse(text, status_code=status, headers=self._headers)


class PublicPage(APIRoute):
    """A page for anybody; an error is told as a page as well."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """FastAPI's own handler, its errors as pages."""
        handler = super().get_route_handler()

        async def told(request: Request) -> Response:
            try:
                await self.admit(request)
                with structlog.contextvars.bound_contextvars(
                    tenant_id=getattr(request.state, "tenant_id", None)
                ):
                    return await handler(request)
            except Unauthorized:
                return to_sign_in(request)
            except RequestValidationError:
                return error_page(request, InvalidInput(words().say("error.invalid")))
            except OpalError as error:
                if not error.expected:
                    raise
                return error_page(request, error)

        return told

    async def admit(self, request: Request) -> None:
        """Let everybody in."""


class Page(PublicPage):
    """A page for who is signed in, with the scope `read`; its rows are those of the key's tenant alone."""

    async def admit(self, request: Request) -> None:
        """Raises ``Unauthorized``, ``ScopeMissing`` and ``TooManyRequests``."""
        session, key = await session_key(request)
        request.state.session = session
        request.state.tenant_id = key.tenant_id
        request.state.key = key
        request.state.scopes = key.scopes
        if Scope.READ not in key.scopes:
            raise ScopeMissing(f"The pages need a key with the scope `{Scope.READ}`.")
        database: Database = request.app.state.database
        async with database.for_tenant(key.tenant_id).read() as connection:
            request.state.waiting = await count_waiting(connection, key.tenant_id, most=_MOST_TOLD + 1)


def _told(waiting: int) -> str:
    """How many photos wait for a look, as every page's navigation has it; empty for none."""
    return "" if not waiting else f"{_MOST_TOLD}+" if waiting > _MOST_TOLD else str(waiting)


def pages_of(request: Request) -> Pages:
    """What renders pages."""
    pages = request.app.state.pages
    assert isinstance(pages, Pages)
    return pages


def to_sign_in(request: Request, after: str | None = None) -> Response:
    """To the sign-in page, and back again afterwards, or to ``after``."""
    asked = request.scope["path"] + (f"?{request.url.query}" if request.url.query else "")
    path = asked if after is None else after
    query = "" if path == "/" else f"?next={quote(path)}"
    return RedirectResponse(f"{SIGN_IN}{query}", status_code=303, headers=HEADERS)


def error_page(request: Request, error: OpalError) -> Response:
    """``error`` in words, with the number under which it can be found in the logs."""
    return pages_of(request).render(
        request,
        "error",
        status=status_of(type(error)),
        title=error.title,
        message=error.message,
        correlation_id=correlation_id_of(request),
    )


def wants_page(request: Request) -> bool:
    """Whether a person looks for a page, and no program for something of the API."""
    of_api = request.scope["path"].startswith(("/v1/", "/v1.0/", "/api/", "/blobs/", "/p/"))
    return request.method == "GET" and "text/html" in request.headers.get("Accept", "") and not of_api


def no_page(request: Request) -> Response:
    """There is none at this address."""
    return error_page(request, NotFound(words().say("error.no_page")))

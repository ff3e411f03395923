"""Signing in with a key, by the link that `opal up` prints, and signing out."""

import re
from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response
from fastapi.responses import RedirectResponse

from opal.console.page import SIGN_IN, PublicPage, pages_of
from opal.console.security import HEADERS
from opal.console.sign_in_link import take_link
from opal.database import ended_sessions
from opal.database.engine import Database
from opal.errors import Unauthorized
from opal.http.authentication import known_key, session_key
from opal.http.sessions import Sessions, require_own_page
from opal.settings import Settings

router = APIRouter(route_class=PublicPage, include_in_schema=False)

# A path of this server, with its query, and nothing that a browser reads as another host.
_OWN_PATH: Final = re.compile(r"/(?![/\\])[A-Za-z0-9/_-]*(\?[A-Za-z0-9_.~%+&=-]*)?")

_Field = Annotated[str, Form(max_length=1000)]


@router.get(SIGN_IN)
async def read_sign_in(request: Request, next: str = "/") -> Response:  # noqa: A002 - the word in the address
    """The form; who is signed in already goes on."""
    try:
        await session_key(request)
    except Unauthorized:
        return pages_of(request).render(request, "sign_in", after=_own(next), refused="")
    return _onward(_own(next))


@router.post(SIGN_IN)
async def sign_in(request: Request, key: _Field = "", after: _Field = "/") -> Response:
    """Begin a session with an API key."""
    require_own_page(request, None, None)
    found = await known_key(request, key.strip())
    if found is None or found.sandbox:
        refused = "sandbox" if found is not None else "wrong" if key.strip() else "missing"
        return pages_of(request).render(request, "sign_in", status=401, after=_own(after), refused=refused)
    response = _onward(_own(after))
    _sessions(request).begin(response, found.id)
    return response


@router.get(f"{SIGN_IN}/link")
async def follow_link(request: Request, token: str = "") -> Response:
    """Begin a session with the link that `opal up` printed; it works once.

    Answered with a page that goes on by itself: after a redirect from elsewhere, from a terminal in a browser
    for one, a strict cookie would not be sent.
    """
    settings: Settings = request.app.state.parts.settings
    key_id = take_link(settings.data_dir, token)
    if key_id is None:
        return pages_of(request).render(request, "sign_in", status=401, after="/", refused="link")
    response = pages_of(request).render(request, "signed_in")
    _sessions(request).begin(response, key_id)
    return response


@router.post("/sign-out")
async def sign_out(request: Request, csrf: _Field = "") -> Response:
    """End the session of this browser, wherever else its cookie may be; the key goes on working."""
    session, key = await session_key(request)
    require_own_page(request, session, csrf)
    database: Database = request.app.state.database
    async with database.for_tenant(key.tenant_id).transaction() as connection:
        await ended_sessions.end(connection, key.tenant_id, session.id, session.ends_at)
    response = _onward(SIGN_IN)
    _sessions(request).forget(response)
    return response


def _own(path: str) -> str:
    return path if _OWN_PATH.fullmatch(path) else "/"


def _onward(path: str) -> Response:
    return RedirectResponse(path, status_code=303, headers=HEADERS)


def _sessions(request: Request) -> Sessions:
    sessions = request.app.state.sessions
    assert isinstance(sessions, Sessions)
    return sessions

"""A browser's session: who signed in with a key goes on as that key, by a sealed cookie.

The cookie names the key and ends by itself. With every request the key is looked up, so that one that is
revoked ends its sessions too, and whether the session was signed out (``database/ended_sessions.py``). What
changes something must come from our own page: the browser says where a request is from, and the page knows a
token that no other site can read. Called by ``authentication.py`` and the console.
"""

import hmac
import json
import secrets
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final
from urllib.parse import urlsplit

from fastapi import Request, Response

from opal.database.engine import utc_now
from opal.errors import SecretUnreadable
from opal.http.errors import CrossSiteRequest
from opal.sealing import Sealer

LASTS: Final = timedelta(hours=12)
"""A working day; then the key is asked for again."""
CSRF_HEADER: Final = "X-CSRF-Token"
_OWNER: Final = "console-session"


@dataclass(frozen=True, slots=True)
class Session:
    """Which key a browser acts for, until when, and what proves that a request is from our page."""

    id: str
    key_id: str
    csrf: str
    ends_at: datetime


class Sessions:
    """Writes and reads the cookie. ``secure``: only over HTTPS, for a service that others reach."""

    def __init__(self, sealer: Sealer, port: int, *, secure: bool) -> None:
        self._sealer = sealer
        self._secure = secure
        # With the prefix a browser takes it over HTTPS, from this host and for all of it, or not at all.
        # Without, several Opals of one machine keep apart: cookies know no ports.
        self.cookie: Final = "__Host-opal" if secure else f"opal-{port}"

    def begin(self, response: Response, key_id: str) -> Session:
        """A new session of ``key_id``, its cookie set on ``response``."""
        session = Session(secrets.token_hex(16), key_id, secrets.token_urlsafe(24), utc_now() + LASTS)
        told = {"id": session.id, "key": key_id, "csrf": session.csrf, "ends": session.ends_at.isoformat()}
        sealed = self._sealer.seal(_OWNER, told)
        response.set_cookie(
            self.cookie,
            sealed,
            max_age=int(LASTS.total_seconds()),
            secure=self._secure,
            httponly=True,
            samesite="strict",
        )
        return session

    def forget(self, response: Response) -> None:
        """Have the browser forget the cookie; that the session is over is the database's to know."""
        response.delete_cookie(self.cookie, secure=self._secure, httponly=True, samesite="strict")

    def read(self, request: Request) -> Session | None:
        """The request's session; None for none, one that has ended, or a cookie that is not of ours."""
        sealed = request.cookies.get(self.cookie)
        if not sealed or not sealed.isascii():
            return None
        try:
            told = self._sealer.open(_OWNER, sealed)
        except (SecretUnreadable, json.JSONDecodeError):
            return None
        if "id" not in told:
            # Of before sessions could be signed out.
            return None
        session = Session(told["id"], told["key"], told["csrf"], datetime.fromisoformat(told["ends"]))
        return session if utc_now() < session.ends_at else None


def require_own_page(request: Request, session: Session | None, token: str | None) -> None:
    """What changes something is asked for by a page of ours. Raises ``CrossSiteRequest``.

    ``token`` is what the request brought of its session; without a session, at sign-in, there is none.
    """
    site = request.headers.get("Sec-Fetch-Site")
    origin = request.headers.get("Origin")
    if site is not None:
        ours = site == "same-origin"
    else:
        # Browsers of before 2023 send the origin alone.
        ours = origin is not None and urlsplit(origin).netloc == request.headers.get("Host")
    if not ours:
        raise CrossSiteRequest
    if session is not None and not hmac.compare_digest((token or "").encode(), session.csrf.encode()):
        raise CrossSiteRequest

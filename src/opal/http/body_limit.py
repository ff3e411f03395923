"""Keeps request bodies small, declared or streamed; uploads have a limit of their own."""

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opal.http.errors import BodyTooLarge, status_of
from opal.http.problem import problem_of


class BodyLimit:
    """Answers 413 to a body above ``max_bytes``, except under ``exempt_prefix``."""

    def __init__(self, app: ASGIApp, max_bytes: int, exempt_prefix: str | None = None) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._exempt_prefix = exempt_prefix

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a declared size at once, count an undeclared one."""
        if scope["type"] != "http" or self._is_exempt(scope["path"]):
            await self._app(scope, receive, send)
            return
        declared = Headers(scope=scope).get("content-length", "")
        if declared.isdecimal() and int(declared) > self._max_bytes:
            response = problem_of(Request(scope), BodyTooLarge(self._sentence()))
            await response(scope, receive, send)
            return
        received = 0

        async def counted() -> Message:
            nonlocal received
            message = await receive()
            received += len(message.get("body", b""))
            if received > self._max_bytes:
                # The one exception that FastAPI lets out of its body parsing.
                raise HTTPException(status_of(BodyTooLarge))
            return message

        await self._app(scope, counted, send)

    def _is_exempt(self, path: str) -> bool:
        return self._exempt_prefix is not None and path.startswith(self._exempt_prefix)

    def _sentence(self) -> str:
        return f"The request body may have at most {self._max_bytes:,} bytes."

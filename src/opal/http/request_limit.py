"""Keeps addresses and request bodies small, declared or streamed; uploads have a limit of their own."""

from typing import Final

from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opal.errors import OpalError
from opal.http.errors import AddressTooLong, BodyTooLarge, status_of
from opal.http.problem import problem_of

# The longest of our own, a signed URL with a file name in another script, has less than 5,000.
LONGEST_ADDRESS: Final = 8192


class RequestLimit:
    """Answers 414 to a long address, and 413 to a body above ``max_bytes``, but under ``exempt_prefixes``."""

    def __init__(self, app: ASGIApp, max_bytes: int, exempt_prefixes: tuple[str, ...] = ()) -> None:
        self._app = app
        self._max_bytes = max_bytes
        self._exempt_prefixes = exempt_prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Refuse a declared size at once, count an undeclared one."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        refusal = self._refusal(scope)
        if refusal is not None:
            await problem_of(Request(scope), refusal)(scope, receive, send)
            return
        if self._is_exempt(scope["path"]):
            await self._app(scope, receive, send)
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

    def _refusal(self, scope: Scope) -> OpalError | None:
        if len(scope.get("raw_path", b"")) + len(scope["query_string"]) > LONGEST_ADDRESS:
            return AddressTooLong(f"The address may have at most {LONGEST_ADDRESS:,} bytes.")
        declared = Headers(scope=scope).get("content-length", "")
        too_large = declared.isdecimal() and int(declared) > self._max_bytes
        if too_large and not self._is_exempt(scope["path"]):
            return BodyTooLarge(f"The request body may have at most {self._max_bytes:,} bytes.")
        return None

    def _is_exempt(self, path: str) -> bool:
        return path.startswith(self._exempt_prefixes)

"""The outermost layer of a service: correlation id, span, log line, figures, last net for errors."""

import re
import time
from collections.abc import Mapping, MutableMapping
from contextlib import AbstractContextManager, nullcontext
from http import HTTPStatus
from typing import Any

import structlog
from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import ClientDisconnect, Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from opal.errors import OpalError
from opal.http.correlation import HEADER, accepted_correlation_id
from opal.http.problem import problem_of
from opal.telemetry import tracing
from opal.telemetry.metrics import HTTP_SECONDS, method_label
from opal.telemetry.tracing import Span, span_after

# A line is for reading: of an address that is refused for its length, the beginning will do.
_LONGEST_PATH = 300
# Of a public link the item's number is enough to find it by; with the rest anybody could fetch it.
_LINK_SEAL = re.compile(r"^(/p/[0-9a-f]{24})[0-9a-f]+")
# Asked every few seconds by probes; a log full of them hides the rest.
_QUIET_PATHS = frozenset({"/healthz", "/readyz", "/metrics"})

_log = structlog.get_logger(__name__)


class RequestContext:
    """Pure ASGI, so that streams pass through untouched."""

    def __init__(self, app: ASGIApp, service: str) -> None:
        self._app = app
        self._service = service

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers = Headers(scope=scope)
        correlation_id = accepted_correlation_id(headers.get(HEADER))
        scope.setdefault("state", {})["correlation_id"] = correlation_id
        answer = _Answer(send, correlation_id, scope["state"])
        method = method_label(scope["method"])
        with (
            structlog.contextvars.bound_contextvars(correlation_id=correlation_id),
            _request_span(scope["path"], headers.get(tracing.HEADER), method) as request_span,
        ):
            begun = time.monotonic()
            try:
                await self._answer(scope, receive, answer)
            finally:
                self._record(scope, method, answer.status, time.monotonic() - begun, request_span)

    async def _answer(self, scope: Scope, receive: Receive, answer: "_Answer") -> None:
        try:
            await self._app(scope, receive, answer.send)
        except ClientDisconnect:
            _log.debug("client went away", action="http.left", path=_logged(scope["path"]))
        except Exception as error:
            _log.exception(
                "request failed", action="http.failed", code=OpalError.code, path=_logged(scope["path"])
            )
            if answer.status is not None:
                # Half an answer is out: only a broken connection tells the client that it is not whole.
                raise
            response = problem_of(Request(scope), OpalError(str(error)))
            await response(scope, receive, answer.send)

    def _record(
        self,
        scope: MutableMapping[str, Any],
        method: str,
        status: int | None,
        seconds: float,
        request_span: Span,
    ) -> None:
        # The template, not the path: ids would make one time series each.
        route = str(getattr(scope.get("route"), "path", "none"))
        HTTP_SECONDS.labels(self._service, method, route, str(status)).observe(seconds)
        request_span.rename(f"{method} {route}")
        request_span.note("http.route", route)
        request_span.note("http.response.status_code", status)
        if status is not None and status >= HTTPStatus.INTERNAL_SERVER_ERROR:
            request_span.fail(str(status))
        write = _log.debug if scope["path"] in _QUIET_PATHS else _log.info
        # Never the query string: signatures travel in it.
        write(
            "request answered",
            action="http.answered",
            method=scope["method"],
            path=_logged(scope["path"]),
            status=status,
            seconds=round(seconds, 4),
        )


def _request_span(path: str, parent: str | None, method: str) -> AbstractContextManager[Span]:
    if path in _QUIET_PATHS:
        return nullcontext(Span())
    return span_after(parent, method, "server", {"http.request.method": method})


def _logged(path: str) -> str:
    return _LINK_SEAL.sub(r"\1…", path)[:_LONGEST_PATH]


class _Answer:
    """Watches what goes out and adds the correlation id to it, and the ``answer_headers`` of the state."""

    def __init__(self, send: Send, correlation_id: str, state: Mapping[str, Any]) -> None:
        self.status: int | None = None
        self._send = send
        self._correlation_id = correlation_id
        self._state = state

    async def send(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            headers = MutableHeaders(scope=message)
            headers[HEADER] = self._correlation_id
            headers.update(self._state.get("answer_headers", {}))
        await self._send(message)

"""The HTTP/1.1 protocol of our servers: what is no HTTP at all is answered as other errors are."""

import asyncio
import sys
from typing import Any, Final

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from opal.errors import OpalError
from opal.http.correlation import HEADER, accepted_correlation_id
from opal.http.error_form import in_form
from opal.http.errors import HeadTooLarge, MalformedRequest
from opal.http.problem import describe

_TOO_LARGE: Final = 431
_BEFORE_THE_ANSWER: Final = (h11.IDLE, h11.SEND_RESPONSE)
_BEGINNING: Final = 100
"""Bytes of a request that tell where it was going, should it be unreadable."""
LARGEST_HEAD: Final = 65_536
"""Bytes of a request's address and headers together, whether they arrive at once or in pieces."""


class StrictConnection(h11.Connection):
    """h11's connection, which refuses three kinds of requests more."""

    def next_event(self) -> Any:
        """What has arrived next. Raises ``h11.RemoteProtocolError``.

        Beside h11's own rules: HTTP/1 only; one length of a body, as whoever believes the other one takes the
        rest of the body for a request (RFC 9112, 6.3); and a limit of heads that holds for whole ones, too.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check(event)
        return event


def _check(request: h11.Request) -> None:
    names = {name for name, _ in request.headers}
    if not request.http_version.startswith(b"1."):
        raise h11.RemoteProtocolError("not HTTP/1")
    if {b"content-length", b"transfer-encoding"} <= names:
        raise h11.RemoteProtocolError("two lengths of one body")
    size = len(request.target) + sum(len(name) + len(value) for name, value in request.headers)
    if size > LARGEST_HEAD:
        raise h11.RemoteProtocolError("head too large", error_status_hint=_TOO_LARGE)


class ProblemProtocol(H11Protocol):
    """uvicorn's protocol; what is refused, and how, is ours."""

    _begun = b""

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn = StrictConnection(h11.SERVER, LARGEST_HEAD)

    def data_received(self, data: bytes) -> None:
        """Take what has arrived; remember how a request begins."""
        if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
            self._begun = data[:_BEGINNING]
        super().data_received(data)

    def send_400_response(self, msg: str) -> None:  # noqa: ARG002 - uvicorn calls it with its own text
        """Answer with a problem and hang up. Called by uvicorn while it handles h11's exception."""
        cause = sys.exception()
        hint = cause.error_status_hint if isinstance(cause, h11.RemoteProtocolError) else None
        error: OpalError = HeadTooLarge() if hint == _TOO_LARGE else MalformedRequest()
        # A body can go wrong when the answer to its head is on the way; then there is no room for another.
        if self.conn.our_state in _BEFORE_THE_ANSWER:
            self._answer(error)
        self.transport.close()

    def _answer(self, error: OpalError) -> None:
        correlation_id = accepted_correlation_id(None)
        problem = describe(error, "", correlation_id)
        body, media_type = in_form(problem, self._path())
        head = h11.Response(
            status_code=problem.status,
            headers=[
                (b"content-type", media_type.encode()),
                (b"content-length", str(len(body)).encode()),
                (HEADER.lower().encode(), correlation_id.encode()),
                (b"connection", b"close"),
            ],
        )
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            # h11 answers None only for ConnectionClosed.
            self.transport.write(self.conn.send(event) or b"")

    def _path(self) -> str:
        """Where the request was going, as far as that can be told."""
        words = self._begun.split(b" ", 2)
        return words[1].decode("latin-1") if len(words) > 1 else ""

"""The HTTP/1.1 protocol of our servers: what is no HTTP at all, or comes too slowly, is answered as other
errors are."""

import asyncio
import sys
from typing import Any, Final, cast

import h11
from uvicorn.config import Config
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.server import ServerState

from opal.errors import OpalError
from opal.http.connections import ConnectionLimits, OpenConnections
from opal.http.correlation import HEADER, accepted_correlation_id
from opal.http.error_form import in_form
from opal.http.errors import ConnectionsFull, HeadTooLarge, MalformedRequest, RequestTimeout
from opal.http.problem import describe

_TOO_LARGE: Final = 431
_BEFORE_THE_ANSWER: Final = (h11.IDLE, h11.SEND_RESPONSE)
_BEGINNING: Final = 100
"""Bytes of a request that tell where it was going, should it be unreadable."""
LARGEST_HEAD: Final = 65_536
"""Bytes of a request's address and headers together, whether they arrive at once or in pieces."""


class StrictConnection(h11.Connection):
    """h11's connection, which refuses three kinds of requests more, and counts."""

    requests = 0
    """Heads that have arrived."""
    body_bytes = 0
    """Of the last request's body, so far."""
    sent_bytes = 0
    """Of all answers, so far; on their way or still waiting for the client to take them."""

    def next_event(self) -> Any:
        """What has arrived next. Raises ``h11.RemoteProtocolError``.

        Beside h11's own rules: HTTP/1 only; one length of a body, as whoever believes the other one takes the
        rest of the body for a request (RFC 9112, 6.3); and a limit of heads that holds for whole ones, too.
        """
        event = super().next_event()
        if isinstance(event, h11.Request):
            _check(event)
            self.requests += 1
            self.body_bytes = 0
        elif isinstance(event, h11.Data):
            self.body_bytes += len(event.data)
        return event

    def send_with_data_passthrough(self, event: h11.Event) -> list[bytes] | None:
        """The bytes that ``event`` is sent as, in pieces. Called by h11's ``send``."""
        pieces = super().send_with_data_passthrough(event)
        self.sent_bytes += sum(map(len, pieces or ()))
        return pieces


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

    server_state: OpenConnections
    _begun = b""
    _idle_since = 0.0
    # What the client was last waited for: the number of a request, and its head or its body; and how long.
    _awaited: tuple[int, Any] | None = None
    _awaited_s = 0.0
    _taken = 0
    _untaken_s = 0.0

    def __init__(
        self,
        config: Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        self.conn: StrictConnection = StrictConnection(h11.SERVER, LARGEST_HEAD)

    @property
    def address(self) -> str:
        """Where the connection comes from; empty when that is not known."""
        return self.client[0] if self.client else ""

    @property
    def idle_since(self) -> float | None:
        """When it began to wait for a request whose head is not here yet; None while there is one."""
        idle = self.conn.their_state is h11.IDLE and self.conn.our_state is h11.IDLE
        return self._idle_since if idle and not self.transport.is_closing() else None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Take the connection, or say that there is no room."""
        super().connection_made(cast("asyncio.Transport", transport))
        self._idle_since = self.loop.time()
        if not self.server_state.admit(self, self._idle_since):
            self._end(ConnectionsFull())

    def on_response_complete(self) -> None:
        """Wait for the next request."""
        self._idle_since = self.loop.time()
        super().on_response_complete()

    def drop(self) -> None:
        """End the connection at once, without a word."""
        self.transport.abort()

    def look(self, limits: ConnectionLimits, seconds: float) -> None:
        """Count ``seconds`` more in which the client was waited for, and end what takes too long."""
        if self._untaken_for(seconds) > limits.untaken_s:
            self.transport.abort()
        elif not self.transport.is_closing() and self._is_too_slow(limits, seconds):
            if self.conn.their_state is h11.IDLE and not self.conn.trailing_data[0]:
                # Not one byte of a request: there is nothing to answer.
                self.transport.close()
            else:
                self._end(RequestTimeout())

    def _untaken_for(self, seconds: float) -> float:
        """How long the client has taken nothing of what waits for it."""
        untaken = self.transport.get_write_buffer_size()
        taken = self.conn.sent_bytes - untaken
        self._untaken_s = self._untaken_s + seconds if untaken and taken == self._taken else 0.0
        self._taken = taken
        return self._untaken_s

    def _is_too_slow(self, limits: ConnectionLimits, seconds: float) -> bool:
        awaited = (self.conn.requests, self.conn.their_state)
        if awaited != self._awaited:
            # Since when, is not known: it begins now.
            self._awaited, self._awaited_s = awaited, 0.0
            return False
        if self.conn.their_state is h11.IDLE:
            # Between two requests uvicorn's own, shorter time runs until the first byte is here.
            if self.timeout_keep_alive_task is None:
                self._awaited_s += seconds
            return self._awaited_s > limits.head_s
        if self.conn.their_state is not h11.SEND_BODY:
            return False
        if not (self.flow.read_paused or self.cycle.waiting_for_100_continue):
            self._awaited_s += seconds
        due = (self._awaited_s - limits.body_grace_s) * limits.body_bytes_per_s
        return self._awaited_s > limits.body_s or self.conn.body_bytes < due

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
        self._end(error)

    def _end(self, error: OpalError) -> None:
        """Answer, if that can still be done, and hang up."""
        # A body can go wrong when the answer to its head is on the way; then there is no room for another.
        if self.conn.our_state in _BEFORE_THE_ANSWER:
            self._answer(error)
        if self.cycle is not None and not self.cycle.response_complete:
            # Who waits for the body is told now; what it still answers goes nowhere.
            self.cycle.disconnected = True
            self.cycle.message_event.set()
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

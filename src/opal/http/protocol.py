"""The HTTP/1.1 protocol of our servers: what is no HTTP at all is answered as other errors are."""

import sys
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from opal.errors import OpalError
from opal.http.correlation import HEADER, accepted_correlation_id
from opal.http.error_form import in_form
from opal.http.errors import HeadTooLarge, MalformedRequest
from opal.http.problem import describe

_TOO_LARGE: Final = 431
_BEFORE_THE_ANSWER: Final = (h11.IDLE, h11.SEND_RESPONSE)
_BEGINNING: Final = 100
"""Bytes of a request that tell where it was going, should it be unreadable."""


class ProblemProtocol(H11Protocol):
    """uvicorn's protocol; only its refusal of a request that cannot be parsed is ours."""

    _begun = b""

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

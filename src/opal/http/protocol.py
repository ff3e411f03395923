"""The HTTP/1.1 protocol of our servers: what is no HTTP at all is answered with a problem too."""

import sys
from typing import Final

import h11
from uvicorn.protocols.http.h11_impl import H11Protocol

from opal.errors import OpalError
from opal.http.errors import HeadTooLarge, MalformedRequest
from opal.http.problem import MEDIA_TYPE, describe
from opal.http.request_context import HEADER, accepted_correlation_id

_TOO_LARGE: Final = 431
_BEFORE_THE_ANSWER: Final = (h11.IDLE, h11.SEND_RESPONSE)


class ProblemProtocol(H11Protocol):
    """uvicorn's protocol; only its refusal of a request that cannot be parsed is ours."""

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
        body = problem.model_dump_json(exclude_none=True).encode()
        head = h11.Response(
            status_code=problem.status,
            headers=[
                (b"content-type", MEDIA_TYPE.encode()),
                (b"content-length", str(len(body)).encode()),
                (HEADER.lower().encode(), correlation_id.encode()),
                (b"connection", b"close"),
            ],
        )
        for event in (head, h11.Data(data=body), h11.EndOfMessage()):
            # h11 answers None only for ConnectionClosed.
            self.transport.write(self.conn.send(event) or b"")

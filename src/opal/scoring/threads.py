"""The placement endpoint behind a server that has a thread for every request: Azure ML's.

Called by ``azureml/score.py``. The contract is that of ``app.py``; in Azure it is Azure ML's own front door
that asks for the endpoint's keys.
"""

import threading
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http import HTTPStatus

import structlog
from pydantic import BaseModel

from opal.errors import OpalError, ScoringBusy
from opal.http.correlation import HEADER, accepted_correlation_id
from opal.http.errors import BodyTooLarge, MethodNotAllowed
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse
from opal.messages.scoring_contract import ScoreRequest, ScoreResponse
from opal.scoring.contract import Answer, authorize, breakdown, largest_body, read_request, refusal, success
from opal.settings import Settings
from opal.telemetry import tracing
from opal.telemetry.tracing import span_after

_ATTRIBUTES = {"http.request.method": "POST", "http.route": "/score"}

_log = structlog.get_logger(__name__)


class ThreadedEndpoint:
    """Answers requests, each in its caller's thread.

    ``concurrency`` are worked on at a time. Of scenes, and apart from them of bare cut-outs, twice as many
    may be in hand; the next is told to come back. ``score`` and ``cut_out`` are functions of ``score.py``.
    """

    def __init__(
        self,
        settings: Settings,
        score: Callable[[ScoreRequest], ScoreResponse],
        cut_out: Callable[[CutoutRequest], CutoutResponse],
    ) -> None:
        self._key = settings.scoring.key.get_secret_value()
        self._most_bytes = largest_body(settings.photo.max_bytes)
        self._score = score
        self._cut_out = cut_out
        self._working = threading.Semaphore(settings.scoring.concurrency)
        most = 2 * settings.scoring.concurrency
        self._places = {kind: threading.Semaphore(most) for kind in (ScoreRequest, CutoutRequest)}

    def answer(self, method: str, headers: Mapping[str, str], read: Callable[[int], bytes]) -> Answer:
        """The answer to one request; ``read`` gives up to that many bytes of its body, as a file does."""
        correlation_id = accepted_correlation_id(headers.get(HEADER))
        begun = time.monotonic()
        with (
            structlog.contextvars.bound_contextvars(correlation_id=correlation_id),
            span_after(headers.get(tracing.HEADER), "POST /score", "server", _ATTRIBUTES) as scoring,
        ):
            answer = self._answer(method, headers, read)
            scoring.note("http.response.status_code", answer.status)
            if answer.status >= HTTPStatus.INTERNAL_SERVER_ERROR:
                scoring.fail(str(answer.status))
            seconds = round(time.monotonic() - begun, 4)
            _log.info("request answered", action="http.answered", status=answer.status, seconds=seconds)
        return Answer(answer.status, answer.body, {**answer.headers, HEADER: correlation_id})

    def _answer(self, method: str, headers: Mapping[str, str], read: Callable[[int], bytes]) -> Answer:
        try:
            return success(self._work(self._wanted(method, headers, read)))
        except OpalError as error:
            allowed = {"Allow": "POST"} if isinstance(error, MethodNotAllowed) else None
            return refusal(error, headers=allowed)
        except Exception:
            return breakdown()

    def _wanted(
        self, method: str, headers: Mapping[str, str], read: Callable[[int], bytes]
    ) -> ScoreRequest | CutoutRequest:
        if method != "POST":
            raise MethodNotAllowed
        authorize(headers.get("Authorization", ""), self._key)
        body = read(self._most_bytes + 1)
        if len(body) > self._most_bytes:
            raise BodyTooLarge
        return read_request(body)

    def _work(self, wanted: ScoreRequest | CutoutRequest) -> BaseModel:
        with self._admitted(type(wanted)), self._working:
            if isinstance(wanted, CutoutRequest):
                return self._cut_out(wanted)
            with structlog.contextvars.bound_contextvars(job_id=wanted.job_id, item_id=wanted.item_id):
                return self._score(wanted)

    @contextmanager
    def _admitted(self, kind: type[ScoreRequest | CutoutRequest]) -> Iterator[None]:
        places = self._places[kind]
        if not places.acquire(blocking=False):
            raise ScoringBusy("All places are taken; ask again in a moment.")
        try:
            yield
        finally:
            places.release()

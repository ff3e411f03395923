"""How a service asks the placement endpoint: one connection pool, a limiter, patient retries.

Called by the orchestrator and by web-api's remove.bg routes. What an answer means is told by ``answer.py``.
"""

import asyncio
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TypeVar

import httpx
import structlog
from tenacity import (
    AsyncRetrying,
    RetryCallState,
    retry_if_exception_type,
    stop_after_attempt,
    wait_exponential_jitter,
)

from opal.errors import OpalError, ScoringFailed, ScoringUnavailable
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse
from opal.messages.scoring_contract import ScoreRequest, ScoreResponse
from opal.outgoing.authorities import authorities
from opal.scoring_client.answer import TryAgain, read_answer
from opal.settings import ScoringSettings
from opal.telemetry import tracing
from opal.telemetry.metrics import OTHER, SCORING_SECONDS, code_label
from opal.telemetry.tracing import span

_Result = TypeVar("_Result", ScoreResponse, CutoutResponse)

CONNECT_TIMEOUT_S = 10.0
LONGEST_RETRY_AFTER_S = 30.0
"""A longer Retry-After is not waited for here: the item goes back to the queue instead."""
MAX_ANSWER_BYTES = 256 << 20
"""An endpoint that goes on for ever must not fill the memory. A matte of 60 megapixels, the most that is
worked on, is 80 MB in base64 at its worst, and most answers have no picture in them."""

_log = structlog.get_logger(__name__)


class ScoringClient:
    """One per process; safe for many tasks at once.

    A task that is cancelled hangs up, and what waits its turn at the endpoint is then forgotten there.

    At most ``2 × concurrency × instances`` requests are under way, the bound above which an Azure ML
    online endpoint answers 429. ``deadline_s`` bounds one call with all its tries and must stay below the
    life of the signed URLs that travel in the request.
    """

    def __init__(
        self,
        settings: ScoringSettings,
        *,
        deadline_s: float = 600.0,
        first_wait_s: float = 1.0,
        longest_wait_s: float = 5.0,
    ) -> None:
        self._settings = settings
        self._deadline_s = deadline_s
        self._backoff = wait_exponential_jitter(
            multiplier=first_wait_s, max=longest_wait_s, jitter=first_wait_s
        )
        self._slots = asyncio.Semaphore(2 * settings.concurrency * settings.instances)
        key = settings.key.get_secret_value()
        self._http = httpx.AsyncClient(
            headers={"Authorization": f"Bearer {key}"} if key else {},
            timeout=httpx.Timeout(settings.timeout_s, connect=CONNECT_TIMEOUT_S, pool=None),
            # Neither a proxy nor a .netrc of the machine may redirect photos or replace the key.
            verify=authorities(),
            trust_env=False,
        )

    async def score(self, request: ScoreRequest, correlation_id: str) -> ScoreResponse:
        """Score one photo.

        Raises ``PhotoRefused`` with the endpoint's own code when trying again is useless; ``ScoringBusy``
        and ``ScoringUnavailable`` when the endpoint did not look at the photo; ``ScoringFailed`` when it
        tried and failed, or did not answer in time.
        """
        body = request.model_dump_json(exclude_none=True).encode()
        return await self._ask(body, correlation_id, ScoreResponse)

    async def cut_out(self, request: CutoutRequest, correlation_id: str) -> CutoutResponse:
        """The matte of one photo that travels in the request itself. Raises what ``score`` raises."""
        body = request.model_dump_json(exclude_none=True).encode()
        return await self._ask(body, correlation_id, CutoutResponse)

    async def _ask(self, body: bytes, correlation_id: str, kind: type[_Result]) -> _Result:
        try:
            async with asyncio.timeout(self._deadline_s):
                async for attempt in self._attempts():
                    with attempt:
                        return await self._post(body, correlation_id, kind)
        except TryAgain as failure:
            raise failure.error from failure
        except TimeoutError as error:
            raise ScoringFailed(f"No answer within {self._deadline_s:.0f} s.") from error
        raise AssertionError("unreachable: the last attempt returns or raises")

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def _post(self, body: bytes, correlation_id: str, kind: type[_Result]) -> _Result:
        async with self._slots:
            with span("ask placement endpoint", "client") as asking, _measured():
                headers = {"Content-Type": "application/json", "X-Correlation-Id": correlation_id}
                if asking.traceparent is not None:
                    headers[tracing.HEADER] = asking.traceparent
                answer, told = await self._answer(body, headers)
                asking.note("http.response.status_code", answer.status_code)
                return read_answer(answer, told, kind)

    async def _answer(self, body: bytes, headers: Mapping[str, str]) -> tuple[httpx.Response, bytearray]:
        url = self._settings.url
        try:
            # httpx bounds each socket operation, never the whole; this does.
            async with (
                asyncio.timeout(self._settings.timeout_s),
                self._http.stream("POST", url, content=body, headers=headers) as answer,
            ):
                return answer, await _bounded(answer)
        except (TimeoutError, httpx.ReadTimeout, httpx.WriteTimeout) as error:
            seconds = self._settings.timeout_s
            raise TryAgain(ScoringFailed(f"The endpoint did not answer in {seconds:.0f} s.")) from error
        except httpx.TransportError as error:
            raise TryAgain(_unreachable(error)) from error
        except httpx.DecodingError as error:
            raise TryAgain(ScoringFailed("The endpoint's answer is not encoded as it says.")) from error
        except httpx.InvalidURL as error:
            raise ScoringUnavailable(f"The endpoint's address is none: {error}.") from error

    def _attempts(self) -> AsyncRetrying:
        return AsyncRetrying(
            retry=retry_if_exception_type(TryAgain),
            stop=self._stop,
            wait=self._wait,
            before_sleep=_log_retry,
            reraise=True,
        )

    def _stop(self, state: RetryCallState) -> bool:
        failure = _failure(state)
        too_long = failure is not None and (failure.retry_after_s or 0) > LONGEST_RETRY_AFTER_S
        return too_long or stop_after_attempt(self._settings.attempts)(state)

    def _wait(self, state: RetryCallState) -> float:
        failure = _failure(state)
        asked = (failure.retry_after_s or 0.0) if failure is not None else 0.0
        return max(asked, self._backoff(state))


async def _bounded(answer: httpx.Response) -> bytearray:
    body = bytearray()
    async for piece in answer.aiter_bytes():
        body += piece
        if len(body) > MAX_ANSWER_BYTES:
            raise TryAgain(ScoringFailed(f"The endpoint answered more than {MAX_ANSWER_BYTES} bytes."))
    return body


@contextmanager
def _measured() -> Iterator[None]:
    """Count the block as one request, by how it ended."""
    started, outcome = time.perf_counter(), OTHER
    try:
        yield
        outcome = "answered"
    except (TryAgain, OpalError) as error:
        outcome = code_label(error.code)
        raise
    finally:
        SCORING_SECONDS.labels(outcome).observe(time.perf_counter() - started)


def _failure(state: RetryCallState) -> TryAgain | None:
    error = state.outcome.exception() if state.outcome is not None else None
    return error if isinstance(error, TryAgain) else None


def _unreachable(error: httpx.TransportError) -> OpalError:
    return ScoringUnavailable(f"The placement endpoint cannot be reached ({type(error).__name__}).")


def _log_retry(state: RetryCallState) -> None:
    failure = _failure(state)
    _log.info(
        "placement endpoint is asked again",
        action="scoring.retry",
        attempt=state.attempt_number,
        code=failure.error.code if failure else None,
        wait_s=round(state.upcoming_sleep, 2),
    )

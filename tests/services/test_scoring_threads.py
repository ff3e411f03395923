"""The placement endpoint in threads, without a server; with Azure ML's it is in `test_azureml_score.py`."""

import io
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor, as_completed

import pytest
from tests.services.test_scoring_app import ANSWER, REQUEST

from opal.errors import OpalError, walk
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse
from opal.messages.scoring_contract import ScoreError, ScoreRequest, ScoreResponse
from opal.scoring.contract import Answer
from opal.scoring.threads import ThreadedEndpoint
from opal.settings import ScoringSettings, load_settings

SCENE = ScoreRequest.model_validate(REQUEST)
CUTOUT = CutoutRequest(tenant_id="acme", image_bytes_b64="AA==")
MATTE = CutoutResponse(matte_bytes_b64="AA==", confidence=1)


def endpoint_of(score: Callable[[ScoreRequest], ScoreResponse], concurrency: int = 1) -> ThreadedEndpoint:
    settings = load_settings(scoring=ScoringSettings(concurrency=concurrency))
    return ThreadedEndpoint(settings, score, lambda _request: MATTE)


def ask(
    endpoint: ThreadedEndpoint,
    request: ScoreRequest | CutoutRequest = SCENE,
    *,
    correlation_id: str = "",
) -> Answer:
    headers = {"X-Correlation-Id": correlation_id}
    body = request.model_dump_json().encode()
    return endpoint.answer("POST", headers, io.BytesIO(body).read)


def code_of(answer: Answer) -> tuple[int, str, bool]:
    error = ScoreError.model_validate_json(answer.body).error
    return answer.status, error.code, error.retryable


def test_a_request_is_answered_with_its_own_correlation_id_or_a_new_one() -> None:
    endpoint = endpoint_of(lambda _request: ANSWER)
    answer = ask(endpoint, correlation_id="order-7")
    assert ScoreResponse.model_validate_json(answer.body) == ANSWER
    assert (answer.status, answer.headers) == (200, {"X-Correlation-Id": "order-7"})
    assert len(ask(endpoint, correlation_id="no id").headers["X-Correlation-Id"]) == 32


@pytest.mark.parametrize("kind", [kind for kind in walk() if kind.__init__ is OpalError.__init__])
def test_every_error_keeps_its_code_and_says_whether_to_try_again(kind: type[OpalError]) -> None:
    def fail(_request: ScoreRequest) -> ScoreResponse:
        raise kind

    answer = ask(endpoint_of(fail))
    assert code_of(answer)[1:] == (kind.code, kind.retryable)
    assert answer.status >= 400


def test_a_fault_of_our_own_may_be_tried_again_and_tells_nothing() -> None:
    def fail(_request: ScoreRequest) -> ScoreResponse:
        raise ZeroDivisionError("hunter2")

    answer = ask(endpoint_of(fail))
    assert code_of(answer) == (424, "internal_error", True)
    assert "hunter2" not in answer.body


def test_places_are_bounded_and_given_back_and_cut_outs_have_their_own() -> None:
    gate, entered = threading.Event(), threading.Semaphore(0)
    at_once: list[int] = []
    working = 0

    def slow(_request: ScoreRequest) -> ScoreResponse:
        nonlocal working
        working += 1
        at_once.append(working)
        entered.release()
        assert gate.wait(20)
        working -= 1
        return ANSWER

    endpoint = endpoint_of(slow)
    with ThreadPoolExecutor(3) as threads:
        first = threads.submit(ask, endpoint)
        assert entered.acquire(timeout=20)
        # Of two more, one waits for its turn and the other is told to come back.
        others = [threads.submit(ask, endpoint) for _ in range(2)]
        refused = next(as_completed(others, timeout=20)).result()
        assert code_of(refused) == (429, "scoring_busy", True)
        assert refused.headers["Retry-After"] == "1"
        gate.set()
        assert sorted(each.result(20).status for each in others) == [200, 429]
    assert first.result().status == 200
    assert max(at_once) == 1
    assert ask(endpoint).status == 200
    assert ask(endpoint, CUTOUT).status == 200

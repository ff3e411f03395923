"""The scoring client against a real HTTP server that answers as an Azure ML endpoint does."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from tests.services.scripted_endpoint import META, Answer, Endpoint, ok, own_error, refusing, serving

from opal.errors import OpalError, PhotoRefused, ScoringBusy, ScoringFailed, ScoringUnavailable
from opal.messages.scoring_contract import OutputSas, ScoreRequest
from opal.scoring_client import client as scoring_client
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings

REQUEST = ScoreRequest(
    tenant_id="t",
    job_id="job_1",
    item_id="item_1",
    input_image_sas="http://127.0.0.1:1/raw",
    output_sas=OutputSas(scene="http://127.0.0.1:1/scene", matte="http://127.0.0.1:1/matte"),
)


def settings(url: str, **changes: Any) -> ScoringSettings:
    return ScoringSettings(url=url, key=SecretStr("s3cret"), **{"attempts": 3, **changes})


@asynccontextmanager
async def client_of(endpoint: Endpoint, **changes: Any) -> AsyncIterator[ScoringClient]:
    patience = {
        name: changes.pop(name, usual)
        for name, usual in {"deadline_s": 30.0, "first_wait_s": 0.01, "longest_wait_s": 0.02}.items()
    }
    async with serving(endpoint):
        client = ScoringClient(settings(endpoint.url, **changes), **patience)
        try:
            yield client
        finally:
            await client.close()


async def test_the_request_carries_key_correlation_id_and_contract() -> None:
    endpoint = Endpoint(ok)
    async with client_of(endpoint) as client:
        answer = await client.score(REQUEST, "corr-1")
    assert answer.meta.seed == 7
    [sent] = endpoint.requests
    assert sent.headers["authorization"] == "Bearer s3cret"
    assert sent.headers["x-correlation-id"] == "corr-1"
    assert ScoreRequest.model_validate_json(endpoint.bodies[0]) == REQUEST


@pytest.mark.parametrize("status", [408, 424, 429, 500, 502, 503, 504])
async def test_a_passing_fault_is_tried_again(status: int) -> None:
    endpoint = Endpoint(refusing(status), refusing(status), ok)
    async with client_of(endpoint) as client:
        assert (await client.score(REQUEST, "c")).meta.confidence == 0.9
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(
    ("status", "expected"),
    [
        (429, ScoringBusy),
        (502, ScoringUnavailable),
        (503, ScoringUnavailable),
        (500, ScoringFailed),
        (504, ScoringFailed),
        (424, ScoringFailed),
    ],
)
async def test_a_lasting_fault_ends_after_the_last_attempt(status: int, expected: type[OpalError]) -> None:
    endpoint = Endpoint(refusing(status))
    async with client_of(endpoint) as client:
        with pytest.raises(expected) as caught:
            await client.score(REQUEST, "c")
    assert caught.value.retryable
    assert len(endpoint.requests) == 3


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "no_product_found"),
        (404, "blob_not_found"),
        (422, "no_product_found"),
        (424, "no_product_found"),
        (500, "no_product_found"),
    ],
)
async def test_the_endpoints_own_verdict_is_final_and_keeps_its_code(status: int, code: str) -> None:
    endpoint = Endpoint(own_error(status, code, retryable=False))
    async with client_of(endpoint) as client:
        with pytest.raises(PhotoRefused) as caught:
            await client.score(REQUEST, "c")
    assert (caught.value.code, caught.value.message) == (code, "Why not.")
    assert not caught.value.retryable
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("model_status", "expected"),
    [
        ("429", ScoringBusy),
        ("503", ScoringUnavailable),
        ("500", ScoringFailed),
        ("401", ScoringUnavailable),
        ("413", PhotoRefused),
        ("", ScoringFailed),
        ("none", ScoringFailed),
    ],
)
async def test_what_azure_ml_wraps_in_a_424_is_judged_by_the_models_own_status(
    model_status: str, expected: type[OpalError]
) -> None:
    endpoint = Endpoint(refusing(424, {"ms-azureml-model-error-statuscode": model_status}))
    async with client_of(endpoint) as client:
        with pytest.raises(expected):
            await client.score(REQUEST, "c")
    assert len(endpoint.requests) == (1 if model_status in ("401", "413") else 3)


async def test_a_header_of_azure_mls_means_nothing_beside_another_status() -> None:
    endpoint = Endpoint(refusing(503, {"ms-azureml-model-error-statuscode": "413"}), ok)
    async with client_of(endpoint) as client:
        await client.score(REQUEST, "c")
    assert len(endpoint.requests) == 2


async def test_those_who_were_turned_away_together_do_not_come_back_together() -> None:
    arrived: list[float] = []

    async def full_at_first(_request: Request) -> Response:
        arrived.append(asyncio.get_running_loop().time())
        return JSONResponse({"meta": META}, 200 if len(arrived) > 4 else 429)

    async with client_of(
        Endpoint(full_at_first), instances=2, first_wait_s=0.2, longest_wait_s=1.0
    ) as client:
        await asyncio.gather(*(client.score(REQUEST, f"c{n}") for n in range(4)))
    first, again = sorted(arrived)[:4], sorted(arrived)[4:]
    # At least the shortest wait, and each with a jitter of up to as much again.
    assert again[0] - first[-1] >= 0.15
    assert again[-1] - again[0] > 0.01


async def test_an_own_error_that_may_pass_is_tried_again() -> None:
    endpoint = Endpoint(own_error(422, "warming_up", retryable=True), ok)
    async with client_of(endpoint) as client:
        await client.score(REQUEST, "c")
    assert len(endpoint.requests) == 2


async def test_a_plain_client_error_is_final() -> None:
    endpoint = Endpoint(refusing(413))
    async with client_of(endpoint) as client:
        with pytest.raises(PhotoRefused) as caught:
            await client.score(REQUEST, "c")
    assert caught.value.code == "scoring_failed"
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize("status", [301, 302, 307, 308, 401, 403, 404])
async def test_a_wrong_key_or_address_is_no_fault_of_the_photo(status: int) -> None:
    endpoint = Endpoint(refusing(status))
    async with client_of(endpoint) as client:
        with pytest.raises(ScoringUnavailable):
            await client.score(REQUEST, "c")
    assert len(endpoint.requests) == 1


@pytest.mark.parametrize(
    ("status", "code"), [(401, "unauthorized"), (404, "not_found"), (405, "method_not_allowed")]
)
async def test_nor_is_one_that_the_endpoint_names_itself(status: int, code: str) -> None:
    endpoint = Endpoint(own_error(status, code, retryable=False))
    async with client_of(endpoint) as client:
        with pytest.raises(ScoringUnavailable, match="Why not"):
            await client.score(REQUEST, "c")
    assert len(endpoint.requests) == 1


async def test_an_answer_that_breaks_the_contract_is_tried_again() -> None:
    endpoint = Endpoint(refusing(200, body={"meta": {"engine": "x"}}), ok)
    async with client_of(endpoint) as client:
        await client.score(REQUEST, "c")
    assert len(endpoint.requests) == 2


def raw(headers: dict[str, str], body: bytes = b"{}", status: int = 200) -> Answer:
    async def answer(_request: Request) -> Response:
        return Response(body, status, headers=headers)

    return answer


@pytest.mark.parametrize(
    "nonsense",
    [
        raw({"Content-Encoding": "gzip"}, b"hello"),
        raw({"Content-Type": "text/html; charset=rot13"}, b"hi"),
        raw({"Retry-After": "²"}, status=429),
        raw({"Retry-After": "9" * 5000}, status=429),
        raw({"Retry-After": "Fri, 99 Zed 2020 99:99:99 GMT"}, status=503),
        raw({"ms-azureml-model-error-statuscode": "9" * 5000}, status=424),
        raw({"ms-azureml-model-error-statuscode": "²"}, status=424),
        raw({}, b"\xff", status=500),
    ],
    ids=range(8),
)
async def test_nonsense_is_tried_again(nonsense: Answer) -> None:
    endpoint = Endpoint(nonsense, ok)
    async with client_of(endpoint) as client:
        await client.score(REQUEST, "c")
    assert len(endpoint.requests) == 2


async def test_an_answer_beyond_all_bounds_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    async def pour() -> AsyncIterator[bytes]:
        for _piece in range(300):
            yield b"x" * 10_000

    async def large(_request: Request) -> Response:
        return StreamingResponse(pour())

    monkeypatch.setattr(scoring_client, "MAX_ANSWER_BYTES", 1_000_000)
    endpoint = Endpoint(large, ok)
    async with client_of(endpoint) as client:
        await client.score(REQUEST, "c")
    assert len(endpoint.requests) == 2


async def test_retry_after_is_waited_for() -> None:
    endpoint = Endpoint(refusing(429, {"Retry-After": "1"}), ok)
    async with client_of(endpoint) as client:
        started = asyncio.get_running_loop().time()
        await client.score(REQUEST, "c")
    assert asyncio.get_running_loop().time() - started >= 1.0


async def test_a_retry_after_beyond_patience_gives_up_at_once() -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(minutes=5), usegmt=True)
    endpoint = Endpoint(refusing(503, {"Retry-After": later}))
    async with client_of(endpoint) as client:
        with pytest.raises(ScoringUnavailable):
            await client.score(REQUEST, "c")
    assert len(endpoint.requests) == 1


async def test_an_endpoint_that_hangs_is_given_up_at_the_deadline() -> None:
    async def hang(request: Request) -> Response:
        # Ends when the client hangs up: the next thing that a client can send is its disconnection.
        await request.receive()
        return Response()

    endpoint = Endpoint(hang)
    async with client_of(endpoint, timeout_s=0.1, attempts=10, deadline_s=0.35) as client:
        with pytest.raises(ScoringFailed):
            await client.score(REQUEST, "c")
    assert 2 <= len(endpoint.requests) <= 4


async def test_an_endpoint_that_is_not_there_is_unavailable() -> None:
    async with serving(Endpoint(ok)) as gone:
        url = gone.url
    client = ScoringClient(settings(url), first_wait_s=0.01, longest_wait_s=0.01)
    with pytest.raises(ScoringUnavailable):
        await client.score(REQUEST, "c")
    await client.close()


async def test_never_more_requests_under_way_than_the_endpoint_queues() -> None:
    under_way = 0
    most = 0
    four = asyncio.Event()

    async def count(_request: Request) -> Response:
        nonlocal under_way, most
        under_way += 1
        most = max(most, under_way)
        if under_way == 4:
            four.set()
        # The first four wait for one another, so that the bound is reached and not only kept.
        await four.wait()
        for _turn in range(20):
            await asyncio.sleep(0)
        under_way -= 1
        return JSONResponse({"meta": META})

    async with client_of(Endpoint(count), concurrency=1, instances=2) as client:
        await asyncio.gather(*(client.score(REQUEST, f"c{n}") for n in range(20)))
    assert most == 4

"""The placement endpoint's HTTP side: keys, limits, slots, and errors in the contract's own shape."""

import asyncio
import threading
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import httpx
import pytest
from pydantic import SecretStr
from tests.services.http_services import bound_socket, client_of, served

from opal.errors import (
    DecoderInterrupted,
    DecoderUnavailable,
    InvalidSettings,
    ModelMissing,
    NoProductFound,
    OpalError,
    walk,
)
from opal.messages.scoring_contract import (
    ProductBox,
    ScoreError,
    ScoreMeta,
    ScoreRequest,
    ScoreResponse,
    Transform,
)
from opal.scoring.app import create_app
from opal.scoring.contract import MAX_BODY_BYTES
from opal.scoring.model_slots import ModelSlots
from opal.settings import ScoringSettings

KEY = "secret-key"
REQUEST: dict[str, Any] = {
    "tenant_id": "acme",
    "job_id": "job_1",
    "item_id": "item_1",
    "input_image_sas": "http://127.0.0.1:1/raw?sig=x",
}
ANSWER = ScoreResponse(
    meta=ScoreMeta(
        engine="test",
        engine_version="1",
        models=[],
        seed=0,
        prompt_used="",
        photo_width=10,
        photo_height=10,
        canvas_width=10,
        canvas_height=10,
        product_box=ProductBox(left=0, top=0, width=10, height=10),
        transform=Transform(scale=1, tx=0, ty=0),
        fidelity={},
        confidence=1,
    )
)
Score = Callable[[ScoreRequest], ScoreResponse]


def at_once(_request: ScoreRequest) -> ScoreResponse:
    return ANSWER


def nothing() -> None:
    pass


@asynccontextmanager
async def endpoint(
    score: Score = at_once, load: Callable[[], None] = nothing, *, key: str = KEY, concurrency: int = 1
) -> AsyncIterator[tuple[httpx.AsyncClient, ModelSlots]]:
    slots = ModelSlots(load, score, concurrency)
    app = create_app(ScoringSettings(key=SecretStr(key)), slots)
    bound, url = bound_socket()
    async with served(app, bound), client_of(url) as client:
        client.headers["Authorization"] = f"Bearer {key}"
        yield client, slots


def code_of(answer: httpx.Response) -> tuple[int, str, bool]:
    error = ScoreError.model_validate_json(answer.content).error
    return answer.status_code, error.code, error.retryable


async def test_a_request_is_answered_with_its_own_correlation_id() -> None:
    async with endpoint() as (client, slots):
        await slots.load()
        answer = await client.post("/score", json=REQUEST, headers={"X-Correlation-Id": "order-7"})
    assert answer.status_code == 200
    assert ScoreResponse.model_validate_json(answer.content) == ANSWER
    assert answer.headers["x-correlation-id"] == "order-7"


@pytest.mark.parametrize("header", ["", "Bearer", "Bearer wrong", f"Basic {KEY}", KEY, "Bearer sécret"])
async def test_a_wrong_key_is_refused_before_the_body_is_read(header: str) -> None:
    async with endpoint() as (client, slots):
        await slots.load()
        answer = await client.post("/score", content=b"{", headers={"Authorization": header.encode()})  # type: ignore[arg-type]
    assert code_of(answer) == (401, "unauthorized", False)


def test_without_a_key_only_this_machine_may_ask() -> None:
    slots = ModelSlots(nothing, at_once, 1)
    for host in ("127.0.0.1", "::1", "localhost"):
        create_app(ScoringSettings(host=host), slots)
    for host in ("0.0.0.0", "::", "10.0.0.5", "scoring.example"):
        with pytest.raises(InvalidSettings, match="OPAL_SCORING_KEY"):
            create_app(ScoringSettings(host=host), slots)
        create_app(ScoringSettings(host=host, key=SecretStr(KEY)), slots)


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"{", 400, "invalid_json"),
        (b"\xff", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b'{"tenant_id": "a"}', 422, "invalid_request"),
        (b" " * (MAX_BODY_BYTES + 1), 413, "body_too_large"),
    ],
)
async def test_a_body_that_is_no_request(body: bytes, status: int, code: str) -> None:
    async with endpoint() as (client, slots):
        await slots.load()
        assert code_of(await client.post("/score", content=body)) == (status, code, False)


async def test_while_models_load_the_process_is_alive_but_not_ready() -> None:
    gate = threading.Event()
    async with endpoint(load=lambda: _wait(gate)) as (client, slots):
        loading = asyncio.create_task(slots.load())
        assert (await client.get("/healthz")).status_code == 200
        assert code_of(await client.get("/readyz")) == (503, "models_loading", True)
        assert code_of(await client.post("/score", json=REQUEST)) == (503, "models_loading", True)
        gate.set()
        await loading
        assert (await client.get("/readyz")).json() == {"status": "ready"}
        assert (await client.post("/score", json=REQUEST)).status_code == 200


@pytest.mark.parametrize(("error", "status"), [(DecoderUnavailable(), 503), (DecoderInterrupted(), 424)])
async def test_a_decoder_that_is_away_is_the_endpoints_own_trouble_and_one_that_was_ended_may_be_the_photos(
    error: OpalError, status: int
) -> None:
    def score(_request: ScoreRequest) -> ScoreResponse:
        raise error

    async with endpoint(score) as (client, slots):
        await slots.load()
        assert code_of(await client.post("/score", json=REQUEST)) == (status, error.code, True)


async def test_a_failure_to_load_is_kept_for_the_process_to_end_with() -> None:
    def fail() -> None:
        raise ModelMissing

    slots = ModelSlots(fail, at_once, 1)
    await slots.load()
    assert isinstance(slots.failure, ModelMissing)
    assert not slots.ready


def _wait(gate: threading.Event) -> None:
    assert gate.wait(20)


async def test_twice_the_concurrency_may_be_in_hand_and_the_next_is_told_to_come_back() -> None:
    gate = threading.Event()
    working: list[str] = []

    def slow(request: ScoreRequest) -> ScoreResponse:
        working.append(request.item_id)
        _wait(gate)
        return ANSWER

    async with endpoint(slow, concurrency=2) as (client, slots):
        await slots.load()
        first = [asyncio.create_task(client.post("/score", json=REQUEST)) for _ in range(4)]
        refused = await _until_refused(client, slots)
        assert code_of(refused) == (429, "scoring_busy", True)
        assert refused.headers["retry-after"] == "1"
        # Taken in is not yet begun: each thread has to come to its turn.
        async with asyncio.timeout(10):
            while len(working) < 2:
                await client.get("/healthz")
        assert len(working) == 2
        gate.set()
        assert {answer.status_code for answer in await asyncio.gather(*first)} == {200}
        assert slots.in_flight == 0


async def _until_refused(client: httpx.AsyncClient, slots: ModelSlots) -> httpx.Response:
    """Ask over another route until the four are in hand, then once more."""
    async with asyncio.timeout(10):
        while slots.in_flight < 4:
            await client.get("/healthz")
    return await client.post("/score", json=REQUEST)


@pytest.mark.parametrize("kind", [kind for kind in walk() if kind.__init__ is OpalError.__init__])
async def test_every_error_keeps_its_code_and_says_whether_to_try_again(kind: type[OpalError]) -> None:
    def fail(_request: ScoreRequest) -> ScoreResponse:
        raise kind

    slots = ModelSlots(nothing, fail, 1)
    app = create_app(ScoringSettings(), slots)
    await slots.load()
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://scoring") as client:
        status, code, retryable = code_of(await client.post("/score", json=REQUEST))
    assert (code, retryable) == (kind.code, kind.retryable)
    assert status >= 400


async def test_a_refused_photo_and_a_bug_are_told_apart() -> None:
    failures: list[Exception] = [NoProductFound(), ZeroDivisionError("hunter2")]

    def fail(_request: ScoreRequest) -> ScoreResponse:
        raise failures.pop(0)

    async with endpoint(fail) as (client, slots):
        await slots.load()
        photo = await client.post("/score", json=REQUEST)
        bug = await client.post("/score", json=REQUEST)
    assert code_of(photo) == (422, "no_product_found", False)
    assert code_of(bug) == (424, "internal_error", True)
    assert "hunter2" not in bug.text


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/score", 405, "method_not_allowed"),
        ("POST", "/healthz", 405, "method_not_allowed"),
        ("GET", "/", 404, "not_found"),
        ("POST", "/score/", 404, "not_found"),
    ],
)
async def test_a_wrong_address_is_answered_in_the_same_shape(
    method: str, path: str, status: int, code: str
) -> None:
    async with endpoint() as (client, _):
        answer = await client.request(method, path)
    assert code_of(answer) == (status, code, False)
    assert ("allow" in answer.headers) == (status == 405)

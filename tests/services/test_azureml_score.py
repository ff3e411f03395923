"""`azureml/score.py` under Azure ML's own inference server: the contract of `POST /score`, to the letter."""

import asyncio
import base64
import signal
import subprocess
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pyvips
from pydantic import SecretStr
from tests.azureml.server import inference_server
from tests.services.http_services import photo, running_web_api

from opal.blobs.interface import Permission
from opal.errors import PhotoRefused, ScoringUnavailable
from opal.images.matte import read_matte
from opal.messages.scoring_contract import OutputSas, ScoreError, ScoreRequest
from opal.scoring.contract import MAX_BODY_BYTES
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings

pytestmark = pytest.mark.xdist_group("network")

KEY = "endpoint-key"
NOWHERE = {
    "tenant_id": "acme",
    "job_id": "job_1",
    "item_id": "item_1",
    "input_image_sas": "http://127.0.0.1:1/raw?sig=hunter2",
}
# Small bodies are enough to be too large, and photos are none of these tests' business.
LIMITS = {"OPAL_PHOTO_MAX_BYTES": "2000000"}
MOST = MAX_BODY_BYTES + 4 * -(-2_000_000 // 3)


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, subprocess.Popen[bytes], Path]]:
    folder = tmp_path_factory.mktemp("azureml")
    with inference_server(folder, OPAL_SCORING_KEY=KEY, **LIMITS) as server:
        assert server.process is not None
        yield server.url, server.process, server.log


@pytest.fixture
def client(server: tuple[str, Any, Path]) -> Iterator[httpx.Client]:
    headers = {"Authorization": f"Bearer {KEY}"}
    with httpx.Client(base_url=server[0], headers=headers, trust_env=False, timeout=30) as client:
        yield client


def code_of(answer: httpx.Response) -> tuple[int, str, bool]:
    error = ScoreError.model_validate_json(answer.content).error
    return answer.status_code, error.code, error.retryable


def rgba() -> bytes:
    """A square of 32 pixels in the middle of nothing."""
    codes = np.zeros((64, 64, 4), np.uint8)
    codes[16:48, 16:48] = (40, 60, 90, 255)
    data: bytes = pyvips.Image.new_from_array(codes).copy(interpretation="srgb").pngsave_buffer()
    return data


@asynccontextmanager
async def slow_store() -> AsyncIterator[tuple[str, asyncio.Event]]:
    """A store that has no blob, and says so only once it is released."""
    release = asyncio.Event()

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        await release.wait()
        writer.write(b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
        writer.close()

    listening = await asyncio.start_server(answer, "127.0.0.1", 0)
    async with listening:
        yield f"http://127.0.0.1:{listening.sockets[0].getsockname()[1]}", release


async def test_a_photo_goes_its_way_by_signed_urls(server: tuple[str, Any, Path], tmp_path: Path) -> None:
    settings = ScoringSettings(url=f"{server[0]}/score", key=SecretStr(KEY))
    client = ScoringClient(settings)
    async with running_web_api(tmp_path) as web:
        blobs = web.parts.blobs
        await blobs.write("raw", "acme/photo", photo(), content_type="image/jpeg")
        await blobs.write("raw", "acme/text", b"no photo", content_type="image/jpeg")

        async def url(container: str, path: str, permission: Permission) -> str:
            return (await blobs.signed_url(container, path, permission)).url

        request = ScoreRequest(
            tenant_id="acme",
            job_id="job",
            item_id="item",
            input_image_sas=await url("raw", "acme/photo", Permission.READ),
            scene="studio-warm",
            output_sas=OutputSas(
                scene=await url("outputs", "acme/scene.png", Permission.CREATE),
                matte=await url("outputs", "acme/matte.png", Permission.CREATE),
            ),
        )
        answer = await client.score(request, "order-7")
        assert answer.image_bytes_b64 is None
        assert answer.meta.fidelity["share_within_de1"] > 0.999
        matte = read_matte(await blobs.read("outputs", "acme/matte.png"))
        assert matte.shape == (answer.meta.photo_height, answer.meta.photo_width)
        assert (await blobs.info("outputs", "acme/scene.png")).size > 0

        for path, code in ("acme/text", "unsupported_format"), ("acme/gone", "blob_not_found"):
            refused = request.model_copy(update={"input_image_sas": await url("raw", path, Permission.READ)})
            with pytest.raises(PhotoRefused) as caught:
                await client.score(refused, "order-8")
            assert caught.value.code == code
    await client.close()
    log = server[2].read_text("utf-8")
    assert "order-7" in log
    assert "sig=" not in log.replace("sig=[removed]", "")


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        (b"", 400, "invalid_json"),
        (b"{", 400, "invalid_json"),
        (b"\xff", 400, "invalid_json"),
        (b"[" * 100_000, 400, "invalid_json"),
        (b"[]", 422, "invalid_request"),
        (b'{"tenant_id": "a"}', 422, "invalid_request"),
        (b'{"task": "cutout", "tenant_id": "a", "image_bytes_b64": "?"}', 422, "invalid_request"),
        (b" " * (MOST + 1), 413, "body_too_large"),
    ],
    ids=lambda value: str(value)[:12],
)
def test_a_body_that_is_no_request(client: httpx.Client, body: bytes, status: int, code: str) -> None:
    answer = client.post("/score", content=body)
    assert code_of(answer) == (status, code, False)
    assert answer.headers["content-type"] == "application/json"


def test_a_body_without_a_length_is_bounded_too(client: httpx.Client) -> None:
    answer = client.post("/score", content=(b" " * 65_536 for _ in range(MOST // 65_536 + 1)))
    assert code_of(answer) == (413, "body_too_large", False)


def test_another_method_is_answered_in_the_same_shape(client: httpx.Client) -> None:
    answer = client.get("/score")
    assert code_of(answer) == (405, "method_not_allowed", False)
    assert answer.headers["allow"] == "POST"


@pytest.mark.parametrize("header", ["", "Bearer wrong", KEY])
def test_a_key_is_asked_for_where_one_is_set(client: httpx.Client, header: str) -> None:
    answer = client.post("/score", json=NOWHERE, headers={"Authorization": header})
    assert code_of(answer) == (401, "unauthorized", False)
    assert answer.headers["www-authenticate"] == "Bearer"


def test_a_photo_that_cannot_be_fetched_may_be_tried_again(
    client: httpx.Client, server: tuple[str, Any, Path]
) -> None:
    answer = client.post("/score", json=NOWHERE, headers={"X-Correlation-Id": "order-9"})
    assert code_of(answer) == (424, "blob_store_unavailable", True)
    assert (answer.headers["retry-after"], answer.headers["x-correlation-id"]) == ("1", "order-9")
    assert "hunter2" not in answer.text + server[2].read_text("utf-8")


def test_a_bare_cut_out_is_answered_inline(client: httpx.Client) -> None:
    # With an alpha of its own, so that the network need not look at it.
    data = base64.b64encode(rgba()).decode()
    answer = client.post("/score", json={"task": "cutout", "tenant_id": "acme", "image_bytes_b64": data})
    assert answer.status_code == 200, answer.text
    matte = read_matte(base64.b64decode(answer.json()["matte_bytes_b64"]))
    assert (matte[0, 0], matte[32, 32]) == (0, 1)


async def test_of_three_photos_one_is_told_to_come_back_and_probes_do_not_wait(
    server: tuple[str, Any, Path],
) -> None:
    headers = {"Authorization": f"Bearer {KEY}"}
    async with (
        slow_store() as (address, release),
        httpx.AsyncClient(base_url=server[0], headers=headers, trust_env=False, timeout=60) as client,
    ):
        body = {**NOWHERE, "input_image_sas": f"{address}/photo"}
        asked = [asyncio.create_task(client.post("/score", json=body)) for _ in range(3)]
        done, waiting = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
        assert [code_of(task.result()) for task in done] == [(429, "scoring_busy", True)]
        assert (await client.get("/")).text == "Healthy"
        assert not any(task.done() for task in waiting)
        release.set()
        answers = await asyncio.gather(*waiting)
    assert [code_of(answer)[1] for answer in answers] == ["blob_not_found"] * 2


async def test_it_stops_cleanly_when_told_to(server: tuple[str, subprocess.Popen[bytes], Path]) -> None:
    url, process, log = server
    process.send_signal(signal.SIGTERM)
    assert await asyncio.to_thread(process.wait, 60) == 0
    assert "Traceback" not in log.read_text("utf-8").partition("order-9")[2]
    client = ScoringClient(ScoringSettings(url=f"{url}/score", attempts=1))
    with pytest.raises(ScoringUnavailable):
        await client.score(ScoreRequest.model_validate(NOWHERE), "order-10")
    await client.close()

"""A real `opal scoring` with two engines: a photo is cut out by the one that its request names."""

import base64
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import numpy as np
import pytest
from pydantic import SecretStr
from tests.journeys.opal_process import lines_until, opal, running
from tests.services.http_services import WebApi, running_web_api

from opal.blobs.interface import Permission
from opal.cli.ports import free_ports
from opal.cutout.models import MODELS
from opal.errors import PhotoRefused, UnknownEngine
from opal.images.matte import Matte, read_matte
from opal.messages.scoring_contract import ScoreRequest, ScoreResponse
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings

pytestmark = pytest.mark.xdist_group("network")

KEY = "endpoint-key"
PHOTO = Path(__file__).parents[2] / "samples" / "photos" / "stoneware-mug.jpg"


@pytest.fixture(scope="module")
def endpoint(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ScoringSettings]:
    """`opal scoring` with the default engine and another; its settings as a client has them."""
    folder = tmp_path_factory.mktemp("scoring")
    [port] = free_ports(1)
    changes = {
        "OPAL_SCORING_PORT": str(port),
        "OPAL_SCORING_KEY": KEY,
        "OPAL_SCORING_ENGINES": "isnet-small",
    }
    pulled = opal("models", "pull", "isnet", "isnet-small", cwd=folder)
    assert pulled.returncode == 0, pulled.stderr
    with running("scoring", cwd=folder, changes=changes) as process:
        lines_until(process, "models loaded")
        yield ScoringSettings(url=f"http://127.0.0.1:{port}/score", key=SecretStr(KEY), attempts=1)


@pytest.fixture
async def web(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as web:
        await web.parts.blobs.write("raw", "acme/photo", PHOTO.read_bytes(), content_type="image/jpeg")
        yield web


async def scored(web: WebApi, endpoint: ScoringSettings, engine: str | None) -> ScoreResponse:
    url = (await web.parts.blobs.signed_url("raw", "acme/photo", Permission.READ)).url
    request = ScoreRequest(
        tenant_id="acme", job_id="job", item_id="item", input_image_sas=url, scene="white", engine=engine
    )
    client = ScoringClient(endpoint)
    try:
        return await client.score(request, "corr-1")
    finally:
        await client.close()


def matte_of(answer: ScoreResponse) -> Matte:
    assert answer.matte_bytes_b64 is not None
    return read_matte(base64.b64decode(answer.matte_bytes_b64))


async def test_each_engine_cuts_out_in_its_own_way_and_is_named(
    web: WebApi, endpoint: ScoringSettings
) -> None:
    plain = await scored(web, endpoint, None)
    named = await scored(web, endpoint, "isnet")
    small = await scored(web, endpoint, "isnet-small")
    again = await scored(web, endpoint, "isnet-small")
    assert [each.meta.cutout_engine for each in (plain, named, small)] == ["isnet", "isnet", "isnet-small"]
    for answer, model in ((plain, "isnet"), (small, "isnet-small")):
        assert [(used.name, used.sha256) for used in answer.meta.models] == [(model, MODELS[model].sha256)]
    np.testing.assert_array_equal(matte_of(named), matte_of(plain))
    np.testing.assert_array_equal(matte_of(again), matte_of(small))
    # Two views of one mug: much alike, and not the same.
    difference = np.abs(matte_of(small) - matte_of(plain))
    assert 0 < difference.mean() < 0.05
    assert difference.max() > 0.1


async def test_an_engine_that_is_not_offered_is_refused_for_good(
    web: WebApi, endpoint: ScoringSettings
) -> None:
    with pytest.raises(PhotoRefused) as refused:
        await scored(web, endpoint, "isnet-int8")
    assert refused.value.code == UnknownEngine.code
    assert "Offered: isnet, isnet-small." in refused.value.message
    body = {
        "tenant_id": "a",
        "job_id": "j",
        "item_id": "i",
        "input_image_sas": "http://127.0.0.1:1/",
        "engine": "x",
    }
    async with httpx.AsyncClient(headers={"Authorization": f"Bearer {KEY}"}, trust_env=False) as client:
        answer = await client.post(endpoint.url, json=body)
    assert (answer.status_code, answer.json()["error"]["retryable"]) == (422, False)


def test_an_engine_whose_weights_are_missing_is_told_at_the_start(tmp_path: Path) -> None:
    changes = {"OPAL_SCORING_PORT": "0", "OPAL_SCORING_ENGINES": "isnet-int8"}
    started = opal("scoring", cwd=tmp_path, changes={**changes, "OPAL_MODELS_DIR": str(tmp_path)})
    assert started.returncode != 0
    assert "isnet-int8" in started.stdout + started.stderr

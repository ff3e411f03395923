"""web-api, the placement endpoint and both workers on one event loop: the whole way, without the network.

The placement endpoint is the real HTTP one with the real decoder; its cut-out is an ellipse.
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import numpy as np
from tests.faults.instant_endpoint import PUT_HEADERS, meta, pictures
from tests.services.http_services import NO_CERTIFICATES, WebApi, bound_socket, running_web_api, served

from opal.errors import NoProductFound
from opal.export_worker.app import build_worker as build_exports
from opal.images.decode import decode_photo
from opal.messages.scoring_contract import ScoreMeta, ScoreRequest, ScoreResponse
from opal.orchestrator.app import build_worker as build_jobs
from opal.scoring.app import create_app
from opal.scoring.model_slots import ModelSlots
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings
from opal.worker.health import Heartbeat


def score(request: ScoreRequest) -> ScoreResponse:
    """Fetch, decode, store: as the true ``run`` does, with an ellipse for a cut-out."""
    fetched = httpx.get(request.input_image_sas, trust_env=False, verify=NO_CERTIFICATES).raise_for_status()
    seen = decode_photo(fetched.content)
    if np.ptp(seen.pixels) == 0:
        raise NoProductFound
    assert request.output_sas is not None
    urls = (request.output_sas.scene, request.output_sas.matte)
    for url, data in zip(urls, pictures(seen.width, seen.height), strict=True):
        httpx.put(
            url, content=data, headers=PUT_HEADERS, trust_env=False, verify=NO_CERTIFICATES
        ).raise_for_status()
    told = {**meta(seen.width, seen.height, request.seed), "cutout_engine": request.engine or "isnet"}
    return ScoreResponse(meta=ScoreMeta.model_validate(told))


@asynccontextmanager
async def everything(folder: Path, **groups: Any) -> AsyncIterator[WebApi]:
    """web-api, the placement endpoint and both workers, on one loop; ``groups`` replace settings."""
    bound, url = bound_socket()
    scoring = ScoringSettings(url=f"{url}/score", engines="isnet-small")
    slots = ModelSlots(lambda: None, score, concurrency=2)
    await slots.load()
    stop = asyncio.Event()
    async with (
        running_web_api(folder, scoring=scoring, **groups) as api,
        served(create_app(scoring, slots), bound),
    ):
        client = ScoringClient(scoring)
        try:
            async with asyncio.TaskGroup() as workers:
                workers.create_task(build_jobs(api.parts, client, Heartbeat()).run(stop))
                workers.create_task(build_exports(api.parts, Heartbeat()).run(stop))
                try:
                    yield api
                finally:
                    stop.set()
        finally:
            await client.close()

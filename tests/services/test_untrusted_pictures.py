"""Hostile files through the services: every one is answered with a documented code, and nobody falls over.

`OPAL_TEST_MUTANTS` says here as well how many, a tenth of it and at most what the tenant has credits for.
"""

import base64
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.services.http_services import CREDITS, WebApi, photo, running_web_api
from tests.services.removebg_world import plain_photo, removebg_api
from tests.unit.bombs import bombs
from tests.unit.mutants import mutant

from opal.errors import InvalidPhoto, PhotoRefused, walk
from opal.web_api.removebg_errors import TITLES

MUTANTS = int(os.environ.get("OPAL_TEST_MUTANTS", "204")) // 10
MUTANTS = min(MUTANTS, CREDITS - 10)
QUICKLY_MADE = ("interlaced PNG 6", "GIF", "WebP at", "AVIF at")
CODES = {kind.code for kind in walk(InvalidPhoto) if kind is not PhotoRefused}


def hostile() -> list[bytes]:
    """Mutants of every format, and those bombs that are quickly made."""
    made = [make() for name, (make, _) in bombs().items() if name.startswith(QUICKLY_MADE)]
    return [*(mutant(number) for number in range(MUTANTS)), *made]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def test_every_upload_is_accepted_or_refused_with_a_code(api: WebApi) -> None:
    files = [*hostile(), photo()]
    for number, data in enumerate(files):
        job = await api.job()
        assert (await api.put(await api.ticket(job), data)).status_code == 201
        answer = await api.complete(job)
        if answer.status_code != 200:
            assert answer.status_code in {415, 422}, (number, answer.text)
            assert answer.json()["code"] in CODES, number
    # The last is an ordinary photo: it meets the same service, unharmed.
    assert answer.status_code == 200
    assert (await api.client.get("/readyz")).status_code == 200


async def test_every_picture_at_once_is_made_or_refused_with_a_code(tmp_path: Path) -> None:
    # The endpoint beside web-api decodes them as well.
    async with removebg_api(tmp_path) as api:
        for number, data in enumerate([*hostile(), plain_photo("png")]):
            body = {"image_file_b64": base64.b64encode(data).decode()}
            answer = await api.client.post("/v1.0/removebg", json=body)
            if answer.status_code != 200:
                assert answer.status_code == 400, (number, answer.text)
                assert answer.json()["errors"][0]["code"] in TITLES, number
        assert answer.status_code == 200

"""Presets of one's own over HTTP: kept, refused, used by a job, and never seen by another tenant."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.services.http_services import WebApi, running_web_api

from opal.database import jobs, presets
from opal.database.presets import MOST
from opal.web_api.recipe import presets_of

HOUSE = """
channel = "our shop"
[[presets]]
name = "house-main"
title = "Our shop"
description = "On our grey."
width = {width}
height = 900
format = "jpeg"
ground = "colour"
colour = "#f4f4f4"
fill = 0.8
"""


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def put(api: WebApi, toml: str, name: str = "house-main") -> httpx.Response:
    return await api.client.put(f"/v1/presets/{name}", json={"toml": toml})


async def listed(client: httpx.AsyncClient) -> tuple[list[str], dict[str, Any]]:
    document = (await client.get("/v1/presets")).json()
    return document["own"], {preset["name"]: preset for preset in document["presets"]}


async def test_a_preset_is_kept_listed_replaced_and_deleted(api: WebApi) -> None:
    first = await put(api, HOUSE.format(width=900))
    assert (first.status_code, first.json()["width"]) == (201, 900)
    assert {"rule": "width", "equals": 900.0}.items() <= first.json()["rules"][0].items()
    again = await put(api, HOUSE.format(width=1000))
    assert (again.status_code, again.json()["width"]) == (200, 1000)
    own, by_name = await listed(api.client)
    assert (own, by_name["house-main"]) == (["house-main"], again.json())
    assert (await listed(api.other))[0] == []
    assert (await api.other.delete("/v1/presets/house-main")).status_code == 404
    assert (await api.client.delete("/v1/presets/house-main")).status_code == 204
    gone = await api.client.delete("/v1/presets/house-main")
    assert (gone.status_code, gone.json()["code"]) == (404, "not_found")
    assert (await listed(api.client))[0] == []


async def test_a_job_keeps_the_preset_it_was_made_with(api: WebApi) -> None:
    await put(api, HOUSE.format(width=900))
    job = await api.job(presets=["house-main", "square-1x1"])
    assert job["presets"] == ["house-main", "square-1x1"]
    await put(api, HOUSE.format(width=1000))
    await api.client.delete("/v1/presets/house-main")
    async with api.parts.database.read() as connection:
        stored = await jobs.get_job(connection, job["id"])
    assert stored is not None
    assert [(preset.name, preset.width) for preset in presets_of(stored.recipe)] == [
        ("house-main", 900),
        ("square-1x1", 2000),
    ]
    refused = await api.client.post(
        "/v1/jobs", json={"presets": ["house-main"], "items": [{"filename": "a.jpg"}]}
    )
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_preset")


async def test_another_tenant_cannot_name_it(api: WebApi) -> None:
    await put(api, HOUSE.format(width=900))
    body = {"presets": ["house-main"], "items": [{"filename": "a.jpg"}]}
    refused = await api.other.post("/v1/jobs", json=body)
    assert (refused.status_code, refused.json()["code"]) == (422, "unknown_preset")
    assert "house-main," not in refused.json()["detail"]


@pytest.mark.parametrize(
    ("toml", "said"),
    [
        ("[[presets]", "not valid TOML"),
        ("a = " + "[" * 5000, "not valid TOML"),
        ("channel = 'x'", "presets"),
        (HOUSE.format(width=20), "width"),
        (HOUSE.format(width=900).replace("fill = 0.8", "fill = nan"), "fill"),
        (HOUSE.format(width=900).replace("fill = 0.8", "fill = 0.01"), "24 or more"),
        (HOUSE.format(width=900).replace("On our", "On \\u0000 our"), "U+0000"),
        (HOUSE.format(width=900).replace("house-main", "other"), "'house-main' is wanted"),
        (HOUSE.format(width=900) + "[[presets.rules]]\nrule = 'width'\nminimum = inf\n", "minimum"),
        (HOUSE.format(width=900) + "[[presets.rules]]\nrule = 'width'\nequals = 901\n", "never be kept"),
    ],
)
async def test_nonsense_is_refused_with_its_key(api: WebApi, toml: str, said: str) -> None:
    answer = await put(api, toml)
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_preset")
    assert said in answer.json()["detail"]
    assert (await listed(api.client))[0] == []


async def test_the_name_of_everyones_preset_is_refused(api: WebApi) -> None:
    answer = await put(api, HOUSE.format(width=900).replace("house-main", "amazon-main"), "amazon-main")
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_preset")
    assert (await put(api, HOUSE.format(width=900), "Not A Name")).json()["code"] == "invalid_request"


async def test_there_is_an_end_to_them(api: WebApi) -> None:
    async with api.parts.database.transaction() as connection:
        for number in range(MOST):
            await presets.save_preset(connection, "acme", f"p-{number}", {"name": f"p-{number}"})
    answer = await put(api, HOUSE.format(width=900))
    assert (answer.status_code, answer.json()["code"]) == (422, "too_many_presets")
    # What cannot be read any more is left out, and does not keep the others from being used.
    assert (await listed(api.client))[0] == []
    assert (await api.client.delete("/v1/presets/p-0")).status_code == 204
    assert (await put(api, HOUSE.format(width=900))).status_code == 201
    assert (await listed(api.client))[0] == ["house-main"]

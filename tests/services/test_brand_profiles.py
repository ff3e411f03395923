"""Brand profiles over HTTP: kept, changed by one at a time, used by jobs, and honest about what is gone."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from tests.services.http_services import WebApi, running_web_api
from tests.services.test_web_api_presets import HOUSE

from opal.database import brand_profiles, jobs
from opal.database.brand_profiles import MOST
from opal.items.item import Recipe

OAK = {
    "name": "Oak and soft",
    "scene": "studio-oak",
    "placement": {"margin": 0.1, "shadow": "soft"},
    "presets": ["square-1x1", "amazon-main"],
    "seed": 7,
}
PATH = "/v1/brand-profiles"


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


async def kept(api: WebApi, **fields: Any) -> dict[str, Any]:
    answer = await api.client.post(PATH, json={**OAK, **fields})
    assert answer.status_code == 201, answer.text
    assert answer.headers["Location"] == f"{PATH}/{answer.json()['id']}"
    return dict(answer.json())


def code(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def test_a_profile_is_kept_read_changed_and_deleted(api: WebApi) -> None:
    made = await kept(api)
    assert {**OAK, "version": 1, "missing_presets": [], "missing_backdrop": False}.items() <= made.items()
    address = f"{PATH}/{made['id']}"
    assert (await api.client.get(address)).json() == made
    changed = await api.client.put(address, json={**OAK, "name": "Oak", "scene": "white", "version": 1})
    assert changed.status_code == 200, changed.text
    assert (changed.json()["version"], changed.json()["scene"]) == (2, "white")
    # The same again, as after an answer that got lost, is the same answer; anything else is too late.
    again = await api.client.put(address, json={**OAK, "name": "Oak", "scene": "white", "version": 1})
    assert again.json() == changed.json()
    late = await api.client.put(address, json={**OAK, "version": 1})
    assert code(late) == (409, "brand_profile_changed")
    assert (await api.client.get(PATH)).json() == {"brand_profiles": [changed.json()]}
    assert (await api.client.delete(address)).status_code == 204
    assert code(await api.client.delete(address)) == (404, "unknown_brand_profile")
    assert code(await api.client.put(address, json={**OAK, "version": 2})) == (404, "unknown_brand_profile")


async def test_of_two_who_change_it_at_once_one_is_told(api: WebApi) -> None:
    made = await kept(api)
    bodies = [{**OAK, "name": f"Oak {number}", "version": 1} for number in range(4)]
    answers = await asyncio.gather(*(api.client.put(f"{PATH}/{made['id']}", json=body) for body in bodies))
    assert sorted(answer.status_code for answer in answers) == [200, 409, 409, 409]


async def test_a_name_is_there_once_for_a_tenant(api: WebApi) -> None:
    await kept(api)
    other = await kept(api, name="Another")
    assert code(await api.client.post(PATH, json=OAK)) == (409, "brand_profile_name_taken")
    renamed = await api.client.put(f"{PATH}/{other['id']}", json={**OAK, "version": 1})
    assert code(renamed) == (409, "brand_profile_name_taken")
    assert (await api.other.post(PATH, json=OAK)).status_code == 201
    assert (await api.other.get(f"{PATH}/{other['id']}")).status_code == 404


@pytest.mark.parametrize(
    ("fields", "status", "expected"),
    [
        ({"scene": "moon"}, 422, "unknown_scene"),
        ({"scene": {"kind": "solid", "colour": "red"}}, 422, "invalid_scene"),
        ({"scene": {"kind": "backdrop", "picture": f"backdrop_{'0' * 24}"}}, 404, "unknown_backdrop"),
        ({"placement": {"margin": 0.1, "fill": 0.5}}, 422, "invalid_placement"),
        ({"presets": ["nobody-main"]}, 422, "unknown_preset"),
        ({"presets": []}, 422, "invalid_request"),
        ({"name": ""}, 422, "invalid_request"),
        ({"items": []}, 422, "invalid_request"),
    ],
)
async def test_it_is_checked_as_a_jobs_is(
    api: WebApi, fields: dict[str, Any], status: int, expected: str
) -> None:
    assert code(await api.client.post(PATH, json={**OAK, **fields})) == (status, expected)
    assert (await api.client.get(PATH)).json()["brand_profiles"] == []


async def recipe_of(api: WebApi, job_id: str) -> Recipe:
    async with api.parts.database.read() as connection:
        stored = await jobs.get_job(connection, job_id)
    assert stored is not None
    return stored.recipe


async def test_a_job_takes_what_it_does_not_say_itself(api: WebApi) -> None:
    made = await kept(api)
    whole = await recipe_of(api, (await api.job(brand_profile=made["id"]))["id"])
    assert (whole.scene, whole.placement, whole.seed) == ("studio-oak", OAK["placement"], 7)
    assert list(whole.presets) == OAK["presets"]
    some = await api.job(brand_profile=made["id"], scene="white", presets=["square-1x1"], seed=0)
    recipe = await recipe_of(api, some["id"])
    assert (recipe.scene, recipe.presets, recipe.seed) == ("white", ("square-1x1",), 0)
    assert recipe.placement == OAK["placement"]
    body = {"items": [{"filename": "a.jpg"}], "brand_profile": made["id"]}
    assert code(await api.other.post("/v1/jobs", json=body)) == (404, "unknown_brand_profile")
    key = {"Idempotency-Key": "once"}
    first = await api.client.post("/v1/jobs", json=body, headers=key)
    assert (await api.client.delete(f"{PATH}/{made['id']}")).status_code == 204
    # A repeat gets its answer, whatever became of the profile.
    assert (await api.client.post("/v1/jobs", json=body, headers=key)).text == first.text
    assert code(await api.client.post("/v1/jobs", json=body)) == (404, "unknown_brand_profile")


async def test_what_is_gone_is_said_with_the_profiles_name(api: WebApi) -> None:
    toml = HOUSE.format(width=900)
    assert (await api.client.put("/v1/presets/house-main", json={"toml": toml})).status_code == 201
    backdrop_id = await api.backdrop()
    scene = {"kind": "backdrop", "picture": backdrop_id}
    made = await kept(api, scene=scene, presets=["house-main", "square-1x1"])
    assert (await api.client.delete("/v1/presets/house-main")).status_code == 204
    refused = await api.client.post(
        "/v1/jobs", json={"brand_profile": made["id"], "items": [{"filename": "a.jpg"}]}
    )
    assert code(refused) == (422, "unknown_preset")
    assert "'Oak and soft'" in refused.json()["detail"]
    assert (await api.client.delete(f"/v1/backdrops/{backdrop_id}")).status_code == 204
    [seen] = (await api.client.get(PATH)).json()["brand_profiles"]
    assert (seen["missing_presets"], seen["missing_backdrop"]) == (["house-main"], True)
    refused = await api.client.post(
        "/v1/jobs",
        json={"brand_profile": made["id"], "presets": ["square-1x1"], "items": [{"filename": "a.jpg"}]},
    )
    assert code(refused) == (404, "unknown_backdrop")
    assert "'Oak and soft'" in refused.json()["detail"]
    assert (await api.job(brand_profile=made["id"], scene="white", presets=["square-1x1"]))["id"]


async def test_there_is_an_end_to_them(api: WebApi) -> None:
    recipe = Recipe("white", {}, ("square-1x1",), "", 0)
    async with api.parts.database.transaction() as connection:
        for number in range(MOST):
            await brand_profiles.create_profile(connection, "acme", f"profile {number}", recipe)
    assert code(await api.client.post(PATH, json=OAK)) == (409, "too_many_brand_profiles")

"""``DELETE /v1/tenants/me/data``: everything goes but the ledger, whatever dies, and there is a receipt."""

import asyncio
import hashlib
import json
import time
from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import func, select, update
from tests.services.finished_job import finished_job
from tests.services.http_services import CREDITS, OTHER, TENANT, WebApi, photo, running_web_api
from tests.services.tenant_world import HOUSE_PRESET

from opal.blobs.interface import CONTAINERS
from opal.database import erasures, invariants, items, ledger, picture_charges, tables
from opal.database.engine import utc_now
from opal.database.erasures import KEPT
from opal.database.items import Claimed, Stage
from opal.items.states import ItemState
from opal.outgoing_settings import DeliverySettings, OutgoingSettings
from opal.settings import RemoveBgSettings, SweeperSettings
from opal.upkeep.erasure import Eraser

CONFIRMED = {"X-Confirm-Delete": TENANT}
_DATA = "/v1/tenants/me/data"
_WITH_TENANT = [table for table in tables.metadata.sorted_tables if "tenant_id" in table.c]


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    (tmp_path / "root").mkdir()
    groups: dict[str, Any] = {
        "outgoing": OutgoingSettings(private_addresses="allow"),
        "delivery": DeliverySettings(folder_root=tmp_path / "root"),
        # Its loop has a turn when it is kicked, and else not within a test.
        "sweeper": SweeperSettings(interval_s=3600),
        "removebg": RemoveBgSettings(improve_folder=tmp_path / "improve"),
    }
    async with running_web_api(tmp_path / "data", **groups) as api:
        yield api


async def everything_there_is(api: WebApi) -> dict[str, Any]:
    """A bit of everything: a finished job, one under way, one waiting for pictures, and all settings."""
    hook = await api.client.post("/v1/webhooks", json={"url": "http://127.0.0.1:1/hook"})
    assert hook.status_code == 201, hook.text
    await api.client.post("/v1/delivery-targets", json={"destination": {"kind": "folder", "folder": "shop"}})
    await api.client.put("/v1/public-links", json={"jobs": "all"})
    await api.backdrop()
    finished = await api.job("a.jpg")
    await api.upload(finished, photo())
    await api.finish(finished["items"][0]["id"], {"square-1x1": b"jpeg"})
    under_way = await api.job("b.jpg", "c.jpg", "d.jpg")
    for index in range(2):
        await api.upload(under_way, photo(), index)
    await complete(api, under_way["items"][0]["id"])
    improved = api.parts.settings.removebg.improve_folder
    assert improved is not None
    (improved / TENANT / "2026-01-01").mkdir(parents=True)
    (improved / TENANT / "2026-01-01" / "a.jpeg").write_bytes(b"x")
    return {"finished": finished, "under_way": under_way}


async def complete(api: WebApi, item_id: str) -> None:
    async with api.parts.database.transaction() as connection:
        claimed = await items.claim(connection, item_id, Stage.PROCESS, lease_s=60, by="test")
        assert isinstance(claimed, Claimed)
        moved = await items.move(connection, claimed.item, ItemState.COMPLETED, by="test")
        await ledger.debit(connection, moved)


async def let_late_writers_end(api: WebApi) -> None:
    """As if twenty minutes had passed."""
    async with api.parts.database.transaction() as connection:
        past = utc_now() - timedelta(seconds=1)
        await connection.execute(update(tables.erasures).values(late_until=past))
    api.parts.upkeep.kick()


async def done(api: WebApi, address: str) -> dict[str, Any]:
    """The receipt, once it is done."""
    give_up_at = time.monotonic() + 60
    while time.monotonic() < give_up_at:
        answer = (await api.client.get(address)).json()
        if answer["state"] == "done":
            return dict(answer)
        await asyncio.sleep(0.05)
    pytest.fail("the erasure did not end")


async def rows_of(api: WebApi, tenant: str) -> dict[str, int]:
    """How many rows of each table the tenant has."""
    async with api.parts.database.read() as connection:
        counts = {}
        for table in _WITH_TENANT:
            query = select(func.count()).select_from(table).where(table.c.tenant_id == tenant)
            counts[table.name] = int(await connection.scalar(query) or 0)
        return {name: count for name, count in counts.items() if count}


async def blobs_of(api: WebApi, tenant: str) -> list[str]:
    return [blob.path for each in CONTAINERS async for blob in api.parts.blobs.walk(each, f"{tenant}/")]


async def sound(api: WebApi) -> bool:
    async with api.parts.database.read() as connection:
        return not any(each.count for each in await invariants.examine(connection))


async def test_all_goes_but_the_ledger_and_the_receipt_says_so(api: WebApi, tmp_path: Path) -> None:
    await everything_there_is(api)
    answer = await api.client.delete(_DATA, headers=CONFIRMED)
    assert answer.status_code == 202, answer.text
    address = answer.headers["Location"]
    # While workers that were under way may still write, it is not done; asked again, it is the same.
    again = await api.client.delete(_DATA, headers=CONFIRMED)
    assert (again.status_code, again.json()["id"]) == (202, answer.json()["id"])
    await let_late_writers_end(api)
    receipt = await done(api, address)
    assert set(await rows_of(api, TENANT)) <= KEPT
    assert await blobs_of(api, TENANT) == []
    assert not (tmp_path / "improve" / TENANT).exists()
    text = json.loads(receipt["receipt"])
    assert hashlib.sha256(receipt["receipt"].encode()).hexdigest() == receipt["sha256"]
    assert text["deleted"] == receipt["deleted"]
    expected = {
        "jobs": 2,
        "items": 4,
        "webhooks": 1,
        "delivery_targets": 1,
        "backdrops": 1,
        "improve_files": 1,
    }
    assert expected.items() <= receipt["deleted"].items()
    # The finished one stays charged; its pictures were made.
    assert (receipt["deleted"]["credits_released"], receipt["deleted"]["credits_refunded"]) == (2, 1)
    assert await api.credits() == (CREDITS - 1, 0)
    assert await sound(api)
    # Nothing is left: the same receipt.
    repeated = await api.client.delete(_DATA, headers=CONFIRMED)
    assert repeated.json() == receipt
    assert (await api.client.get(f"{_DATA}/receipts")).json() == {"receipts": [receipt]}
    assert (await api.client.get("/v1/jobs")).json()["jobs"] == []


async def test_others_and_what_came_later_stay(api: WebApi) -> None:
    await everything_there_is(api)
    theirs = await api.other.post("/v1/jobs", json={"items": [{"filename": "x.jpg"}]})
    before = await rows_of(api, OTHER)
    async with api.parts.database.transaction() as connection:
        wish = await erasures.request(connection, TENANT, late=timedelta(0))
    later = await api.job("later.jpg")
    await api.upload(later, photo())
    api.parts.upkeep.kick()
    await done(api, f"{_DATA}/receipts/{wish.id}")
    assert await rows_of(api, OTHER) == before
    assert (await api.other.get(f"/v1/jobs/{theirs.json()['id']}")).status_code == 200
    assert [job["id"] for job in (await api.client.get("/v1/jobs")).json()["jobs"]] == [later["id"]]
    assert len(await blobs_of(api, TENANT)) == 1
    assert await sound(api)
    # A new wish for what came later.
    answer = await api.client.delete(_DATA, headers=CONFIRMED)
    assert answer.json()["id"] != wish.id


async def some_of_each(api: WebApi, name: str) -> dict[str, str]:
    """A row in every table that an erasure empties: addresses of some, and the id of an ordered job."""
    ids = await finished_job(api, profile=f"shop {name}")
    toml = HOUSE_PRESET.format(name=f"house-{name}")
    answer = await api.client.put(f"/v1/presets/house-{name}", json={"toml": toml})
    assert answer.status_code == 201, answer.text
    await api.client.put("/v1/public-links", json={"jobs": "all"})
    async with api.parts.database.transaction() as connection:
        await picture_charges.charge(connection, TENANT, name, 1, "preview")
    improved = api.parts.settings.removebg.improve_folder
    assert improved is not None
    (improved / TENANT / "2026-01-01").mkdir(parents=True, exist_ok=True)
    (improved / TENANT / "2026-01-01" / f"{name}.json").write_bytes(b"{}")
    test = await api.client.post(f"/v1/webhooks/{ids['webhook_id']}/test")
    assert test.status_code < 300, test.text
    return {
        "job_id": await ordered(api, name),
        "job": f"/v1/jobs/{ids['job_id']}",
        "backdrop": f"/v1/backdrops/{ids['backdrop_id']}",
        "webhook": f"/v1/webhooks/{ids['webhook_id']}",
        "target": f"/v1/delivery-targets/{ids['target_id']}",
        "profile": f"/v1/brand-profiles/{ids['profile_id']}",
    }


async def ordered(api: WebApi, key: str) -> str:
    """The id of the job under an idempotency key."""
    body = {"items": [{"filename": f"{key}.jpg"}]}
    answer = await api.client.post("/v1/jobs", json=body, headers={"Idempotency-Key": key})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def test_something_of_every_table_that_came_later_stays_at_every_turn(
    api: WebApi, tmp_path: Path
) -> None:
    parts = api.parts
    gone = await some_of_each(api, "before")
    async with parts.database.transaction() as connection:
        wish = await erasures.request(connection, TENANT, late=timedelta(minutes=20))
    # While all of before is there still, whose webhook and target are told of it as well.
    later = await some_of_each(api, "later")
    eraser = Eraser(parts.database, parts.blobs, parts.settings.removebg.improve_folder)
    assert await eraser.turn(asyncio.Event()) == 0
    # There is one row of it, which was there before.
    await api.client.put("/v1/public-links", json={"jobs": "all"})
    after_one, blobs, money = await rows_of(api, TENANT), await blobs_of(api, TENANT), await api.credits()
    assert {table.name for table in erasures.settings_tables()} <= after_one.keys()
    assert await eraser.turn(asyncio.Event()) == 0
    await let_late_writers_end(api)
    receipt = await done(api, f"{_DATA}/receipts/{wish.id}")
    assert {table.name for table in erasures.settings_tables()} <= receipt["deleted"].keys()
    assert await rows_of(api, TENANT) == after_one
    left = [path for path in blobs if gone["backdrop"].rpartition("/")[2] not in path]
    assert (await blobs_of(api, TENANT), len(left)) == (left, len(blobs) - 1)
    for name in later.keys() - {"job_id"}:
        for addresses, status in ((gone, 404), (later, 200)):
            answer = await api.client.get(addresses[name])
            assert answer.status_code == status, (name, answer.text)
    # The key is known still: no second job, and nothing held for one.
    assert await ordered(api, "later") == later["job_id"]
    assert await api.credits() == money
    assert [each.name for each in (tmp_path / "improve").rglob("*.json")] == ["later.json"]
    assert await sound(api)


async def test_it_goes_on_after_a_death_at_any_step(api: WebApi) -> None:
    await everything_there_is(api)
    parts = api.parts
    async with parts.database.transaction() as connection:
        wish = await erasures.request(connection, TENANT, late=timedelta(0))
    steps = 0
    while True:
        # A process that ends after one more step than the one before it.
        steps += 1
        if await Eraser(parts.database, parts.blobs, None).turn(StopAfter(steps)):
            break
        assert await sound(api), f"after {steps} steps"
    assert steps > 5
    async with parts.database.read() as connection:
        finished = await erasures.tenant_erasure(connection, TENANT, wish.id)
    assert {"jobs": 2, "items": 4, "webhooks": 1}.items() <= finished.counts.items()
    assert set(await rows_of(api, TENANT)) <= KEPT
    assert await blobs_of(api, TENANT) == []


class StopAfter(asyncio.Event):
    """Set when it has been asked for the ``steps``-th time."""

    def __init__(self, steps: int) -> None:
        super().__init__()
        self._left = steps

    def is_set(self) -> bool:
        self._left -= 1
        return self._left < 0


async def test_without_the_tenants_own_id_nothing_is_deleted(api: WebApi) -> None:
    job = await api.job()
    for headers in ({}, {"X-Confirm-Delete": OTHER}, {"X-Confirm-Delete": "yes"}):
        answer = await api.client.delete(_DATA, headers=headers)
        assert (answer.status_code, answer.json()["code"]) == (409, "confirmation_needed")
    assert (await api.client.get(f"/v1/jobs/{job['id']}")).status_code == 200
    assert (await api.client.get(f"{_DATA}/receipts")).json() == {"receipts": []}
    assert (await api.anonymous.delete(_DATA, headers=CONFIRMED)).status_code == 401


async def test_receipts_are_the_tenants_own(api: WebApi) -> None:
    answer = await api.client.delete(_DATA, headers=CONFIRMED)
    address = answer.headers["Location"]
    assert (await done(api, address))["deleted"] == {}
    for client, place in ((api.other, address), (api.client, f"{_DATA}/receipts/erasure_x")):
        foreign = await client.get(place)
        assert (foreign.status_code, foreign.json()["code"]) == (404, "unknown_receipt")


def test_every_table_of_a_tenants_is_emptied_or_kept_on_purpose() -> None:
    emptied = {table.name for table in erasures.settings_tables()}
    of_jobs = {table.name for table in tables.metadata.sorted_tables if "job_id" in table.c} | {"jobs"}
    assert {table.name for table in _WITH_TENANT} - emptied - of_jobs <= KEPT

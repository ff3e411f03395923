"""A job's event stream: what it tells, how it resumes, and how it ends."""

import asyncio
import json
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI
from sqlalchemy import insert
from tests.services.http_services import TENANT, WebApi, photo, running_web_api

from opal.database.engine import utc_now
from opal.database.tables import item_events
from opal.web_api.event_tail import LONGEST_COMMIT, EventTail


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


@dataclass(frozen=True)
class Event:
    name: str
    id: int
    data: dict[str, Any]


async def events(answer: httpx.Response) -> AsyncIterator[Event]:
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif "event" in fields:
            yield Event(fields["event"], int(fields["id"]), json.loads(fields["data"]))
            fields = {}


async def follow(api: WebApi, job_id: str, last: int | None = None) -> list[Event]:
    headers = {} if last is None else {"Last-Event-ID": str(last)}
    async with api.client.stream("GET", f"/v1/jobs/{job_id}/events", headers=headers) as answer:
        assert answer.status_code == 200
        assert answer.headers["content-type"].startswith("text/event-stream")
        return [event async for event in events(answer)]


def tail(api: WebApi) -> EventTail:
    app = api.server.config.app
    assert isinstance(app, FastAPI)
    assert isinstance(app.state.event_tail, EventTail)
    return app.state.event_tail


async def test_a_stream_tells_the_whole_story_while_it_happens_and_ends_with_the_job(api: WebApi) -> None:
    job = await api.job()
    item_id = job["items"][0]["id"]
    seen: list[Event] = []
    async with api.client.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
        stream = events(answer)
        async for event in stream:
            seen.append(event)
            if event.name == "job" and event.data["status"] == "created":
                assert not tail(api).idle.is_set()
                assert (await api.upload(job, photo())).status_code == 200
            if event.name == "job" and event.data["counts"].get("queued"):
                await api.finish(item_id, {"square-1x1": b"jpeg"}, review=True)
    marked = [event.data["state"] for event in seen if event.name == "item" and event.data["review"]]
    assert marked == ["completed", "exported"]
    counted = [(event.data["review"], event.data["to_review"]) for event in seen if event.name == "job"]
    assert counted[-1] == (1, 1)
    states = [event.data["state"] for event in seen if event.name == "item"]
    assert states == ["created", "uploaded", "queued", "processing", "completed", "exported"]
    assert seen[-1].name == "job"
    assert (seen[-1].data["status"], seen[-1].data["finished"]) == ("finished", True)
    numbers = [event.id for event in seen]
    assert numbers == sorted(numbers)


async def test_a_client_that_comes_back_misses_nothing_and_hears_nothing_twice(api: WebApi) -> None:
    job = await api.job("a.jpg", "b.jpg")
    await api.upload(job, photo())
    await api.client.delete(f"/v1/jobs/{job['id']}")
    whole = await follow(api, job["id"])
    items = [event for event in whole if event.name == "item"]
    resumed = await follow(api, job["id"], last=items[1].id)
    assert [event for event in resumed if event.name == "item"] == items[2:]
    assert resumed[-1].data["status"] == "cancelled"


async def test_a_client_that_has_seen_the_end_is_told_to_stay_away(api: WebApi) -> None:
    job = await api.job()
    await api.client.delete(f"/v1/jobs/{job['id']}")
    last = (await follow(api, job["id"]))[-1].id
    answer = await api.client.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": str(last)})
    assert (answer.status_code, answer.content) == (204, b"")


async def test_a_failed_item_says_why(api: WebApi) -> None:
    job = await api.job()
    await api.upload(job, b"no photo at all")
    story = await follow(api, job["id"])
    failed = [event.data for event in story if event.name == "item"][-1]
    assert (failed["state"], failed["code"]) == ("failed", "unsupported_format")
    assert failed["next_steps"] == ["replace"]
    assert story[-1].data["status"] == "failed"


async def test_the_event_table_is_only_looked_at_while_somebody_listens(api: WebApi) -> None:
    job = await api.job()
    assert tail(api).idle.is_set()
    async with api.client.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
        await anext(events(answer))
        assert not tail(api).idle.is_set()
    async with asyncio.timeout(10):
        await tail(api).idle.wait()


async def test_an_open_stream_does_not_hold_up_the_end(api: WebApi) -> None:
    job = await api.job()
    async with api.client.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
        stream = events(answer)
        await anext(stream)
        api.server.should_exit = True
        async with asyncio.timeout(3):
            rest = [event async for event in stream]
    assert [event.name for event in rest] in (["job"], [])


async def test_a_quiet_stream_is_kept_open_with_comments(
    api: WebApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    # FastAPI's own interval is 15 s; it offers the name for tests.
    monkeypatch.setattr("fastapi.routing._PING_INTERVAL", 0.05)
    job = await api.job()
    comments = 0
    async with asyncio.timeout(10):
        async with api.client.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
            assert answer.headers["cache-control"] == "no-cache"
            async for line in answer.aiter_lines():
                comments += line.startswith(":")
                if comments == 2:
                    break
    assert comments == 2


async def write_event(api: WebApi, job: dict[str, Any], seq: int, age_s: float = 0.0) -> None:
    """An event under a number of our choice, as a transaction of PostgreSQL may commit it."""
    values = {
        "seq": seq,
        "tenant_id": TENANT,
        "job_id": job["id"],
        "item_id": job["items"][0]["id"],
        "target": "created",
        "attempt": seq,
        "details": {},
        "at": utc_now() - timedelta(seconds=age_s),
    }
    async with api.parts.database.transaction() as connection:
        await connection.execute(insert(item_events).values(**values))


async def test_an_event_that_is_committed_late_is_heard_in_its_turn(api: WebApi) -> None:
    job = await api.job()
    async with asyncio.timeout(20):
        async with api.client.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
            stream = events(answer)
            begun = [await anext(stream), await anext(stream)]
            last = begun[-1].id
            async with tail(api).follow() as changed:
                await write_event(api, job, last + 2)
                await changed.wait()
            assert tail(api).settled == last
            await write_event(api, job, last + 1)
            assert [(await anext(stream)).id for _ in range(2)] == [last + 1, last + 2]
            # The number before it was rolled back: nobody waits for it for ever.
            await write_event(api, job, last + 4, age_s=LONGEST_COMMIT.total_seconds() + 1)
            assert (await anext(stream)).id == last + 4


async def test_a_wrong_resume_number_is_refused(api: WebApi) -> None:
    job = await api.job()
    answer = await api.client.get(f"/v1/jobs/{job['id']}/events", headers={"Last-Event-ID": "last"})
    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")

"""A photo's way in: signed URLs that write once, and every photo that cannot be used."""

import asyncio
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pyvips
from sqlalchemy import select, update
from tests.services.http_services import CREDITS, TENANT, WebApi, ids, photo, running_web_api

from opal.blobs.interface import Permission
from opal.database import items, tables
from opal.database.engine import utc_now
from opal.errors import BlobNotFound
from opal.settings import PhotoSettings

MAX_BYTES = 500_000


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    limits = PhotoSettings(max_bytes=MAX_BYTES, max_pixels=1_000_000, max_side=2000)
    async with running_web_api(tmp_path, photo=limits) as running:
        yield running


def animated() -> bytes:
    frames = pyvips.Image.new_from_array(np.random.default_rng(1).integers(0, 255, (200, 100, 3), np.uint8))
    frames = frames.copy(interpretation="srgb")
    frames.set_type(pyvips.GValue.gint_type, "page-height", 100)
    data: bytes = frames.gifsave_buffer()
    return data


BAD: list[tuple[str, Callable[[], bytes], int, str]] = [
    ("no bytes", lambda: b"", 422, "image_empty"),
    ("text called jpeg", lambda: b"this is no photo" * 10, 415, "unsupported_format"),
    ("a document", lambda: b"%PDF-1.7 " + b"x" * 200, 415, "unsupported_format"),
    ("a header cut short", lambda: photo()[:40], 422, "image_truncated"),
    ("animated", animated, 422, "image_animated"),
    ("too many pixels", lambda: photo(1500, 1500), 422, "image_too_many_pixels"),
    ("too long a side", lambda: photo(2500, 100), 422, "image_side_too_long"),
    ("too small", lambda: photo(40, 40), 422, "image_too_small"),
]


async def states(api: WebApi, job_id: str) -> list[str]:
    return [item["state"] for item in (await api.client.get(f"/v1/jobs/{job_id}")).json()["items"]]


async def test_a_url_that_ends_while_it_is_written_to_writes_nothing(api: WebApi) -> None:
    path = "acme/jobs/job_1/items/item_1/raw/1.jpg"
    signed = await api.parts.blobs.signed_url("raw", path, Permission.CREATE, timedelta(seconds=2))

    async def slowly() -> AsyncIterator[bytes]:
        yield b"begun in time"
        await asyncio.sleep(5)
        yield b"ended too late"

    answer = await api.anonymous.put(signed.url, content=slowly(), headers=signed.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")
    with pytest.raises(BlobNotFound):
        await api.parts.blobs.info("raw", path)
    assert not any((api.parts.settings.data_dir / "blobs" / ".incoming").iterdir())


async def test_a_photo_goes_to_its_url_and_its_item_on_to_the_queue(api: WebApi) -> None:
    job = await api.job()
    ticket = await api.ticket(job)
    lifetime = datetime.fromisoformat(ticket["expires_at"]) - datetime.now(UTC)
    assert 890 <= lifetime.total_seconds() <= 900
    data = photo()
    assert (await api.put(ticket, data)).status_code == 201
    answer = await api.complete(job, upload_id=ticket["upload_id"])
    assert answer.json() == {
        **ids(job),
        "upload_id": ticket["upload_id"],
        "photo": {
            "format": "jpeg",
            "bytes": len(data),
            "width": 400,
            "height": 300,
            "content_type": "image/jpeg",
        },
    }
    receiver = api.parts.queues.receiver("jobs")
    (message,) = await receiver.receive(1, 5.0)
    await receiver.complete(message)
    await receiver.close()
    assert message.message_id == f"{job['items'][0]['id']}:0"
    assert message.correlation_id == job["correlation_id"]
    async with api.parts.database.read() as connection:
        item = await items.get_item(connection, job["items"][0]["id"])
    assert item is not None
    assert item.raw_path is not None
    assert await api.parts.blobs.read("raw", item.raw_path) == data


@pytest.mark.parametrize(("make", "status", "code"), [row[1:] for row in BAD], ids=[row[0] for row in BAD])
async def test_a_photo_that_cannot_be_used_fails_its_item_and_no_other(
    api: WebApi, make: Callable[[], bytes], status: int, code: str
) -> None:
    job = await api.job("bad.jpg", "good.jpg")
    answer = await api.upload(job, make())
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    again = await api.complete(job)
    assert (again.status_code, again.json()["code"], again.json()["detail"]) == (
        status,
        code,
        answer.json()["detail"],
    )
    assert (await api.upload(job, photo(), 1)).status_code == 200
    seen = (await api.client.get(f"/v1/jobs/{job['id']}")).json()["items"]
    assert seen[0]["state"] == "failed"
    assert seen[0]["error"] == {"code": code, "message": answer.json()["detail"]}
    assert seen[1]["state"] in {"uploaded", "queued"}
    assert await api.credits() == (CREDITS, 1)
    fresh = await api.client.post("/v1/uploads/sas", json=ids(job))
    assert (fresh.status_code, fresh.json()["code"]) == (409, "item_finished")


@pytest.mark.parametrize("declared", [True, False])
async def test_a_photo_above_the_limit_is_cut_off_and_leaves_nothing(api: WebApi, declared: bool) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        for _ in range(60):
            yield b"x" * 10_000

    job = await api.job()
    ticket = await api.ticket(job)
    answer = await api.anonymous.put(
        ticket["url"],
        content=b"x" * (MAX_BYTES + 1) if declared else chunks(),
        headers=ticket["headers"],
    )
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    missing = await api.complete(job)
    assert (missing.status_code, missing.json()["code"]) == (409, "upload_missing")
    assert await states(api, job["id"]) == ["created"]


async def test_what_was_put_past_our_routes_is_still_measured(api: WebApi) -> None:
    """In Azure the client writes to the store itself, so only the completion can see the size."""
    job = await api.job()
    await api.ticket(job)
    async with api.parts.database.read() as connection:
        item = await items.get_item(connection, job["items"][0]["id"])
    assert item is not None
    assert item.raw_path is not None
    await api.parts.blobs.write("raw", item.raw_path, b"x" * (MAX_BYTES + 1), content_type="image/jpeg")
    answer = await api.complete(job)
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_too_large")
    assert await states(api, job["id"]) == ["failed"]


async def test_nothing_uploaded_is_no_failure_yet(api: WebApi) -> None:
    job = await api.job()
    for upload_id in (None, "upload_" + "0" * 24, "../../etc/passwd"):
        answer = await api.complete(job, upload_id=upload_id)
        assert (answer.status_code, answer.json()["code"]) == (409, "upload_missing")
    assert await states(api, job["id"]) == ["created"]
    assert (await api.upload(job, photo())).status_code == 200


async def test_completing_twice_gets_the_same_answer_and_one_message(api: WebApi) -> None:
    job = await api.job()
    await api.put(await api.ticket(job), photo())
    answers = await asyncio.gather(*(api.complete(job) for _ in range(8)))
    later = await api.complete(job)
    assert {answer.status_code for answer in (*answers, later)} == {200}
    assert {answer.text for answer in answers} == {later.text}
    receiver = api.parts.queues.receiver("jobs")
    assert len(await receiver.receive(10, 5.0)) == 1
    await receiver.close()


async def test_no_second_photo_after_the_first_was_completed(api: WebApi) -> None:
    job = await api.job()
    early = await api.ticket(job)
    await api.upload(job, photo())
    fresh = await api.client.post("/v1/uploads/sas", json=ids(job))
    assert (fresh.status_code, fresh.json()["code"]) == (409, "already_uploaded")
    await api.put(early, photo(500, 500))
    other = await api.complete(job, upload_id=early["upload_id"])
    assert (other.status_code, other.json()["code"]) == (409, "already_uploaded")


async def raw_blobs(api: WebApi, job: dict[str, Any]) -> set[str]:
    """The uploads of the job that have a blob."""
    prefix = f"{TENANT}/jobs/{job['id']}/"
    return {blob.path.rpartition("/")[2] async for blob in api.parts.blobs.walk("raw", prefix)}


async def let_end(api: WebApi, *tickets: dict[str, Any]) -> None:
    """As if fifteen minutes had passed since these."""
    past = (utc_now() - timedelta(seconds=1)).isoformat()
    async with api.parts.database.transaction() as connection:
        out = dict(await connection.scalar(select(tables.items.c.uploads)) or {})
        out |= {ticket["upload_id"]: past for ticket in tickets}
        await connection.execute(update(tables.items).values(uploads=out))


async def test_a_photo_has_few_upload_urls_at_a_time_and_as_few_blobs(api: WebApi) -> None:
    most = api.parts.settings.web.uploads_per_photo
    job = await api.job()
    asked = [api.client.post("/v1/uploads/sas", json=ids(job)) for _ in range(3 * most)]
    answers = await asyncio.gather(*asked)
    told = {answer.json().get("code") for answer in answers if answer.status_code != 200}
    tickets = [answer.json() for answer in answers if answer.status_code == 200]
    assert (len(tickets), told) == (most, {"too_many_uploads"})
    for ticket in tickets:
        assert (await api.put(ticket, photo())).status_code == 201
    # One that has ended makes room, and what came by it goes; the others, and the last one, can be completed.
    await let_end(api, *tickets[:2])
    fresh = await api.ticket(job)
    assert await raw_blobs(api, job) == {ticket["upload_id"] for ticket in tickets[2:]}
    gone = await api.complete(job, upload_id=tickets[0]["upload_id"])
    assert (gone.status_code, gone.json()["code"]) == (409, "upload_missing")
    await let_end(api, *tickets, fresh)
    assert (await api.put(fresh, photo())).status_code == 201
    assert (await api.complete(job, upload_id=fresh["upload_id"])).status_code == 200


async def test_what_is_removed_is_not_completed_at_the_same_time(api: WebApi) -> None:
    """The photo was looked at; before it is accepted, a new URL makes it one of those that go."""
    job = await api.job()
    ticket = await api.ticket(job)
    await api.put(ticket, photo())
    await let_end(api, ticket)
    completed, fresh = await asyncio.gather(
        api.complete(job, upload_id=ticket["upload_id"]), api.client.post("/v1/uploads/sas", json=ids(job))
    )
    there = await raw_blobs(api, job)
    if completed.status_code == 200:
        assert (fresh.status_code, there) == (409, {ticket["upload_id"]})
    else:
        assert (completed.json()["code"], fresh.status_code, there) == ("upload_missing", 200, set())


async def test_a_url_writes_once_and_only_its_own_blob(api: WebApi) -> None:
    job = await api.job()
    ticket = await api.ticket(job)
    assert (await api.put(ticket, b"first")).status_code == 201
    again = await api.put(ticket, b"second")
    assert (again.status_code, again.json()["code"]) == (409, "blob_already_exists")
    url = httpx.URL(ticket["url"])
    elsewhere = url.copy_with(path=url.path[:-1] + "0" if url.path[-1] != "0" else url.path[:-1] + "1")
    for address, method in ((elsewhere, "PUT"), (url, "GET"), (url.copy_with(query=b""), "PUT")):
        answer = await api.anonymous.request(method, address, content=b"x", headers=ticket["headers"])
        assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")


async def test_a_url_of_one_tenant_opens_nothing_of_another(api: WebApi) -> None:
    mine = httpx.URL((await api.ticket(await api.job()))["url"])
    theirs = (await api.other.post("/v1/jobs", json={"items": [{"filename": "a.jpg"}]})).json()
    ticket = (await api.other.post("/v1/uploads/sas", json=ids(theirs))).json()
    await api.put(ticket, photo())
    other = httpx.URL(ticket["url"])
    for method, query in (("GET", mine.query), ("PUT", mine.query), ("GET", other.query), ("GET", b"")):
        answer = await api.client.request(
            method, other.copy_with(query=query), content=b"x", headers=ticket["headers"]
        )
        assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")


async def test_a_url_ends(api: WebApi) -> None:
    job = await api.job()
    ticket = await api.ticket(job)
    path = httpx.URL(ticket["url"]).path.removeprefix("/blobs/raw/")
    late = await api.parts.blobs.signed_url("raw", path, Permission.CREATE, timedelta(seconds=-1))
    answer = await api.anonymous.put(late.url, content=photo(), headers=late.headers)
    assert (answer.status_code, answer.json()["code"]) == (403, "signature_invalid")
    assert "expired" in answer.json()["detail"]
    # The one way on: a fresh ticket for the same item.
    assert (await api.upload(job, photo())).status_code == 200


async def test_two_uploads_to_one_url_at_once_leave_one_whole_photo(api: WebApi) -> None:
    job = await api.job()
    ticket = await api.ticket(job)
    photos = [photo(300 + number, 300) for number in range(6)]
    answers = await asyncio.gather(*(api.put(ticket, data) for data in photos))
    assert sorted(answer.status_code for answer in answers) == [201, 409, 409, 409, 409, 409]
    winner = [answer.status_code for answer in answers].index(201)
    assert (await api.complete(job)).json()["photo"]["width"] == 300 + winner


async def test_an_upload_without_azures_header_is_refused(api: WebApi) -> None:
    ticket = await api.ticket(await api.job())
    answer = await api.anonymous.put(ticket["url"], content=b"x")
    assert (answer.status_code, answer.json()["code"]) == (400, "missing_required_header")


async def test_a_cancelled_item_takes_no_photo(api: WebApi) -> None:
    job = await api.job()
    await api.put(await api.ticket(job), photo())
    await api.client.delete(f"/v1/jobs/{job['id']}")
    for answer in (await api.complete(job), await api.client.post("/v1/uploads/sas", json=ids(job))):
        assert (answer.status_code, answer.json()["code"]) == (409, "item_finished")
    assert await api.credits() == (CREDITS, 0)


async def test_an_item_cancelled_after_its_upload_is_finished_not_on_its_way(api: WebApi) -> None:
    job = await api.job()
    assert (await api.upload(job, photo())).status_code == 200
    await api.client.delete(f"/v1/jobs/{job['id']}")
    answer = await api.client.post("/v1/uploads/sas", json=ids(job))
    assert (answer.status_code, answer.json()["code"]) == (409, "item_finished")


async def test_foreign_and_unknown_items_are_not_found(api: WebApi) -> None:
    job = await api.job()
    unknown = {"job_id": job["id"], "item_id": "item_" + "0" * 24}
    for path in ("/v1/uploads/sas", "/v1/uploads/complete"):
        for client, body in ((api.other, ids(job)), (api.client, unknown)):
            answer = await client.post(path, json=body)
            assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
        named = await api.client.post(path, json={**ids(job), "tenant_id": "globex"})
        assert (named.status_code, named.json()["code"]) == (403, "tenant_mismatch")


async def test_a_header_behind_a_large_profile_is_found(api: WebApi) -> None:
    """The dimensions of a JPEG stand behind its metadata, which may be longer than the first piece read."""
    plain = photo()
    segment = b"\xff\xe5" + (60_002).to_bytes(2, "big") + bytes(60_000)
    segments = segment * 5  # more than the 256 KiB that are read first
    with_profile = plain[:2] + segments + plain[2:]
    answer = await api.upload(await api.job(), with_profile)
    assert answer.json()["photo"]["width"] == 400


@pytest.mark.parametrize("ending", [".png", ".webp", ".tif"])
async def test_other_formats_are_told_by_their_bytes(api: WebApi, ending: str) -> None:
    answer = await api.upload(await api.job("looks-like.jpg"), photo(ending=ending))
    assert answer.status_code == 200, answer.text
    assert answer.json()["photo"]["format"] == {".png": "png", ".webp": "webp", ".tif": "tiff"}[ending]

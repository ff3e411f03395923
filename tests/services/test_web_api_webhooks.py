"""Webhooks over HTTP: made, told by the running service, listed, replayed, turned on again; and refused."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from tests.services.http_services import WebApi, photo, running_web_api
from tests.services.webhook_receiver import OK, Receiver, answer, listening

from opal.outgoing_settings import OutgoingSettings, WebhookSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "webhook_" + "0" * 24
UNKNOWN_DELIVERY = "delivery_" + "0" * 24


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebApi]:
    anywhere = OutgoingSettings(private_addresses="allow")
    quick = WebhookSettings(poll_s=0.05, max_per_tenant=3, timeout_s=2)
    folder = tmp_path_factory.mktemp("webhooks")
    async with running_web_api(folder, outgoing=anywhere, webhook=quick) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def api(service: WebApi) -> AsyncIterator[WebApi]:
    """The service, without webhooks before and after."""
    yield service
    for client in (service.client, service.other):
        for each in (await client.get("/v1/webhooks")).json()["webhooks"]:
            await client.delete(f"/v1/webhooks/{each['id']}")


@pytest_asyncio.fixture(loop_scope="module")
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as running:
        yield running


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def created(api: WebApi, url: str, **fields: Any) -> dict[str, Any]:
    made = await api.client.post("/v1/webhooks", json={"url": url, **fields})
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"/v1/webhooks/{made.json()['id']}"
    return dict(made.json())


async def exported(api: WebApi) -> tuple[str, str]:
    """A job of one photo taken to its end; its id and the item's."""
    job = await api.job()
    await api.upload(job, photo())
    item_id = job["items"][0]["id"]
    await api.finish(item_id, {"square-1x1": b"jpeg"})
    return job["id"], item_id


async def deliveries(api: WebApi, webhook_id: str, **query: Any) -> list[dict[str, Any]]:
    got = await api.client.get(f"/v1/webhooks/{webhook_id}/deliveries", params=query)
    assert got.status_code == 200, got.text
    return list(got.json()["deliveries"])


async def settled(api: WebApi, webhook_id: str, count: int) -> list[dict[str, Any]]:
    """The deliveries, once ``count`` of them were tried: a receiver hears of it before the database does."""
    async with asyncio.timeout(10):
        while True:
            found = await deliveries(api, webhook_id)
            if sum(each["attempts"] > 0 for each in found) >= count:
                return found
            await asyncio.sleep(0.02)


async def test_a_finished_photo_is_told_signed_and_listed(api: WebApi, receiver: Receiver) -> None:
    made = await created(api, receiver.url)
    job_id, item_id = await exported(api)
    requests = await receiver.wait_for(3)
    bodies = [Verifier(made["secret"]).verify(each.body, each.headers) for each in requests]
    told = {body["type"]: body["data"] for body in bodies}
    assert set(told) == {"item.completed", "item.exported", "job.finished"}
    assert told["item.exported"]["item_id"] == item_id
    assert (told["job.finished"]["job_id"], told["job.finished"]["status"]) == (job_id, "finished")
    listed = await settled(api, made["id"], 3)
    assert {each["state"] for each in listed} == {"delivered"}
    assert {each["event_id"] for each in listed} == {each.headers["webhook-id"] for each in requests}
    assert {(each["last_status"], each["next_at"], each["last_error"]) for each in listed} == {
        (204, None, None)
    }


async def test_a_refused_upload_and_a_cancelled_job_are_told(api: WebApi, receiver: Receiver) -> None:
    await created(api, receiver.url, events=["item.failed", "job.finished"])
    job = await api.job("a.jpg", "b.jpg")
    await api.upload(job, b"no photo at all")
    [failed] = await receiver.wait_for(1)
    assert b'"code":"unsupported_format"' in failed.body
    await api.client.delete(f"/v1/jobs/{job['id']}")
    *_, ended = await receiver.wait_for(2)
    assert b'"type":"job.finished"' in ended.body


async def test_a_secret_is_shown_once_and_rotates_without_a_gap(api: WebApi, receiver: Receiver) -> None:
    made = await created(api, receiver.url, events=["job.finished"])
    listed = (await api.client.get("/v1/webhooks")).json()
    one = (await api.client.get(f"/v1/webhooks/{made['id']}")).json()
    assert listed == {"webhooks": [one]}
    assert one == {name: value for name, value in made.items() if name != "secret"}
    rotated = (await api.client.post(f"/v1/webhooks/{made['id']}/rotate-secret")).json()
    assert rotated["secret"] != made["secret"]
    assert (datetime.fromisoformat(rotated["old_secret_until"]) - datetime.now().astimezone()).days == 0
    await exported(api)
    [request] = await receiver.wait_for(1)
    for secret in (made["secret"], rotated["secret"]):
        Verifier(secret).verify(request.body, request.headers)
    # Of three secrets the oldest signs no more.
    await api.client.post(f"/v1/webhooks/{made['id']}/rotate-secret")
    await exported(api)
    [_, request] = await receiver.wait_for(2)
    with pytest.raises(WebhookVerificationError):
        Verifier(made["secret"]).verify(request.body, request.headers)
    Verifier(rotated["secret"]).verify(request.body, request.headers)


async def test_gone_is_disabled_refuses_a_replay_and_can_be_enabled(api: WebApi, receiver: Receiver) -> None:
    made = await created(api, receiver.url, events=["job.finished"])
    receiver.say = answer(410)
    await exported(api)
    [gone] = await settled(api, made["id"], 1)
    assert (gone["state"], gone["last_status"]) == ("failed", 410)
    seen = (await api.client.get(f"/v1/webhooks/{made['id']}")).json()
    assert (seen["state"], seen["disabled_reason"]) == ("disabled", "It answered 410 Gone.")
    path = f"/v1/webhooks/{made['id']}/deliveries/{gone['id']}/replay"
    assert problem(await api.client.post(path)) == (409, "webhook_disabled")
    await exported(api)
    assert len(await deliveries(api, made["id"])) == 1
    enabled = (await api.client.post(f"/v1/webhooks/{made['id']}/enable")).json()
    assert (enabled["state"], enabled["disabled_reason"], enabled["failures"]) == ("active", None, 0)
    receiver.say = OK
    replayed = await api.client.post(path)
    assert (replayed.status_code, replayed.json()["state"]) == (202, "waiting")
    [first, second] = await receiver.wait_for(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (answer(301, "Location: http://127.0.0.1:1/"), 301, "It answered 301; redirects are not followed."),
        (answer(500), 500, "It answered 500."),
        (None, None, "No answer within 2 s."),
    ],
    ids=["redirect", "error", "hang"],
)
async def test_a_failed_delivery_says_why_and_when_it_is_tried_again(
    api: WebApi, receiver: Receiver, said: bytes | None, status: int | None, reason: str
) -> None:
    made = await created(api, receiver.url, events=["job.finished"])
    receiver.say = said
    await exported(api)
    [failed] = await settled(api, made["id"], 1)
    assert (failed["state"], failed["last_status"], failed["last_error"]) == ("waiting", status, reason)
    wait = datetime.fromisoformat(failed["next_at"]) - datetime.fromisoformat(failed["last_at"])
    assert 4.9 < wait.total_seconds() < 5.6
    # A replay does not wait for it.
    receiver.say = OK
    await api.client.post(f"/v1/webhooks/{made['id']}/deliveries/{failed['id']}/replay")
    await receiver.wait_for(2, 4)


async def test_a_test_says_how_it_went_and_is_listed(api: WebApi, receiver: Receiver) -> None:
    made = await created(api, receiver.url, events=["job.finished"])
    path = f"/v1/webhooks/{made['id']}"
    for kind in ("item.exported", "item.completed", "item.failed", "job.finished"):
        tested = await api.client.post(f"{path}/test", params={"type": kind})
        assert (tested.status_code, tested.json()["state"]) == (200, "delivered"), tested.text
        told = Verifier(made["secret"]).verify(receiver.received[-1].body, receiver.received[-1].headers)
        assert (told["type"], told["test"]) == (kind, True)
        one = await api.client.get(f"{path}/deliveries/{tested.json()['id']}")
        assert one.json() == tested.json()
    # One that is disabled, and still answers so.
    receiver.say = answer(410)
    await exported(api)
    await settled(api, made["id"], 5)
    off = (await api.client.post(f"{path}/test")).json()
    assert (off["type"], off["state"], off["last_status"]) == ("item.exported", "failed", 410)
    assert [each["test"] for each in await deliveries(api, made["id"])] == [
        True,
        False,
        True,
        True,
        True,
        True,
    ]
    nonsense = await api.client.post(f"{path}/test", params={"type": "item.lost"})
    assert problem(nonsense) == (422, "invalid_request")


async def test_what_is_delivered_can_be_replayed(api: WebApi, receiver: Receiver) -> None:
    made = await created(api, receiver.url, events=["item.exported"])
    await exported(api)
    [delivered] = await settled(api, made["id"], 1)
    await api.client.post(f"/v1/webhooks/{made['id']}/deliveries/{delivered['id']}/replay")
    first, second = await receiver.wait_for(2)
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    Verifier(made["secret"]).verify(second.body, second.headers)


async def test_deliveries_go_newest_first_page_by_page(api: WebApi, receiver: Receiver) -> None:
    made = await created(api, receiver.url)
    await exported(api)
    every = [each["id"] for each in await settled(api, made["id"], 3)]
    first = (await api.client.get(f"/v1/webhooks/{made['id']}/deliveries?limit=2")).json()
    rest = (
        await api.client.get(f"/v1/webhooks/{made['id']}/deliveries?limit=2&cursor={first['next_cursor']}")
    ).json()
    assert [each["id"] for each in first["deliveries"] + rest["deliveries"]] == every
    assert rest["next_cursor"] is None
    assert await deliveries(api, made["id"], state="failed") == []
    assert len(await deliveries(api, made["id"], state="delivered")) == 3
    wrong = await api.client.get(f"/v1/webhooks/{made['id']}/deliveries?state=lost")
    assert problem(wrong) == (422, "invalid_request")


async def test_a_deleted_webhook_is_told_nothing_more(api: WebApi, receiver: Receiver) -> None:
    made = await created(api, receiver.url)
    other = await created(api, receiver.url + "/other", events=["job.finished"])
    await exported(api)
    await receiver.wait_for(4)
    await settled(api, made["id"], 3)
    assert (await api.client.delete(f"/v1/webhooks/{made['id']}")).status_code == 204
    assert problem(await api.client.delete(f"/v1/webhooks/{made['id']}")) == (404, "unknown_webhook")
    await exported(api)
    await settled(api, other["id"], 2)
    assert len(receiver.received) == 5


async def test_foreign_and_unknown_webhooks_are_not_found(api: WebApi, receiver: Receiver) -> None:
    mine = await created(api, receiver.url)
    await exported(api)
    delivery = (await settled(api, mine["id"], 3))[0]
    for client, webhook_id in ((api.other, mine["id"]), (api.client, UNKNOWN), (api.client, "nonsense")):
        for method, path in (
            ("GET", ""),
            ("DELETE", ""),
            ("POST", "/rotate-secret"),
            ("POST", "/enable"),
            ("POST", "/test"),
            ("GET", "/deliveries"),
            ("GET", f"/deliveries/{delivery['id']}"),
            ("POST", f"/deliveries/{delivery['id']}/replay"),
        ):
            got = await client.request(method, f"/v1/webhooks/{webhook_id}{path}")
            assert problem(got) == (404, "unknown_webhook"), (method, path)
    for delivery_id in (UNKNOWN_DELIVERY, "nonsense"):
        path = f"/v1/webhooks/{mine['id']}/deliveries/{delivery_id}"
        for got in (await api.client.post(f"{path}/replay"), await api.client.get(path)):
            assert problem(got) == (404, "unknown_delivery")
    assert (await api.other.get("/v1/webhooks")).json() == {"webhooks": []}
    named = await api.client.post("/v1/webhooks", json={"url": receiver.url, "tenant_id": "globex"})
    assert problem(named) == (403, "tenant_mismatch")
    assert problem(await api.anonymous.get("/v1/webhooks")) == (401, "unauthorized")


async def test_another_tenants_work_is_not_told(api: WebApi, receiver: Receiver) -> None:
    foreign = (await api.other.post("/v1/webhooks", json={"url": receiver.url})).json()
    await exported(api)
    assert (await api.other.get(f"/v1/webhooks/{foreign['id']}/deliveries")).json()["deliveries"] == []


async def test_what_is_no_webhook_is_a_fault_of_the_request(api: WebApi) -> None:
    good = {"url": "https://shop.example/"}
    for body in (
        {},
        {"url": ""},
        {"url": "ftp://shop.example/"},
        {"url": "https://shop.example/a b"},
        {"url": "https://shop.example/\x00"},
        {"url": "https://shop.example/" + "a" * 3000},
        {**good, "events": []},
        {**good, "events": ["item.lost"]},
        {**good, "secret": "whsec_AAAA"},
    ):
        refused = await api.client.post("/v1/webhooks", json=body)
        assert problem(refused) == (422, "invalid_request"), body


async def test_a_tenant_may_have_so_many(api: WebApi, receiver: Receiver) -> None:
    for _ in range(3):
        await created(api, receiver.url)
    full = await api.client.post("/v1/webhooks", json={"url": receiver.url})
    assert problem(full) == (409, "too_many_webhooks")


async def test_what_may_not_be_called_is_refused(tmp_path: Path) -> None:
    async with running_web_api(tmp_path) as strict:
        for url in (
            "http://shop.example/hook",
            "https://shop.example:22/",
            "https://user:word@shop.example/",
            "https://127.0.0.1/",
            "https://localhost/",
            "https://2130706433/",
            "https://[::1]/",
            "https://[::ffff:10.0.0.1]/",
            "https://169.254.169.254/latest/meta-data",
            "https://168.63.129.16/",
            "https://10.1.2.3/hook",
            "https://host.invalid/",
        ):
            refused = await strict.client.post("/v1/webhooks", json={"url": url})
            assert problem(refused) == (422, "address_refused"), url
        assert (await strict.client.get("/v1/webhooks")).json() == {"webhooks": []}

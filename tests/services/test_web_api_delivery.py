"""Delivery over HTTP: targets made, tested, changed; pictures delivered, listed, delivered again."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from tests.services.azure_container import ACCOUNT, KEY, SAS, azure_container
from tests.services.http_services import WebApi, photo, running_web_api

from opal.outgoing_settings import DeliverySettings, OutgoingSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")

UNKNOWN = "target_" + "0" * 24
FOLDER = {"kind": "folder", "folder": "shop"}
S3 = {
    "kind": "s3",
    "bucket": "acme-pictures",
    "endpoint": "http://127.0.0.1:1",
    "access_key_id": "AKIAEXAMPLE",
    "secret_access_key": "do-not-show",
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebApi]:
    folder = tmp_path_factory.mktemp("delivery")
    root = folder / "root"
    root.mkdir()
    delivery = DeliverySettings(folder_root=root, poll_s=0.05, max_per_tenant=3)
    anywhere = OutgoingSettings(private_addresses="allow")
    async with running_web_api(folder / "data", outgoing=anywhere, delivery=delivery) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module")
async def api(service: WebApi) -> AsyncIterator[WebApi]:
    """The service, without targets and delivered files before and after."""
    yield service
    for client in (service.client, service.other):
        for each in (await client.get("/v1/delivery-targets")).json()["targets"]:
            await client.delete(f"/v1/delivery-targets/{each['id']}")
    for tenants_own in root_of(service).iterdir():
        shutil.rmtree(tenants_own)


def root_of(api: WebApi) -> Path:
    """Where folders lie."""
    root = api.parts.settings.delivery.folder_root
    assert root is not None
    return root


def problem(answer: httpx.Response) -> tuple[int, str]:
    return answer.status_code, answer.json()["code"]


async def created(api: WebApi, destination: dict[str, Any] = FOLDER, **fields: Any) -> dict[str, Any]:
    made = await api.client.post("/v1/delivery-targets", json={"destination": destination, **fields})
    assert made.status_code == 201, made.text
    assert made.headers["Location"] == f"/v1/delivery-targets/{made.json()['id']}"
    return dict(made.json())


async def exported(api: WebApi, data: bytes = b"jpeg") -> str:
    """A job of one photo taken to its end; its id."""
    job = await api.job()
    await api.upload(job, photo())
    await api.finish(job["items"][0]["id"], {"square-1x1": data})
    return str(job["id"])


async def settled(api: WebApi, path: str, count: int) -> list[dict[str, Any]]:
    """The deliveries, once ``count`` of them are over."""
    async with asyncio.timeout(10):
        while True:
            found = (await api.client.get(path)).json()["deliveries"]
            if sum(each["state"] in ("delivered", "failed") for each in found) >= count:
                return list(found)
            await asyncio.sleep(0.02)


async def tried(api: WebApi, path: str) -> None:
    """Once a delivery to the target has failed."""
    async with asyncio.timeout(10):
        while True:
            if (await api.client.get(path)).json()["failures"] > 0:
                return
            await asyncio.sleep(0.02)


async def test_a_finished_picture_is_delivered_and_told_of(api: WebApi) -> None:
    target = await created(api, template="{photo}/{preset}.{ext}")
    job_id = await exported(api)
    found = await settled(api, f"/v1/jobs/{job_id}/deliveries", 2)
    assert {each["path"] for each in found} == {"mug/square-1x1.jpg", "mug/square-1x1.json"}
    assert {each["content"] for each in found} == {"picture", "report"}
    assert all(each["attempts"] == 1 and each["etag"] and each["next_at"] is None for each in found)
    folder = root_of(api) / "acme" / "shop" / "mug"
    assert (folder / "square-1x1.jpg").read_bytes() == b"jpeg"
    # Page by page, by the target; and again after the shop has lost it.
    path = f"/v1/delivery-targets/{target['id']}/deliveries"
    first = (await api.client.get(path, params={"limit": 1})).json()
    rest = (await api.client.get(path, params={"limit": 1, "cursor": first["next_cursor"]})).json()
    assert first["deliveries"] + rest["deliveries"] == found
    assert (await api.client.get(path, params={"state": "failed"})).json()["deliveries"] == []
    (folder / "square-1x1.jpg").unlink()
    for each in found:
        again = await api.client.post(f"{path}/{each['id']}/retry")
        assert (again.status_code, again.json()["state"]) == (202, "waiting")
    await settled(api, path, 2)
    assert (folder / "square-1x1.jpg").exists()


async def test_a_job_can_be_delivered_to_a_target_that_came_later(api: WebApi) -> None:
    job_id = await exported(api)
    assert (await api.client.get(f"/v1/jobs/{job_id}/deliveries")).json()["deliveries"] == []
    target = await created(api, reports=False)
    due = await api.client.post(f"/v1/jobs/{job_id}/deliveries", json={"target_id": target["id"]})
    assert (due.status_code, due.json()) == (202, {"deliveries": 1})
    [delivery] = await settled(api, f"/v1/jobs/{job_id}/deliveries", 1)
    assert delivery["path"] == f"{job_id}/mug-square-1x1.jpg"
    await api.client.patch(f"/v1/delivery-targets/{target['id']}", json={"enabled": False})
    off = await api.client.post(f"/v1/jobs/{job_id}/deliveries", json={"target_id": target["id"]})
    assert problem(off) == (409, "delivery_target_disabled")
    path = f"/v1/delivery-targets/{target['id']}/deliveries/{delivery['id']}/retry"
    assert problem(await api.client.post(path)) == (409, "delivery_target_disabled")


async def test_secrets_come_back_nowhere(api: WebApi, capfd: pytest.CaptureFixture[str]) -> None:
    with azure_container() as there:
        azure = {"kind": "azure", "container_url": there.url, "account": ACCOUNT}
        for destination, secret in (
            ({**S3, "session_token": "nor-this"}, "do-not-show"),
            ({**azure, "sas": "?" + SAS}, "abc%2Fdef"),
            ({**azure, "account_key": KEY}, KEY),
        ):
            made = await created(api, destination)
            one = await api.client.get(f"/v1/delivery-targets/{made['id']}")
            tested = await api.client.post(f"/v1/delivery-targets/{made['id']}/test")
            wrong = await api.client.post(
                "/v1/delivery-targets", json={"destination": {**destination, "folder": "x"}}
            )
            listed = await api.client.get("/v1/delivery-targets")
            assert problem(wrong) == (422, "invalid_request")
            shown = f"{made}{one.text}{tested.text}{wrong.text}{listed.text}"
            assert secret not in shown
            assert listed.json()["targets"][-1] == one.json() == made
            stored = b"".join(file.read_bytes() for file in api.parts.settings.data_dir.glob("opal.sqlite*"))
            assert secret.encode() not in stored
            output = "".join(capfd.readouterr())
            assert secret not in output
            assert "nor-this" not in shown + output
            assert tested.json()["ok"] is (destination["kind"] != "s3"), tested.text
        assert list(there.blobs) == ["opal-test.txt"]


async def test_a_target_is_tested_changed_and_deleted(api: WebApi) -> None:
    with azure_container() as there:
        azure = {"kind": "azure", "container_url": there.url, "sas": "sig=wrong", "account": ACCOUNT}
        made = await created(api, azure, name="Shop")
        path = f"/v1/delivery-targets/{made['id']}"
        tested = (await api.client.post(f"{path}/test")).json()
        assert tested == {
            "ok": False,
            "path": "opal-test.txt",
            "reason": "It answered 401 or 403: the key is wrong, or may not do this.",
        }
        job_id = await exported(api)
        await tried(api, path)
        changes = {"destination": {**azure, "sas": SAS}, "enabled": True, "reports": False}
        changed = (await api.client.patch(path, json=changes)).json()
        assert (changed["name"], changed["reports"], changed["failures"]) == ("Shop", False, 0)
        assert (await api.client.post(f"{path}/test")).json()["ok"] is True
        await settled(api, f"/v1/jobs/{job_id}/deliveries", 2)
        assert there.blobs[f"{job_id}/mug-square-1x1.jpg"].content_type == "image/jpeg"
        off = (await api.client.patch(path, json={"enabled": False})).json()
        assert (off["state"], off["disabled_reason"]) == ("disabled", "It was turned off.")
    assert (await api.client.delete(path)).status_code == 204
    assert problem(await api.client.get(path)) == (404, "unknown_delivery_target")
    assert (await api.client.get(f"/v1/jobs/{job_id}/deliveries")).json()["deliveries"] == []


async def test_foreign_and_unknown_targets_are_not_found(api: WebApi) -> None:
    mine = await created(api)
    job_id = await exported(api)
    [delivery, _] = await settled(api, f"/v1/jobs/{job_id}/deliveries", 2)
    for client, target_id in ((api.other, mine["id"]), (api.client, UNKNOWN), (api.client, "nonsense")):
        for method, path, body in (
            ("GET", "", None),
            ("DELETE", "", None),
            ("PATCH", "", {"name": "mine now"}),
            ("POST", "/test", None),
            ("GET", "/deliveries", None),
            ("POST", f"/deliveries/{delivery['id']}/retry", None),
        ):
            got = await client.request(method, f"/v1/delivery-targets/{target_id}{path}", json=body)
            assert problem(got) == (404, "unknown_delivery_target"), (method, path)
    assert problem(await api.other.get(f"/v1/jobs/{job_id}/deliveries")) == (404, "not_found")
    theirs = await api.client.post(f"/v1/jobs/{job_id}/deliveries", json={"target_id": UNKNOWN})
    assert problem(theirs) == (404, "unknown_delivery_target")
    retry = f"/v1/delivery-targets/{mine['id']}/deliveries/delivery_{'0' * 24}/retry"
    assert problem(await api.client.post(retry)) == (404, "unknown_delivery")
    assert (await api.other.get("/v1/delivery-targets")).json() == {"targets": []}
    named = await api.client.post("/v1/delivery-targets", json={"destination": FOLDER, "tenant_id": "globex"})
    assert problem(named) == (403, "tenant_mismatch")
    # The other tenant's folder of the same name is another folder.
    answer = await api.other.post("/v1/delivery-targets", json={"destination": FOLDER})
    await api.other.post(f"/v1/delivery-targets/{answer.json()['id']}/test")
    assert (root_of(api) / "globex" / "shop" / "opal-test.txt").exists()
    assert not (root_of(api) / "acme" / "shop" / "opal-test.txt").exists()


async def test_what_is_no_target_is_refused(api: WebApi) -> None:
    azure = {"kind": "azure", "container_url": "http://127.0.0.1:1/pictures"}
    virtual = {**S3, "addressing": "virtual-host"}
    for body, code in (
        ({}, "invalid_request"),
        ({"destination": {"kind": "ftp"}}, "invalid_request"),
        ({"destination": {"kind": "folder", "folder": "../etc"}}, "invalid_request"),
        ({"destination": {"kind": "folder", "folder": "/etc"}}, "invalid_request"),
        ({"destination": {"kind": "folder", "folder": "a/../../b"}}, "invalid_request"),
        ({"destination": {**S3, "bucket": "A B"}}, "invalid_request"),
        ({"destination": {**S3, "secret_access_key": "a b"}}, "invalid_delivery_target"),
        ({"destination": {**S3, "session_token": "a\nb"}}, "invalid_delivery_target"),
        ({"destination": {**S3, "endpoint": "https://s3.example/?sig=x"}}, "invalid_request"),
        ({"destination": {**S3, "addressing": "dns"}}, "invalid_request"),
        ({"destination": virtual}, "invalid_delivery_target"),
        ({"destination": {**virtual, "endpoint": "https://[::1]:9000"}}, "invalid_delivery_target"),
        ({"destination": {**virtual, "endpoint": "https://s3.example/base"}}, "invalid_delivery_target"),
        (
            {"destination": {**virtual, "endpoint": "https://s3.example", "bucket": "a.b"}},
            "invalid_delivery_target",
        ),
        ({"destination": FOLDER, "template": "{name}.jpg"}, "invalid_delivery_target"),
        ({"destination": FOLDER, "template": "../{name}.{ext}"}, "invalid_delivery_target"),
        ({"destination": FOLDER, "presets": ["amazon-main", "amazon-mian"]}, "unknown_preset"),
        ({"destination": FOLDER, "formats": ["jpg"]}, "invalid_request"),
        ({"destination": azure}, "invalid_delivery_target"),
        (
            {"destination": {**azure, "container_url": "http://127.0.0.1", "sas": "sig=1"}},
            "invalid_delivery_target",
        ),
    ):
        refused = await api.client.post("/v1/delivery-targets", json=body)
        assert problem(refused) == (422, code), body
    assert (await api.client.get("/v1/delivery-targets")).json() == {"targets": []}


async def test_a_target_names_the_presets_and_formats_that_it_takes(api: WebApi) -> None:
    made = await created(api, presets=["square-1x1", "square-1x1"], reports=False)
    other = await created(api, formats=["png"])
    assert (made["presets"], made["formats"]) == (["square-1x1"], [])
    assert (other["presets"], other["formats"]) == ([], ["png"])
    job_id = await exported(api)
    [delivery] = await settled(api, f"/v1/jobs/{job_id}/deliveries", 1)
    assert (delivery["target_id"], delivery["preset"]) == (made["id"], "square-1x1")
    path = f"/v1/delivery-targets/{made['id']}"
    unknown = await api.client.patch(path, json={"presets": ["nonsense"]})
    assert problem(unknown) == (422, "unknown_preset")
    changed = (await api.client.patch(path, json={"presets": [], "formats": ["webp"]})).json()
    assert (changed["presets"], changed["formats"], changed["reports"]) == ([], ["webp"], False)
    due = await api.client.post(f"/v1/jobs/{job_id}/deliveries", json={"target_id": made["id"]})
    assert due.json() == {"deliveries": 0}


async def test_private_addresses_and_folders_are_refused_by_default(tmp_path: Path) -> None:
    azure = {"kind": "azure", "sas": SAS}
    async with running_web_api(tmp_path) as strict:
        for destination, code in (
            (FOLDER, "invalid_delivery_target"),
            (S3, "address_refused"),
            ({**S3, "endpoint": "https://169.254.169.254/"}, "address_refused"),
            ({**azure, "container_url": "https://10.1.2.3/pictures"}, "address_refused"),
            ({**azure, "container_url": "https://localhost/account/pictures"}, "address_refused"),
        ):
            refused = await strict.client.post("/v1/delivery-targets", json={"destination": destination})
            assert problem(refused) == (422, code)


async def test_a_tenant_may_have_so_many(api: WebApi) -> None:
    for _ in range(3):
        await created(api)
    full = await api.client.post("/v1/delivery-targets", json={"destination": FOLDER})
    assert problem(full) == (409, "too_many_delivery_targets")

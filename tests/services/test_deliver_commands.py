"""`opal webhooks` and `opal deliver` against a running web-api, as the tenant of the environment's key."""

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio
import structlog
from standardwebhooks import Webhook as Verifier
from tests.services.http_services import WebApi, photo, running_web_api
from tests.services.webhook_receiver import OK, answer, listening
from typer.testing import CliRunner, Result

from opal.cli.api_client import ApiClient, NotAnApi, RequestRefused
from opal.cli.deliver_job import Progress, deliver
from opal.cli.main import app
from opal.outgoing_settings import DeliverySettings, OutgoingSettings, WebhookSettings

pytestmark = pytest.mark.asyncio(loop_scope="module")
UNKNOWN = "0" * 24


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def api(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[WebApi]:
    folder = tmp_path_factory.mktemp("commands")
    (folder / "root").mkdir()
    # The commands run in this process, and their output is all that is looked at.
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    async with running_web_api(
        folder / "data",
        outgoing=OutgoingSettings(private_addresses="allow"),
        webhook=WebhookSettings(poll_s=0.05, timeout_s=2),
        delivery=DeliverySettings(folder_root=folder / "root", poll_s=0.05),
    ) as running:
        yield running
    structlog.configure(logger_factory=structlog.PrintLoggerFactory())


async def opal(api: WebApi, *arguments: str, stdin: str | None = None) -> Result:
    """Run a command in a thread, as it has an event loop of its own."""
    key = api.client.headers["X-API-Key"]
    environment = {"OPAL_API_URL": api.url, "OPAL_API_KEY": key}
    runner = CliRunner()
    return await asyncio.to_thread(lambda: runner.invoke(app, arguments, input=stdin, env=environment))


async def as_json(api: WebApi, *arguments: str, stdin: str | None = None, code: int = 0) -> Any:
    done = await opal(api, *arguments, "--json", stdin=stdin)
    assert done.exit_code == code, (done.output, done.exception)
    return json.loads(done.stdout)


def refusal(done: Result) -> str:
    assert isinstance(done.exception, RequestRefused), done.output
    return done.exception.code


async def exported(api: WebApi) -> str:
    job = await api.job()
    await api.upload(job, photo())
    await api.finish(job["items"][0]["id"], {"square-1x1": b"jpeg"})
    return str(job["id"])


async def settled(api: WebApi, webhook_id: str, state: str) -> dict[str, Any]:
    """The newest delivery, once it is in that state."""
    async with asyncio.timeout(10):
        while True:
            found = await as_json(api, "webhooks", "deliveries", webhook_id, "--limit", "1")
            if found and found[0]["state"] == state:
                return dict(found[0])


async def test_a_webhook_is_made_tested_watched_replayed_and_enabled(api: WebApi) -> None:
    async with listening() as receiver:
        made = await as_json(api, "webhooks", "create", receiver.url, "--event", "job.finished")
        webhook_id = made["id"]
        tested = await as_json(api, "webhooks", "test", webhook_id, "--type", "item.failed")
        assert (tested["state"], tested["test"], tested["type"]) == ("delivered", True, "item.failed")
        told = Verifier(made["secret"]).verify(receiver.received[0].body, receiver.received[0].headers)
        assert (told["type"], told["test"]) == ("item.failed", True)
        receiver.say = answer(410)
        failed = await opal(api, "webhooks", "test", webhook_id)
        assert (failed.exit_code, failed.stdout) == (1, "It answered 410 Gone.\n")
        await exported(api)
        gone = await settled(api, webhook_id, "failed")
        [listed] = await as_json(api, "webhooks", "list")
        assert (listed["state"], listed["disabled_reason"]) == ("disabled", "It answered 410 Gone.")
        refused = await opal(api, "webhooks", "replay", webhook_id, gone["id"])
        assert refusal(refused) == "webhook_disabled"
        enabled = await opal(api, "webhooks", "enable", webhook_id)
        assert enabled.stdout == f"Webhook {webhook_id} is active.\n"
        receiver.say = OK
        again = await as_json(api, "webhooks", "replay", webhook_id, "--failed")
        assert [(each["id"], each["state"]) for each in again] == [(gone["id"], "waiting")]
        await receiver.wait_for(4)
        await settled(api, webhook_id, "delivered")
        for command in (("list",), ("deliveries", webhook_id)):
            table = await opal(api, "webhooks", *command)
            assert webhook_id in table.stdout or gone["id"] in table.stdout
        neither = await opal(api, "webhooks", "replay", webhook_id)
        assert neither.exception is not None
        assert getattr(neither.exception, "code", None) == "nothing_to_replay"
    assert refusal(await opal(api, "webhooks", "test", f"webhook_{UNKNOWN}")) == "unknown_webhook"
    wrong = await opal(api, "webhooks", "create", "ftp://shop.example")
    assert refusal(wrong) == "invalid_request"
    assert str(wrong.exception).startswith("body.url: Should be an address that begins with https://")


async def test_a_target_is_made_tested_and_gets_a_job(api: WebApi, tmp_path: Path) -> None:
    job_id = await exported(api)
    place = {"kind": "folder", "folder": "shop"}
    made = await as_json(
        api,
        *("deliver", "targets", "create", "-", "--name", "Shop", "--template", "{photo}/{preset}.{ext}"),
        *("--preset", "square-1x1", "--format", "jpeg"),
        stdin=json.dumps(place),
    )
    assert (made["destination"], made["presets"], made["formats"]) == (place, ["square-1x1"], ["jpeg"])
    assert (await as_json(api, "deliver", "targets", "list")) == [made]
    assert made["id"] in (await opal(api, "deliver", "targets", "list")).stdout
    assert (await opal(api, "deliver", "targets", "test", made["id"])).stdout == "It took opal-test.txt.\n"
    root = api.parts.settings.delivery.folder_root
    assert root is not None
    picture = root / "acme" / "shop" / "mug" / "square-1x1.jpg"
    for _ in range(2):
        picture.unlink(missing_ok=True)
        done = await as_json(api, "deliver", "job", job_id, "--to", made["id"])
        assert (done["due"], done["delivered"], done["failed"]) == (2, 2, [])
        assert picture.read_bytes() == b"jpeg"
    due = await opal(api, "deliver", "job", job_id, "--to", made["id"], "--no-wait")
    assert due.stdout == "2 files are due.\n"
    unknown = await opal(api, "deliver", "job", job_id, "--to", f"target_{UNKNOWN}")
    assert refusal(unknown) == "unknown_delivery_target"
    assert refusal(await opal(api, "deliver", "job", "nonsense", "--to", made["id"])) == "not_found"


async def test_a_target_that_fails_is_waited_for_and_one_that_is_off_is_not(
    api: WebApi, tmp_path: Path
) -> None:
    async with listening() as there:
        there.say = answer(403)
        stored = {"kind": "azure", "container_url": f"http://127.0.0.1:{there.port}/pictures"}
        file = tmp_path / "place.json"
        file.write_text(json.dumps({**stored, "account": "acmeshop", "sas": "sig=secret"}), "utf-8")
        target_id = (await opal(api, "deliver", "targets", "create", str(file))).stdout.strip()
        tested = await opal(api, "deliver", "targets", "test", target_id)
        assert tested.exit_code == 1
        assert tested.stdout.startswith("It answered 401 or 403")
        job_id = await exported(api)
        # It is on its way by itself: the command finds it, and says why it is late.
        told, late = list[Progress](), asyncio.Event()

        def say(progress: Progress) -> None:
            told.append(progress)
            if progress.problem is not None:
                late.set()

        async with ApiClient(api.url, api.client.headers["X-API-Key"]) as client, asyncio.timeout(10):
            following = asyncio.create_task(deliver(client, job_id, target_id, wait=True, say=say))
            await late.wait()
            await api.client.patch(f"/v1/delivery-targets/{target_id}", json={"enabled": False})
            with pytest.raises(RequestRefused, match="It was turned off") as refused:
                await following
        assert refused.value.code == "delivery_target_disabled"
        assert told[-1].waiting == "2"
        assert str(told[-1].problem).startswith("It answered 401 or 403")
    for text, code in (("[1]", "invalid_delivery_target"), ('{"kind": "ftp"}', "invalid_request")):
        file.write_text(text, "utf-8")
        wrong = await opal(api, "deliver", "targets", "create", str(file))
        assert getattr(wrong.exception, "code", None) == code
    file.write_bytes(b"\xff\xfe{}")
    wrong = await opal(api, "deliver", "targets", "create", str(file))
    assert getattr(wrong.exception, "code", None) == "invalid_delivery_target"


async def test_without_a_key_or_an_answer_it_is_one_error(api: WebApi, tmp_path: Path) -> None:
    for environment, code in (
        ({"OPAL_DATA_DIR": str(tmp_path)}, "no_api_key"),
        ({"OPAL_API_KEY": "opal_é"}, "no_api_key"),
        ({"OPAL_API_KEY": "opal_x", "OPAL_API_URL": "http://127.0.0.1:1"}, "api_unreachable"),
        ({"OPAL_API_KEY": "opal_x", "OPAL_API_URL": api.url}, "unauthorized"),
    ):
        done = await asyncio.to_thread(CliRunner().invoke, app, ["webhooks", "list"], env=environment)
        assert getattr(done.exception, "code", None) == code, done.output


@pytest.mark.parametrize(
    "command",
    [
        ("webhooks", "deliveries", "../presets#"),
        ("webhooks", "test", "../jobs"),
        ("webhooks", "enable", ".."),
        ("webhooks", "replay", "../jobs?", "x"),
        ("deliver", "targets", "test", "../jobs#"),
        ("deliver", "job", "../presets#", "--to", "x"),
    ],
)
async def test_an_id_leads_to_its_own_resource_or_to_none(api: WebApi, command: tuple[str, ...]) -> None:
    assert refusal(await opal(api, *command)) in {"not_found", "unknown_webhook", "unknown_delivery_target"}


@pytest.mark.parametrize(
    ("command", "body"),
    [
        (("webhooks", "list"), b"{}"),
        (("webhooks", "list"), b'{"webhooks": ["a"]}'),
        (("webhooks", "list"), b'{"webhooks": [{"id": "a"}]}'),
        (("webhooks", "deliveries", "a"), b'{"deliveries": null}'),
        (("webhooks", "test", "a"), b"[]"),
        (("deliver", "targets", "list"), b'{"targets": [{"id": "a", "name": "b", "destination": {}}]}'),
        (("deliver", "job", "a", "--to", "b"), b"no JSON"),
    ],
)
async def test_an_answer_of_another_shape_is_one_error(command: tuple[str, ...], body: bytes) -> None:
    async with listening() as other:
        other.say = answer(200, body=body)
        environment = {"OPAL_API_KEY": "opal_x", "OPAL_API_URL": other.url}
        done = await asyncio.to_thread(CliRunner().invoke, app, list(command), env=environment)
    assert isinstance(done.exception, NotAnApi), done.output
    assert "\n" not in done.exception.message


@pytest.mark.parametrize("options", [(), ("--no-wait",)])
async def test_a_job_without_pictures_says_so(api: WebApi, options: tuple[str, ...]) -> None:
    job_id = (await api.job())["id"]
    place = json.dumps({"kind": "folder", "folder": "empty"})
    target_id = (await opal(api, "deliver", "targets", "create", "-", stdin=place)).stdout.strip()
    done = await opal(api, "deliver", "job", job_id, "--to", target_id, *options)
    assert done.exit_code == 0
    assert done.stdout.startswith("There is nothing to deliver: the job has no finished pictures")

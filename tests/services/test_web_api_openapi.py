"""Both HTTP services hold what their OpenAPI promises, asked by schemathesis over the real server.

The command for a longer run is in docs/api.md.
"""

import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from tests.services.finished_job import finished_job
from tests.services.http_services import (
    bound_socket,
    client_of,
    running_web_api,
    served,
)

from opal.billing_service.app import create_app
from opal.messages.webhook_event import EventType, WebhookEvent
from opal.outgoing_settings import DeliverySettings, OutgoingSettings
from opal.settings import WebSettings, child_environment

ROOT = Path(__file__).parents[2]
EXAMPLES = 3
BINARY = {
    "application/zip",
    "application/octet-stream",
    "image/*",
    "image/jpeg",
    "image/png",
    "image/webp",
}
# Another contract's: their errors are of its form, their keys missing a 403 (test_removebg_contract.py).
FOREIGN = ("/v1.0/", "/api/")
# The same for everyone, and shown by pages that cannot send a key.
WITHOUT_KEY = {"/v1/scenes/{name}/thumbnail"}


# No schema says what a picture is, nor that exactly one of three fields must be there.
SETTINGS = """
[[operations]]
include-path = ["/v1.0/removebg", "/v1.0/improve", "/api/remove"]
checks.positive_data_acceptance.expected-statuses = ["2xx", "400", "403"]
"""


async def ask(folder: Path, url: str, key: str, ids: dict[str, str]) -> None:
    """Run schemathesis with every check; its report is the failure message.

    In one thread: Python 3.11 cannot parse source in two at a time (a SystemError about recursion depth).
    """
    (folder / "schemathesis.toml").write_text(SETTINGS, "utf-8")
    process = await asyncio.create_subprocess_exec(
        str(Path(sys.executable).with_name("schemathesis")),
        *("run", f"{url}/openapi.json", "--header", f"X-API-Key: {key}"),
        *("--phases", "examples,coverage,fuzzing", "--checks", "all"),
        *("--max-examples", str(EXAMPLES), "--seed", "1"),
        *("--no-shrink", "--generation-database", "none", "--warnings", "off"),
        cwd=folder,
        env=child_environment(
            {
                "SCHEMATHESIS_HOOKS": "tests.services.openapi_hooks",
                "OPAL_TEST_IDS": json.dumps(ids),
                "PYTHONPATH": str(ROOT),
            }
        ),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    assert process.returncode == 0, output.decode()


# A group begins before tests on their own do: minutes long, these would otherwise be waited for at the end.
@pytest.mark.xdist_group("openapi")
async def test_web_api_holds_what_it_promises(tmp_path: Path) -> None:
    anywhere = OutgoingSettings(private_addresses="allow")
    (tmp_path / "root").mkdir()
    delivery = DeliverySettings(folder_root=tmp_path / "root")
    groups: dict[str, Any] = {"outgoing": anywhere, "delivery": delivery}
    async with running_web_api(tmp_path / "data", granted=10**9, **groups) as api:
        await ask(tmp_path, api.url, api.client.headers["X-API-Key"], await finished_job(api))


@pytest.mark.xdist_group("openapi")
async def test_billing_service_holds_what_it_promises(tmp_path: Path) -> None:
    async with running_web_api(tmp_path / "data") as api:
        await api.job()
        bound, url = bound_socket()
        async with served(create_app(api.parts.database, WebSettings()), bound):
            await ask(tmp_path, url, api.client.headers["X-API-Key"], {})


def _is_a_refusal(where: str, path: str, status: str, answer: dict[str, Any]) -> None:
    if path.startswith(FOREIGN):
        content = answer["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/RemoveBgErrors"}, where
        for code, example in content["examples"].items():
            assert [error["code"] for error in example["value"]["errors"]] == [code]
        return
    content = answer["content"]["application/problem+json"]
    assert content["schema"] == {"$ref": "#/components/schemas/Problem"}, where
    for code, example in content["examples"].items():
        assert (example["value"]["code"], example["value"]["status"]) == (code, int(status))
        assert "{" not in example["value"]["instance"], where


@pytest.mark.parametrize("service", ["web-api", "billing-service"])
async def test_every_operation_is_described_with_examples_and_problems(tmp_path: Path, service: str) -> None:
    async with running_web_api(tmp_path / "data") as api:
        document: dict[str, Any]
        if service == "web-api":
            document = (await api.anonymous.get("/openapi.json")).json()
        else:
            bound, url = bound_socket()
            async with served(create_app(api.parts.database, WebSettings()), bound), client_of(url) as client:
                document = (await client.get("/openapi.json")).json()
    names = []
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            where = f"{method} {path}"
            names.append(operation["operationId"])
            assert operation["summary"], where
            assert operation["description"], where
            assert operation["tags"], where
            for parameter in operation.get("parameters", []):
                assert parameter["description"], f"{where} {parameter['name']}"
            for status, answer in operation["responses"].items():
                if int(status) >= 400:
                    _is_a_refusal(where, path, status, answer)
                else:
                    assert answer["description"] != "Successful Response", where
                    for media_type, content in answer.get("content", {}).items():
                        assert set(content) <= {"schema", "example"}, f"no OpenAPI 3.1: {where}"
                        assert "example" in content or media_type in BINARY, f"{where} {media_type}"
            body = operation.get("requestBody", {}).get("content", {}).get("application/json")
            if body is not None and not path.startswith(FOREIGN):
                name = body["schema"]["$ref"].rpartition("/")[2]
                assert document["components"]["schemas"][name]["examples"], where
            if path.startswith("/v1/"):
                keyless = path in WITHOUT_KEY
                assert ("security" in operation) is not keyless, where
                assert ("401" in operation["responses"]) is not keyless, where
    assert len(names) == len(set(names))
    assert {tag["name"] for tag in document["tags"]} == {
        tag for path in document["paths"].values() for operation in path.values() for tag in operation["tags"]
    }


async def test_the_api_page_names_every_route_and_every_code_with_its_status(tmp_path: Path) -> None:
    page = (ROOT / "docs" / "api.md").read_text("utf-8")
    rows = {
        int(cells[1]): set(re.findall(r"`(\w+)`", cells[2]))
        for line in page.splitlines()
        if (cells := [cell.strip() for cell in line.split("|")])[1:2] and cells[1].isdecimal()
    }
    # What no operation promises, because no operation was reached; and what is only said to the console.
    promised: dict[int, set[str]] = {
        400: {"malformed_http"},
        403: {"cross_site_request"},
        405: {"method_not_allowed"},
        408: {"request_timeout"},
        414: {"address_too_long"},
        431: {"request_head_too_large"},
        503: {"too_many_connections"},
    }
    async with running_web_api(tmp_path) as api:
        document = (await api.anonymous.get("/openapi.json")).json()
    for path, operations in document["paths"].items():
        assert path in page, f"docs/api.md does not name {path}"
        for operation in operations.values():
            for status, answer in operation["responses"].items():
                problems = answer.get("content", {}).get("application/problem+json", {})
                if problems:
                    promised.setdefault(int(status), set()).update(problems["examples"])
    assert rows == promised


async def test_what_webhooks_are_sent_is_described_with_bodies_as_they_are_sent(tmp_path: Path) -> None:
    async with running_web_api(tmp_path) as api:
        document = (await api.anonymous.get("/openapi.json")).json()
    schemas = document["components"]["schemas"]
    assert list(document["webhooks"]) == list(EventType)
    for kind, operations in document["webhooks"].items():
        operation = operations["post"]
        assert operation["tags"] == ["webhooks"]
        assert operation["summary"]
        headers = [each["name"] for each in operation["parameters"]]
        assert headers == ["webhook-id", "webhook-timestamp", "webhook-signature"]
        content = operation["requestBody"]["content"]["application/json"]
        assert content["schema"] == {"$ref": "#/components/schemas/WebhookEvent"}
        body = content["example"]
        event = WebhookEvent.model_validate(body)
        assert event.model_dump(mode="json") == body, "whole, with what is null"
        assert event.type == kind
        assert set(schemas[type(event.data).__name__]["required"]) <= set(body["data"])

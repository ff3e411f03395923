"""No tenant reaches what another has, on any operation that OpenAPI lists: a new route is asked by itself.

Each parameter that names something of a tenant is sent with another tenant's value and with one that nobody
has. Both must be answered alike, and nothing of the other tenant may change or be told.
"""

import json
import re
from collections.abc import AsyncIterator, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import select
from tests.services.http_services import OTHER, TENANT, WebApi, running_web_api
from tests.services.tenant_world import (
    ELSEWHERE,
    OWNED,
    PLAIN,
    SHARED,
    everything_of,
    foreign,
    other_side,
    unknown,
)

from opal.database.tables import metadata
from opal.outgoing_settings import DeliverySettings, OutgoingSettings

# Of the rows of a tenant, what its own requests, its senders and its clock change meanwhile.
_RESTLESS = {"attempts", "next_at", "claimed_until", "last_at", "last_status", "last_error", "last_used_at"}
_RESTLESS |= {"failures", "failing_since", "not_before", "state", "etag", "used", "started_at"}
_ID = re.compile(r"[a-z]+_[0-9a-f]{24}")
# Of a body's properties, which all are sent, as no schema says which belong together.
_NEEDED = {"job_id", "item_id", "target_id", "toml", *SHARED}
# Another contract's: pictures in, pictures out, and nothing in between that has a name.
_NAMELESS = ("/v1.0/", "/api/")
_ALL = "/v1/tenants/me/data"
# Whose scene may be a tenant's own backdrop.
_WITH_RECIPE = ("/v1/jobs", "/v1/brand-profiles", "/v1/brand-profiles/{profile_id}")


@dataclass(frozen=True)
class Parameter:
    """One place of a request, and what it takes in the words of ``tenant_world``."""

    place: str
    name: str
    takes: str
    required: bool


@dataclass(frozen=True)
class Operation:
    """One operation of OpenAPI."""

    method: str
    path: str
    parameters: tuple[Parameter, ...]
    example: dict[str, Any] | None

    def __str__(self) -> str:
        return f"{self.method.upper()} {self.path}"

    @property
    def owned(self) -> list[Parameter]:
        """The parameters that name something of a tenant."""
        return [parameter for parameter in self.parameters if parameter.takes in OWNED]

    async def ask(self, client: httpx.AsyncClient, values: dict[str, Any], sent: set[str]) -> httpx.Response:
        """Send it with ``values``; parameters that are optional only if they are among ``sent``."""
        places: dict[str, dict[str, Any]] = {"path": {}, "query": {}, "header": {}, "body": {}}
        for parameter in self.parameters:
            if parameter.takes in values and (parameter.required or parameter.name in sent):
                places[parameter.place][parameter.name] = values[parameter.takes]
        body = None if self.example is None else {**self.example, **places["body"]}
        address = self.path.format(**places["path"])
        return await client.request(
            self.method, address, params=places["query"], headers=places["header"], json=body
        )


def operations_of(document: dict[str, Any]) -> list[Operation]:
    """Every operation, looking before changing and deleting last, so that all find what they need.

    What deletes everything comes after all others.
    """
    found = [
        Operation(method, path, tuple(_parameters(document, path, operation)), _example(document, operation))
        for path, operations in document["paths"].items()
        for method, operation in operations.items()
    ]
    order = ("get", "head", "post", "put", "patch", "delete")
    return sorted(found, key=lambda each: (order.index(each.method), each.path == _ALL, -len(each.path)))


def _parameters(document: dict[str, Any], path: str, operation: dict[str, Any]) -> Iterator[Parameter]:
    for each in operation.get("parameters", []):
        name = each["name"] if each["in"] != "header" else each["name"].lower()
        yield _parameter(path, each["in"], name, required=each.get("required", False))
    for name in _schema(document, operation).get("properties", {}):
        yield _parameter(path, "body", name, required=name in _NEEDED)


def _parameter(path: str, place: str, name: str, *, required: bool) -> Parameter:
    takes = ELSEWHERE.get((path, name), name)
    if (place, name) == ("body", "scene") and path in _WITH_RECIPE:
        takes, required = "scene_of_job", False
    return Parameter(place, name, takes, required)


def _schema(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any]:
    content = operation.get("requestBody", {}).get("content", {}).get("application/json", {})
    reference = content.get("schema", {}).get("$ref", "")
    return dict(document["components"]["schemas"][reference.rpartition("/")[2]]) if reference else {}


def _example(document: dict[str, Any], operation: dict[str, Any]) -> dict[str, Any] | None:
    examples = _schema(document, operation).get("examples")
    return dict(examples[0]) if examples else None


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    (tmp_path / "root").mkdir()
    groups: dict[str, Any] = {
        "outgoing": OutgoingSettings(private_addresses="allow"),
        "delivery": DeliverySettings(folder_root=tmp_path / "root"),
    }
    async with running_web_api(tmp_path / "data", **groups) as running:
        yield running


async def rows_of(api: WebApi, tenant: str) -> dict[str, list[dict[str, Any]]]:
    """All that the database keeps for the tenant, but for what changes by itself."""
    kept = {}
    async with api.parts.database.read() as connection:
        for table in metadata.sorted_tables:
            if "tenant_id" in table.c:
                query = select(table).where(table.c.tenant_id == tenant).order_by(*table.primary_key.columns)
                kept[table.name] = [
                    {name: value for name, value in row._asdict().items() if name not in _RESTLESS}
                    for row in await connection.execute(query)
                ]
    return kept


def refusal(answer: httpx.Response, value: Any) -> str:
    """What the answer says, without the value that was asked for and the request's own number."""
    text = answer.text
    for named in sorted(_strings(value), key=len, reverse=True):
        text = text.replace(named, "…")
    if text and answer.headers["content-type"] == "application/problem+json":
        told = json.loads(text)
        return json.dumps({key: told[key] for key in told if key != "correlation_id"}, sort_keys=True)
    return text


def _strings(value: Any) -> list[str]:
    if isinstance(value, dict | list):
        return [
            each for part in (value.values() if isinstance(value, dict) else value) for each in _strings(part)
        ]
    return [str(value)]


async def test_the_words_of_every_parameter_are_known(api: WebApi) -> None:
    document = (await api.anonymous.get("/openapi.json")).json()
    strangers = [
        f"{operation}: {parameter.name} ({parameter.place})"
        for operation in operations_of(document)
        for parameter in operation.parameters
        if not operation.path.startswith(_NAMELESS)
        and parameter.takes not in OWNED | SHARED.keys() | PLAIN | {"file", "sp", "se", "sig"}
    ]
    assert not strangers, f"say in tests/services/tenant_world.py what these take: {strangers}"


async def test_what_another_tenant_has_is_answered_as_what_nobody_has(api: WebApi) -> None:
    document = (await api.anonymous.get("/openapi.json")).json()
    operations = operations_of(document)
    sides = {TENANT: api, OTHER: other_side(api)}
    has = {tenant: await everything_of(side, tenant) for tenant, side in sides.items()}
    asked = 0
    for mine, theirs in ((TENANT, OTHER), (OTHER, TENANT)):
        before = await rows_of(api, theirs)
        for operation in operations:
            for parameter in operation.owned:
                client = sides[mine].client
                strange = foreign(has[mine], has[theirs], parameter.takes)
                answers = [
                    (
                        await operation.ask(client, {**has[mine], parameter.takes: value}, {parameter.name}),
                        value,
                    )
                    for value in (strange, unknown(strange))
                ]
                where = f"{operation} with another's {parameter.name}"
                assert len({answer.status_code for answer, _ in answers}) == 1, where
                if answers[0][0].is_error:
                    assert refusal(*answers[0]) == refusal(*answers[1]), where
                    assert answers[0][0].status_code < 500, where
                told = set(_ID.findall(answers[0][0].text)) - set(_ID.findall(str(strange)))
                assert not told & set(_ID.findall(str(has[theirs]))), where
                asked += 1
        assert await rows_of(api, theirs) == before
    assert asked > 2 * len(document["paths"])


async def test_what_one_has_oneself_is_found_and_tells_of_nobody_else(api: WebApi) -> None:
    """The control of the test above, and the isolation of lists, which name nothing."""
    document = await api.anonymous.get("/openapi.json")
    operations = operations_of(document.json())
    sides = {TENANT: api, OTHER: other_side(api)}
    has = {tenant: await everything_of(side, tenant) for tenant, side in sides.items()}
    told: dict[str, set[str]] = {TENANT: set(), OTHER: set()}
    for operation in operations:
        for tenant, side in sides.items():
            answer = await operation.ask(side.client, has[tenant], set())
            assert answer.status_code not in {401, 404, 422} or operation.path.startswith(_NAMELESS), (
                f"{operation}: {answer.status_code} {answer.text}"
            )
            assert answer.status_code < 500, f"{operation}: {answer.text}"
            told[tenant] |= set(_ID.findall(answer.text))
    assert len(told[TENANT]) > 10
    # Examples may be told to everybody.
    assert told[TENANT] & told[OTHER] <= set(_ID.findall(document.text))

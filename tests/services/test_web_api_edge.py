"""What all HTTP answers have in common: problems, keys, ids, health; and how the process ends."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from fastapi import FastAPI
from sqlalchemy import text
from starlette.exceptions import HTTPException
from structlog.testing import capture_logs
from tests.services.http_services import (
    WebApi,
    bound_socket,
    client_of,
    migrated,
    running_web_api,
    served,
    settings_of,
    tenants_with_keys,
)

from opal.assembly import build_parts
from opal.database.engine import DatabaseUnavailable
from opal.errors import NotFound, OpalError, walk
from opal.http.errors import STATUS, status_of
from opal.http.key_use import KeyUse
from opal.http.service import build_service
from opal.settings import child_environment


@pytest.fixture
async def api(tmp_path: Path) -> AsyncIterator[WebApi]:
    async with running_web_api(tmp_path) as running:
        yield running


def test_every_error_has_a_status_and_only_expected_ones_blame_the_caller() -> None:
    for kind in walk():
        status = status_of(kind)
        assert 400 <= status < 600
        if status < 500:
            assert kind.expected, f"{kind.__name__} is answered with {status} but is nobody's fault"


def test_no_two_kinds_of_error_share_a_code_and_differ_in_status() -> None:
    seen: dict[str, int] = {}
    for kind in walk():
        assert seen.setdefault(kind.code, status_of(kind)) == status_of(kind), kind.code
    assert STATUS[OpalError] == 500


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/v1/nothing", 404, "not_found"),
        ("PATCH", "/v1/jobs", 405, "method_not_allowed"),
        ("GET", "/v1/jobs?limit=0", 422, "invalid_request"),
        ("GET", "/v1/jobs?limit=x", 422, "invalid_request"),
        ("GET", "/blobs/raw/a", 403, "signature_invalid"),
        ("GET", "/blobs/raw/../../etc/passwd", 404, "not_found"),
    ],
)
async def test_every_error_is_a_problem(api: WebApi, method: str, path: str, status: int, code: str) -> None:
    answer = await api.client.request(method, path)
    problem = answer.json()
    assert (answer.status_code, problem["status"], problem["code"]) == (status, status, code)
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["type"] == f"urn:opal:problem:{code}"
    assert problem["title"]
    assert problem["detail"]
    # The client itself takes the dots out of what it asks for.
    assert problem["instance"] == answer.request.url.path
    if status == 405:
        assert answer.headers["allow"] == "GET, POST"


@pytest.mark.parametrize("key", [None, "", "opal", "opal_x_y", "opal_000000000000_" + "0" * 48, "é"])
async def test_without_a_valid_key_nothing_is_said_about_anything(api: WebApi, key: str | None) -> None:
    headers = {} if key is None else {"X-API-Key": key.encode()}
    requests = [("GET", "/v1/jobs"), ("POST", "/v1/jobs"), ("GET", "/v1/credits"), ("GET", "/v1/presets")]
    for method, path in requests:
        answer = await api.anonymous.request(method, path, headers=headers, content=b"{")  # type: ignore[arg-type]
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
        assert answer.headers["www-authenticate"].startswith("ApiKey")


async def test_a_correlation_id_is_kept_when_it_is_harmless_and_made_when_it_is_not(api: WebApi) -> None:
    for given, kept in (("order-7:x_1.2", True), ("a b", False), ("x" * 129, False), ("<script>", False)):
        answer = await api.anonymous.get("/healthz", headers={"X-Correlation-Id": given})
        assert (answer.headers["x-correlation-id"] == given) is kept


async def test_the_access_log_names_the_request_and_keeps_signatures_out(api: WebApi) -> None:
    with capture_logs() as lines:
        await api.anonymous.get("/blobs/raw/a?sig=very-secret", headers={"X-Correlation-Id": "me"})
    (line,) = [line for line in lines if line.get("action") == "http.answered"]
    assert (line["method"], line["path"], line["status"]) == ("GET", "/blobs/raw/a", 403)
    assert not any("very-secret" in str(value) for entry in lines for value in entry.values())


async def test_figures_are_kept_per_route_not_per_id(api: WebApi) -> None:
    job = await api.job()
    await api.client.get(f"/v1/jobs/{job['id']}")
    figures = (await api.anonymous.get("/metrics")).text
    assert 'opal_http_request_seconds_count{method="GET",route="/v1/jobs/{job_id}"' in figures
    assert job["id"] not in figures


async def test_ready_names_what_is_missing(api: WebApi) -> None:
    assert (await api.anonymous.get("/healthz")).json() == {"status": "alive"}
    ready = await api.anonymous.get("/readyz")
    assert ready.json() == {"status": "ready", "checks": ["database", "queues", "blobs"]}
    blobs = api.parts.settings.data_dir / "blobs"
    incoming = blobs / ".incoming"
    incoming.rmdir()
    incoming.write_text("in the way")
    answer = await api.anonymous.get("/readyz")
    assert (answer.status_code, answer.json()["code"]) == (503, "not_ready")
    assert [fault["where"] for fault in answer.json()["errors"]] == ["blobs"]
    async with api.parts.database.transaction() as connection:
        await connection.execute(text("ALTER TABLE tenants RENAME TO away"))
    both = await api.anonymous.get("/readyz")
    assert [fault["where"] for fault in both.json()["errors"]] == ["database", "blobs"]
    assert (await api.anonymous.get("/healthz")).status_code == 200


async def test_unforeseen_errors_say_nothing_of_the_inside(tmp_path: Path) -> None:
    bound, url = bound_socket()
    settings = settings_of(tmp_path, url)
    await migrated(settings)
    parts = build_parts(settings)
    use = KeyUse(settings.web, parts.database)
    app: FastAPI = build_service(
        "test", "t", "d", database=parts.database, key_use=use, max_body_bytes=100, checks={}
    )

    @app.get("/bug")
    async def bug() -> None:
        raise ValueError("password=hunter2")

    @app.get("/away")
    async def away() -> None:
        raise DatabaseUnavailable("postgres at 10.0.0.7 refused")

    @app.get("/teapot")
    async def teapot() -> None:
        raise HTTPException(418)

    @app.get("/gone")
    async def gone() -> None:
        raise NotFound("There is no such thing.")

    try:
        async with served(app, bound), client_of(url) as client:
            found = {path: await client.get(path) for path in ("/bug", "/away", "/teapot", "/gone")}
    finally:
        await parts.close()
    codes = {path: (answer.status_code, answer.json()["code"]) for path, answer in found.items()}
    assert codes == {
        "/bug": (500, "internal_error"),
        "/away": (503, "database_unavailable"),
        "/teapot": (422, "invalid_request"),
        "/gone": (404, "not_found"),
    }
    assert "hunter2" not in found["/bug"].text
    assert "10.0.0.7" not in found["/away"].text
    assert found["/away"].headers["retry-after"] == "5"
    assert found["/gone"].json()["detail"] == "There is no such thing."


async def test_the_catalogue(api: WebApi) -> None:
    presets = (await api.client.get("/v1/presets")).json()["presets"]
    scenes = (await api.client.get("/v1/scenes")).json()
    assert {"square-1x1", "landscape-4x3", "story-9x16", "amazon-main", "cutout-png"} <= {
        preset["name"] for preset in presets
    }
    assert scenes["default"] in {scene["name"] for scene in scenes["scenes"]}
    body = {"items": [{"filename": "x.jpg"}], "scene": scenes["scenes"][3]["scene"]}
    assert (await api.client.post("/v1/jobs", json=body)).status_code == 201


async def test_the_catalogue_has_the_models_of_what_a_job_may_say(api: WebApi) -> None:
    models = (await api.client.get("/v1/scenes")).json()["models"]
    kinds = {kind["properties"]["kind"]["const"]: kind for kind in models["scene"]["anyOf"][1:]}
    for example in kinds["gradient"]["examples"]:
        body = {"items": [{"filename": "x.jpg"}], "scene": example}
        assert (await api.client.post("/v1/jobs", json=body)).status_code == 201
    assert models["placement"]["properties"]["straighten"]["examples"] == [True]


async def test_a_thumbnail_needs_no_key_and_is_drawn_once(api: WebApi) -> None:
    [white] = [
        scene for scene in (await api.client.get("/v1/scenes")).json()["scenes"] if scene["name"] == "white"
    ]
    answers = await asyncio.gather(*(api.anonymous.get(white["thumbnail"]) for _ in range(3)))
    assert {answer.status_code for answer in answers} == {200}
    assert len({answer.content for answer in answers}) == 1
    first = answers[0]
    assert (first.headers["content-type"], first.content[:2]) == ("image/jpeg", b"\xff\xd8")
    assert first.headers["cache-control"] == "public, max-age=86400"
    for tag in (first.headers["etag"], f'"other", W/{first.headers["etag"]}', "*"):
        again = await api.anonymous.get(white["thumbnail"], headers={"If-None-Match": tag})
        assert (again.status_code, again.content) == (304, b"")
        assert again.headers["etag"] == first.headers["etag"]
    other = await api.anonymous.get(white["thumbnail"], headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


@pytest.mark.parametrize("name", ["moon", "white%00", "..", "x" * 64])
async def test_a_scene_that_is_none_has_no_thumbnail(api: WebApi, name: str) -> None:
    answer = await api.anonymous.get(f"/v1/scenes/{name}/thumbnail")
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")
    assert answer.headers["content-type"] == "application/problem+json"


async def test_the_front_page_needs_nothing_from_elsewhere(api: WebApi) -> None:
    page = await api.anonymous.get("/sign-in")
    assert page.headers["content-type"].startswith("text/html")
    assert "http" not in page.text.replace("http-equiv", "")
    assert "<script" not in page.text
    assert (await api.anonymous.get("/docs")).status_code == 404


async def test_sigterm_ends_the_process_cleanly_even_with_an_open_stream(tmp_path: Path) -> None:
    bound, url = bound_socket()
    port = bound.getsockname()[1]
    bound.close()
    settings = settings_of(tmp_path, url)
    await migrated(settings)
    parts = build_parts(settings)
    key, _ = await tenants_with_keys(parts)
    await parts.close()
    process = await asyncio.create_subprocess_exec(
        sys.executable,
        "-c",
        "from opal.settings import load_settings; from opal.console.app import serve; serve(load_settings())",
        env=child_environment({"OPAL_DATA_DIR": str(tmp_path), "OPAL_WEB_PORT": str(port)}),
        stderr=asyncio.subprocess.PIPE,
    )
    assert process.stderr is not None
    async with asyncio.timeout(90):
        while b"listening" not in await process.stderr.readline():
            pass
    async with client_of(url, key) as client:
        job = (await client.post("/v1/jobs", json={"items": [{"filename": "a.jpg"}]})).json()
        async with client.stream("GET", f"/v1/jobs/{job['id']}/events") as answer:
            await anext(answer.aiter_lines())
            process.send_signal(signal.SIGTERM)
            async with asyncio.timeout(3):
                assert await process.wait() == 0
    assert b"Traceback" not in await process.stderr.read()

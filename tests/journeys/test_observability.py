"""A photo's whole way as an operator sees it: one trace, one correlation id, true figures, and no secret."""

import asyncio
import json
import secrets
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import asyncpg
import httpx
import pytest
import pyvips
from sqlalchemy import make_url
from tests.journeys.observed_run import (
    CALLER,
    CORRELATION_ID,
    SERVICES,
    TRACE,
    ObservedRun,
    observed_run,
    s3_place,
)
from tests.services.http_services import NO_CERTIFICATES

from opal.database import keys, ledger
from opal.database.engine import Database
from opal.platform_settings import DatabaseSettings

pytestmark = pytest.mark.xdist_group("services")

_PHOTO = Path(__file__).parents[2] / "samples" / "photos" / "stoneware-mug.jpg"
_PRESETS = ["square-1x1", "cutout-png"]
# Of the good photo and of the one that is cut off.
_TRACES = (TRACE, TRACE[::-1])


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, postgres: str, template: str) -> Iterator[ObservedRun]:
    """The run when it is over: the services have ended, all that they told is there."""
    folder = tmp_path_factory.mktemp("observed")
    password = secrets.token_urlsafe(24)
    url = make_url(postgres).set(database="opal_observed", password=password)
    database_url = url.render_as_string(hide_password=False)
    key = asyncio.run(_database(postgres, make_url(template).database or "", database_url))
    with observed_run(folder, database_url, password, key) as running:
        _do_everything(running)
        running.stop()
        yield running


async def _database(server: str, template: str, url: str) -> str:
    connection = await asyncpg.connect(server.replace("+asyncpg", "", 1))
    await connection.execute(f"CREATE DATABASE opal_observed TEMPLATE {template}")
    await connection.close()
    database = Database(url, DatabaseSettings())
    async with database.transaction() as transaction:
        await keys.ensure_tenant(transaction, "acme", "Acme")
        await ledger.grant(transaction, "acme", 10)
        _, key = await keys.create_key(transaction, "acme", "test")
    await database.close()
    return key


def _do_everything(run: ObservedRun) -> None:
    """Good and bad: photos, keys, signatures, addresses."""
    webhook = run.told("POST", "/v1/webhooks", json={"url": run.webhooks.url})
    run.canaries["webhook secret"] = webhook["secret"].removeprefix("whsec_")
    run.told("POST", "/v1/delivery-targets", json={"destination": s3_place(run), "formats": ["jpeg"]})
    run.told("PUT", "/v1/public-links", json={"jobs": "all"})
    good = pyvips.Image.thumbnail(str(_PHOTO), 400).jpegsave_buffer()
    job = run.told(
        "POST",
        "/v1/jobs",
        json={"items": [{"filename": "good.jpg"}, {"filename": "cut.jpg"}], "presets": _PRESETS},
    )
    for index, photo in enumerate((good, good[: len(good) * 6 // 10])):
        ids = {"job_id": job["id"], "item_id": job["items"][index]["id"]}
        ticket = run.told("POST", "/v1/uploads/sas", json=ids)
        run.canaries[f"SAS of upload {index}"] = _signature(ticket["url"])
        sent = run.ask(ticket["method"], ticket["url"], headers=ticket["headers"], content=photo)
        assert sent.status_code == 201, sent.text
        traced = {"traceparent": f"00-{_TRACES[index]}-{CALLER}-01"}
        run.told("POST", "/v1/uploads/complete", json=ids, headers=traced)
    run.wait_for(
        lambda: run.told("GET", f"/v1/jobs/{job['id']}")["status"] == "finished_with_failures", "the job"
    )
    path = f"/v1/jobs/{job['id']}/items/{job['items'][0]['id']}/variants"
    for variant in run.told("GET", path)["variants"]:
        run.canaries[f"SAS of {variant['preset']}"] = _signature(variant["url"])
        assert run.ask("GET", variant["url"]).is_success
        seal = variant["public_url"].split("/p/")[1].partition("/")[0][24:]
        run.canaries[f"public link of {variant['preset']}"] = seal
        assert run.ask("GET", variant["public_url"]).is_success
    # Exported, failed, and the job's end; the pictures and their reports.
    run.wait_for(lambda: len(run.webhooks.told) >= 3, "webhooks")
    path = f"/v1/jobs/{job['id']}/deliveries"
    done = {"state": "delivered"}
    run.wait_for(lambda: len(run.told("GET", path, params=done)["deliveries"]) >= 2, "deliveries")
    _use_the_console(run)
    _ask_for_trouble(run)
    run.told("GET", "/v1/credits", to="billing-service")


def _use_the_console(run: ObservedRun) -> None:
    """Not by ``ask``, whose kept problems would have the very cookie that signing in sets."""
    ours = {"Sec-Fetch-Site": "same-origin"}
    with httpx.Client(
        base_url=run.urls["web-api"], timeout=60, trust_env=False, verify=NO_CERTIFICATES
    ) as browser:
        assert browser.post("/sign-in", data={"key": run.key}, headers=ours).status_code == 303
        [cookie] = browser.cookies.jar
        run.canaries["session cookie"] = str(cookie.value)
        page = browser.get("/").text
        token = page.partition('name="csrf-token" content="')[2].partition('"')[0]
        run.canaries["CSRF token"] = token
        proof = {**ours, "X-CSRF-Token": token}
        assert browser.post("/v1/jobs", json={}, headers=proof).status_code == 422
        elsewhere = {**proof, "Sec-Fetch-Site": "cross-site"}
        assert browser.post("/v1/jobs", json={}, headers=elsewhere).status_code == 403
        run.canaries["sign-in link"] = secrets.token_urlsafe(32)
        link = {"token": run.canaries["sign-in link"]}
        assert browser.get("/sign-in/link", params=link).status_code == 401
        assert browser.post("/sign-out", data={"csrf": token}, headers=ours).status_code == 303


def _ask_for_trouble(run: ObservedRun) -> None:
    canaries = run.canaries
    wrong = f"http://127.0.0.1:1/raw/x?sp=r&sig={canaries['SAS of another']}"
    lost = f"{run.urls['web-api']}/blobs/raw/acme/x?sp=r&se=9999999999&sig={canaries['SAS of another']}"
    for key in (f"opal_0a1b2c3d_{canaries['bad API key']}", canaries["bad key without a shape"]):
        for name in ("web-api", "billing-service"):
            answer = run.ask("GET", "/v1/credits", to=name, headers={"X-API-Key": key})
            assert answer.status_code == 401
    assert run.ask("GET", lost).status_code == 403
    form = {"image_url": (None, wrong)}
    assert run.ask("POST", "/v1.0/removebg", files=form).status_code == 400
    bearer = {"Authorization": f"Bearer {canaries['bad scoring key']}"}
    assert run.ask("POST", "/score", to="scoring", headers=bearer, json={}).status_code == 401
    right = {"Authorization": f"Bearer {canaries[_SCORING_KEY]}"}
    for address in (wrong, lost, f"ftp://x/?sig={canaries['SAS of another']}"):
        body = {"tenant_id": "acme", "job_id": "j", "item_id": "i", "prompt": "", "input_image_sas": address}
        assert run.ask("POST", "/score", to="scoring", headers=right, json=body).status_code >= 400
    assert (
        run.ask("POST", "/score", to="scoring", headers=right, json={"input_image_sas": wrong}).status_code
        == 422
    )
    assert run.ask("GET", "/metrics", to="scoring", headers=bearer).status_code == 403
    for name in SERVICES:
        assert run.ask("GET", "/metrics", to=name).status_code == 403
    run.problems += [json.dumps(run.figures())]


_SCORING_KEY = "scoring key, as Azure ML's"


def _signature(url: str) -> str:
    return str(httpx.URL(url).params["sig"])


def test_one_trace_goes_from_the_upload_to_the_webhook_through_both_queues(run: ObservedRun) -> None:
    mine = [each for each in run.spans.spans if each.trace == TRACE]
    below = {each.id for each in mine} | {CALLER}
    assert len(below) == len(mine) + 1
    assert not [each for each in mine if each.parent not in below]
    chain = [
        ("web-api", "POST /v1/uploads/complete"),
        ("web-api", "send jobs"),
        ("orchestrator", "process jobs"),
        ("orchestrator", "ask_endpoint"),
        ("orchestrator", "ask placement endpoint"),
        ("scoring", "POST /score"),
        ("scoring", "cut_out"),
        ("orchestrator", "complete_item"),
        ("orchestrator", "send exports"),
        ("export-worker", "process exports"),
        ("export-worker", "make variant"),
        ("export-worker", "write blob"),
        ("export-worker", "record_variants"),
        ("web-api", "deliver webhook"),
        ("web-api", "deliver picture"),
    ]
    seen = {(each.service, each.name): each for each in mine}
    assert [step for step in chain if step not in seen] == []
    for child, parent in (
        ("send jobs", "POST /v1/uploads/complete"),
        ("process jobs", "send jobs"),
        ("ask placement endpoint", "ask_endpoint"),
        ("POST /score", "ask placement endpoint"),
        ("send exports", "complete_item"),
        ("process exports", "send exports"),
        ("deliver webhook", "record_variants"),
        ("deliver picture", "record_variants"),
    ):
        [upper] = {each.id for each in mine if each.name == parent and _first(each, mine)}
        assert upper in {each.parent for each in mine if each.name == child}, (child, parent)
    presets = {each.attributes["opal.preset"] for each in mine if each.name == "make variant"}
    assert presets == set(_PRESETS)
    assert not [each for each in mine if each.failed]


def _first(span: Any, spans: list[Any]) -> bool:
    return bool(span == next(each for each in spans if each.name == span.name))


def test_azure_monitor_has_the_same_trace(run: ObservedRun) -> None:
    there = {(each.id, each.parent) for each in run.spans.azure if each.trace == TRACE}
    assert there == {(each.id, each.parent) for each in run.spans.spans if each.trace == TRACE}
    roles = {each.service for each in run.spans.azure}
    assert roles == {f"opal.{name}" for name in SERVICES}


def test_one_correlation_id_is_on_every_span_and_in_every_service_s_log(run: ObservedRun) -> None:
    mine = [each for each in run.spans.spans if each.trace == TRACE]
    assert {each.attributes.get("opal.correlation_id") for each in mine} == {CORRELATION_ID}
    for name, text in run.logs().items():
        lines = [json.loads(line) for line in text.splitlines() if line.startswith("{")]
        told = [line for line in lines if line.get("correlation_id") == CORRELATION_ID]
        assert told, name
        assert all(line["service"] == name for line in lines)
        if name != "billing-service":
            assert any(line.get("trace_id") == TRACE for line in told), name
    assert all(f'"correlation_id":"{CORRELATION_ID}"' in body for body in run.webhooks.told)


def test_a_photo_that_fails_is_seen_as_failed(run: ObservedRun) -> None:
    other = [each for each in run.spans.spans if each.trace == _TRACES[1]]
    codes = {each.attributes.get("opal.refused") for each in other} - {None}
    assert codes == {"image_truncated"}
    figures = run.problems[-1]
    assert 'opal_item_failures_total{code=\\"image_truncated\\",expected=\\"yes\\",final=\\"yes\\"' in figures


def test_the_figures_are_the_run_s(run: ObservedRun) -> None:
    figures = dict(json.loads(run.problems[-1]))
    web = figures["web-api"].splitlines()
    for line in (
        'opal_items{state="exported"} 1.0',
        'opal_items{state="failed"} 1.0',
        'opal_items_failed{code="image_truncated"} 1.0',
        'opal_credits{kind="granted"} 10.0',
        'opal_credits{kind="debited"} 1.0',
        'opal_credits{kind="held"} 0.0',
        "opal_ledger_gap 0.0",
        "opal_outbox_messages 0.0",
        'opal_queue_messages{kind="dead",queue="jobs"} 0.0',
    ):
        assert line in web, line
    assert 'opal_items_done_total{stage="process"} 1.0' in figures["orchestrator"]
    assert 'opal_items_done_total{stage="export"} 1.0' in figures["export-worker"]
    assert 'opal_step_seconds_count{stage="scoring",step="encode"} 1.0' in figures["scoring"]
    for name in SERVICES:
        assert f'service="{name}"' in figures[name]
        assert "acme" not in figures[name]


def test_no_secret_is_in_any_log_span_figure_or_problem(run: ObservedRun) -> None:
    assert len(run.canaries) >= 21
    told = {**run.logs(), "problems and figures": "\n".join(run.problems)}
    assert min(map(len, told.values())) > 500
    found = [
        (name, where)
        for name, canary in run.canaries.items()
        for where, text in told.items()
        if canary in text
    ]
    assert not found
    # Azure Monitor's own key is part of what is sent to it.
    spans = "\n".join(run.spans.raw)
    own = "instrumentation key"
    assert not [name for name, canary in run.canaries.items() if canary in spans and name != own]

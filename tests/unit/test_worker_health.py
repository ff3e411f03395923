"""A worker's health page, asked over HTTP."""

import asyncio
import contextlib

import httpx
import pytest

from opal.errors import QueueUnavailable
from opal.worker.health import HealthPage, Heartbeat


async def _fine() -> None:
    return


async def _away() -> None:
    raise QueueUnavailable


async def _broken() -> None:
    raise RuntimeError


async def _get(page: HealthPage, path: str) -> httpx.Response:
    assert page.address is not None
    async with httpx.AsyncClient() as client:
        return await client.get("http://{}:{}{}".format(*page.address, path))


async def test_a_worker_whose_loop_turns_is_alive() -> None:
    heartbeat = Heartbeat()
    async with HealthPage(heartbeat, {}, stale_s=0.05) as page:
        await asyncio.sleep(0.06)
        stuck = await _get(page, "/healthz")
        assert (stuck.status_code, stuck.json()) == (503, {"status": "stuck"})
        heartbeat.tick()
        # The limit may pass again before the answer on a busy machine: ask a page with a longer one.
        async with HealthPage(heartbeat, {}, stale_s=30) as patient:
            alive = await _get(patient, "/healthz")
    assert (alive.status_code, alive.json()) == (200, {"status": "alive"})


async def test_a_worker_is_ready_when_all_its_parts_answer() -> None:
    async with HealthPage(Heartbeat(), {"queue": _fine, "database": _fine}) as page:
        ready = await _get(page, "/readyz?verbose")
    assert (ready.status_code, ready.json()) == (200, {"status": "ready", "checks": ["queue", "database"]})


async def test_a_worker_says_which_part_is_away() -> None:
    checks = {"queue": _away, "database": _fine, "endpoint": _broken}
    async with HealthPage(Heartbeat(), checks) as page:
        answer = await _get(page, "/readyz")
    assert answer.status_code == 503
    assert answer.json()["faults"] == {"queue": "queue_unavailable", "endpoint": "internal_error"}


async def test_metrics_are_prometheus_text() -> None:
    async with HealthPage(Heartbeat(), {}) as page:
        answer = await _get(page, "/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "# TYPE opal_messages_settled_total counter" in answer.text or "python_info" in answer.text


async def test_what_it_does_not_serve_it_refuses() -> None:
    async with HealthPage(Heartbeat(), {}) as page, httpx.AsyncClient() as client:
        assert page.address is not None
        base = "http://{}:{}".format(*page.address)
        assert (await client.get(f"{base}/other")).status_code == 404
        assert (await client.post(f"{base}/healthz")).status_code == 405
        head = await client.head(f"{base}/healthz")
        assert (head.status_code, head.content) == (200, b"")


@pytest.mark.parametrize("request_head", [b"", b"nonsense", b"GET /" + b"x" * 20_000 + b" HTTP/1.1\r\n\r\n"])
async def test_nonsense_does_not_stop_it(request_head: bytes) -> None:
    async with HealthPage(Heartbeat(), {}) as page:
        assert page.address is not None
        reader, writer = await asyncio.open_connection(*page.address)
        writer.write(request_head)
        writer.write_eof()
        with contextlib.suppress(ConnectionResetError):
            await reader.read()
        writer.close()
        assert (await _get(page, "/healthz")).status_code == 200

"""The processes that `test_crash_points.py` lets die: one per way that work can go."""

import asyncio
import os
import signal
from collections.abc import Awaitable, Callable
from dataclasses import replace
from typing import cast

from tests.faults.crashing import traced_parts
from tests.faults.inline_endpoint import Behaviour, InlineEndpoint, fails, is_away, is_slow, refuses
from tests.faults.passing import SlowlyRead

from opal.assembly import Parts
from opal.blobs.interface import Blobs
from opal.export_worker import app as export_worker_app
from opal.http.server import run_server
from opal.orchestrator import app as orchestrator_app
from opal.settings import Settings
from opal.web_api.app import create_app
from opal.worker.health import Heartbeat
from opal.worker.shutdown import stop_on_signals


def orchestrates(settings: Settings) -> None:
    """All goes well, and takes long enough for renewals."""
    asyncio.run(_orchestrate(settings, is_slow))


def orchestrates_failures(settings: Settings) -> None:
    """The endpoint fails; with one failure allowed, the item fails for good."""
    asyncio.run(_orchestrate(settings, fails))


def orchestrates_refusals(settings: Settings) -> None:
    """The endpoint refuses the photos."""
    asyncio.run(_orchestrate(settings, refuses))


def orchestrates_outage(settings: Settings) -> None:
    """The endpoint is away."""
    asyncio.run(_orchestrate(settings, is_away))


def orchestrates_long_outage(settings: Settings) -> None:
    """The endpoint is away, and the queue gives the message for the last time."""
    last = {"max_delivery_count": 1}
    settings = settings.model_copy(update={"queue": settings.queue.model_copy(update=last)})
    asyncio.run(_orchestrate(settings, is_away))


def orchestrates_until_stopped(settings: Settings) -> None:
    """Asked to stop while it works, without time to finish."""
    asyncio.run(_orchestrate(settings, _is_stopped))


def exports(settings: Settings) -> None:
    """All goes well, and takes long enough for renewals."""
    asyncio.run(_export(settings))


def relays_and_sweeps(settings: Settings) -> None:
    """The loops of web-api, once each."""
    asyncio.run(_relay_and_sweep(settings))


def serves(settings: Settings) -> None:
    """web-api, with the loops beside it."""
    asyncio.run(_serve(settings))


async def _is_stopped() -> None:
    os.kill(os.getpid(), signal.SIGTERM)
    await asyncio.sleep(60.0)


async def _orchestrate(settings: Settings, behaviour: Behaviour) -> None:
    parts = traced_parts(settings)
    endpoint = InlineEndpoint(behaviour)
    await _run(parts, orchestrator_app.build_worker(parts, endpoint, Heartbeat()).run)
    await endpoint.close()


async def _export(settings: Settings) -> None:
    parts = traced_parts(settings)
    parts = replace(parts, blobs=cast(Blobs, SlowlyRead(parts.blobs)))
    await _run(parts, export_worker_app.build_worker(parts, Heartbeat()).run)


async def _run(parts: Parts, run: Callable[[asyncio.Event], Awaitable[None]]) -> None:
    with stop_on_signals() as stop:
        await run(stop)
    await parts.close()


async def _relay_and_sweep(settings: Settings) -> None:
    parts = traced_parts(settings)
    await parts.relay.publish_pending()
    await parts.sweeper.sweep()
    await parts.relay.publish_pending()
    await parts.close()


async def _serve(settings: Settings) -> None:
    parts = traced_parts(settings)
    app = create_app(parts)
    await run_server(app, settings.web, settings.web.port, on_stop=app.state.event_tail.stop)
    await parts.close()

"""A worker's process: its loop beside its health page, until it is told to stop. Run by both workers."""

from collections.abc import Callable
from typing import Any

from opal.assembly import Parts
from opal.worker.health import HealthPage, Heartbeat
from opal.worker.loop import WorkerLoop
from opal.worker.shutdown import stop_on_signals


async def run_worker(parts: Parts, build: Callable[[Heartbeat], WorkerLoop[Any]]) -> None:
    """Run the loop that ``build`` makes until SIGTERM or SIGINT; the parts stay open."""
    heartbeat = Heartbeat()
    page = HealthPage(
        heartbeat,
        parts.checks,
        host=parts.settings.web.health_host,
        port=parts.settings.worker.health_port,
        metrics_key=parts.settings.telemetry.metrics_key,
    )
    with stop_on_signals() as stop:
        async with page:
            await build(heartbeat).run(stop)

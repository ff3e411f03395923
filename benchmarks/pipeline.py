"""How many items per second go the whole way, and where the time goes.

Real processes, the public HTTP API and real pictures; only the placement endpoint is replaced by a process
that answers at once. Prints a table and writes `benchmarks/results/pipeline.json`.
"""

import argparse
import asyncio
import json
import os
import platform
import shutil
import statistics
import sys
import tempfile
import time
from collections import defaultdict
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

ROOT = Path(__file__).resolve().parent.parent
# The client and the endpoint that answers at once are the fault tests' own.
sys.path.insert(0, str(ROOT))

from tests.faults.api_load import ApiLoad, photo  # noqa: E402
from tests.faults.running_services import InstantEndpoint, RunningServices  # noqa: E402

from opal.assembly import Parts, build_parts  # noqa: E402
from opal.cli.ports import free_ports  # noqa: E402
from opal.database import keys, ledger  # noqa: E402
from opal.database.events import events_after  # noqa: E402
from opal.database.migrate import migrate  # noqa: E402
from opal.items.events import ItemEvent  # noqa: E402
from opal.items.states import TERMINAL, ItemState  # noqa: E402
from opal.platform_settings import BlobSettings  # noqa: E402
from opal.settings import load_settings  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "pipeline.json"
SERVICES = ("web-api", "orchestrator", "export-worker")
STAGES = ("upload", "wait for orchestrator", "process", "wait for export-worker", "export")
POLL_S = 0.25


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    items: int
    presets: tuple[str, ...]
    width: int
    height: int
    uploads: int
    concurrency: int


def read_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=200)
    parser.add_argument("--presets", default="cutout-png", help="comma-separated names, see `opal presets`")
    parser.add_argument("--size", default="600x800", help="the photos' width x height")
    parser.add_argument("--uploads", type=int, default=4, help="uploads at a time")
    parser.add_argument("--concurrency", type=int, default=2, help="items that each worker has in hand")
    given = parser.parse_args()
    width, height = (int(side) for side in given.size.split("x"))
    return Options(
        items=given.items,
        presets=tuple(given.presets.split(",")),
        width=width,
        height=height,
        uploads=given.uploads,
        concurrency=given.concurrency,
    )


@asynccontextmanager
async def opal_running(
    folder: Path, options: Options
) -> AsyncIterator[tuple[RunningServices, Parts, ApiLoad]]:
    """The services, their parts and a client; the endpoint's process is the services' neighbour."""
    [port] = free_ports(1)
    settings = load_settings(data_dir=folder, blob=BlobSettings(public_url=f"http://127.0.0.1:{port}"))
    parts = build_parts(settings)
    await migrate(parts.database)
    async with parts.database.transaction() as connection:
        await keys.ensure_tenant(connection, "bench", "Benchmark")
        _key, secret = await keys.create_key(connection, "bench", "benchmark")
        await ledger.grant(connection, "bench", options.items)
    endpoint = InstantEndpoint.start()
    environment = {
        "OPAL_DATA_DIR": str(folder),
        "OPAL_WEB_PORT": str(port),
        "OPAL_SCORING_URL": endpoint.url,
        "OPAL_SCORING_CONCURRENCY": str(options.concurrency),
        "OPAL_WORKER_CONCURRENCY": str(options.concurrency),
        "OPAL_LOG_LEVEL": "WARNING",
    }
    running = RunningServices(folder, port, environment)
    load = ApiLoad(f"http://127.0.0.1:{port}", secret)
    try:
        running.start(*SERVICES)
        running.wait_ready()
        yield running, parts, load
    finally:
        await load.close()
        running.stop()
        endpoint.end()
        await parts.close()


async def send_photos(load: ApiLoad, job: dict[str, Any], options: Options) -> list[float]:
    """Upload every photo; returns the seconds that each upload took."""
    photos = [photo(number, options.width, options.height) for number in range(min(8, options.items))]
    slots = asyncio.Semaphore(options.uploads)

    async def send(number: int, item_id: str) -> float:
        async with slots:
            started = time.perf_counter()
            await load.upload(job["id"], item_id, photos[number % len(photos)])
            return time.perf_counter() - started

    return await asyncio.gather(*(send(number, item["id"]) for number, item in enumerate(job["items"])))


async def all_ended(load: ApiLoad, job_id: str) -> dict[str, Any]:
    """The job when nothing more will happen to it."""
    while True:
        job = await load.job(job_id)
        if all(item["state"] in TERMINAL for item in job["items"]):
            return job
        await asyncio.sleep(POLL_S)


def stage_seconds(events: Sequence[ItemEvent], uploads: list[float]) -> dict[str, list[float]]:
    """Seconds per stage, one figure per item, from the times of its last claims and moves."""
    found: dict[str, list[float]] = defaultdict(list)
    found["upload"] = uploads
    by_item: dict[str, dict[str, datetime]] = defaultdict(dict)
    for event in events:
        name = f"claim {event.details['stage']}" if "stage" in event.details else str(event.target)
        by_item[event.item_id][name] = event.at
    for at in by_item.values():
        borders = (
            (STAGES[1], str(ItemState.UPLOADED), "claim process"),
            (STAGES[2], "claim process", str(ItemState.COMPLETED)),
            (STAGES[3], str(ItemState.COMPLETED), "claim export"),
            (STAGES[4], "claim export", str(ItemState.EXPORTED)),
        )
        for stage, start, end in borders:
            if start in at and end in at:
                found[stage].append((at[end] - at[start]).total_seconds())
    return dict(found)


def step_seconds(events: Sequence[ItemEvent]) -> dict[str, list[float]]:
    """Seconds per step of the two workers, from the events that end a stage."""
    found: dict[str, list[float]] = defaultdict(list)
    for event in events:
        for step, seconds in event.details.get("seconds", {}).items():
            found[step].append(seconds)
    return dict(found)


def summary(figures: dict[str, list[float]]) -> dict[str, dict[str, float]]:
    """Median, 95th percentile and sum of each list."""
    return {
        name: {
            "median": round(statistics.median(values), 4),
            "p95": round(sorted(values)[max(0, round(0.95 * len(values)) - 1)], 4),
            "sum": round(sum(values), 2),
        }
        for name, values in figures.items()
        if values
    }


def cpu_seconds(running: RunningServices) -> dict[str, float]:
    """CPU time that each service has used since its start."""
    used = {}
    for name, service in running.services.items():
        assert service.process is not None
        times = psutil.Process(service.process.pid).cpu_times()
        used[name] = round(times.user + times.system, 2)
    return used


async def measure(options: Options) -> dict[str, Any]:
    """Run once and gather the figures."""
    folder = Path(tempfile.mkdtemp(prefix="opal-bench-"))
    try:
        async with opal_running(folder, options) as (running, parts, load):
            job = await load.create_job(options.items, options.presets, "white")
            idle = cpu_seconds(running)
            started = time.perf_counter()
            uploads = await send_photos(load, job, options)
            sent = time.perf_counter()
            ended = await all_ended(load, job["id"])
            seconds = time.perf_counter() - started
            used = cpu_seconds(running)
            async with parts.database.read() as connection:
                events = await events_after(connection, job["id"], 0, 1_000_000)
    finally:
        shutil.rmtree(folder)
    states = [item["state"] for item in ended["items"]]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_average": [round(load, 2) for load in os.getloadavg()],
        },
        "options": {name: getattr(options, name) for name in Options.__slots__},
        "exported": states.count(ItemState.EXPORTED),
        "failed": states.count(ItemState.FAILED),
        "seconds": round(seconds, 2),
        "seconds_until_all_sent": round(sent - started, 2),
        "items_per_second": round(len(states) / seconds, 2),
        "cpu_seconds": {name: round(used[name] - idle[name], 2) for name in used},
        "stages": summary(stage_seconds(events, uploads)),
        "steps": summary(step_seconds(events)),
    }


def show(result: dict[str, Any]) -> None:
    """Print the figures as tables."""
    machine, options = result["machine"], result["options"]
    print(f"{machine['cores']} cores, Python {machine['python']}, load average {machine['load_average'][0]}")
    print(f"{result['exported']} of {options['items']} items exported")
    print(f"presets {', '.join(options['presets'])}, photos {options['width']} x {options['height']}")
    print(f"{result['items_per_second']} items/s ({result['seconds']} s)\n")
    for title in ("stages", "steps"):
        print(f"{title:26}{'median s':>10}{'p95 s':>10}{'sum s':>10}")
        for name, figures in result[title].items():
            print(f"{name:26}{figures['median']:10.3f}{figures['p95']:10.3f}{figures['sum']:10.1f}")
        print()
    print(f"{'CPU':26}{'s':>10}{'ms/item':>10}")
    for name, seconds in result["cpu_seconds"].items():
        print(f"{name:26}{seconds:10.2f}{1000 * seconds / options['items']:10.1f}")


def main() -> None:
    """Run, print, store."""
    result = asyncio.run(measure(read_options()))
    show(result)
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps(result, indent=2) + "\n")
    print(f"\n{RESULTS.relative_to(ROOT)}")
    if result["failed"]:
        sys.exit(1)


if __name__ == "__main__":
    main()

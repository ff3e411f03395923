"""Does the export worker's memory grow? Many items, eight JPEG presets each, through the worker's process.

The worker reads a real queue, database and blob folder; items are the shipped samples with their mattes, in
many sizes and on several scenes. Prints what the process held per item and the slope after the first hundred
and writes `benchmarks/results/worker_memory-SCALE.json`. Exit code 1 where memory grows. Linux only.
"""

import argparse
import asyncio
import itertools
import json
import os
import platform
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
import pyvips

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from benchmarks.cutouts.cases import Case, read_truth, sample_cases  # noqa: E402
from benchmarks.exports.task import PRESETS  # noqa: E402
from benchmarks.peers.growth import Growth, growth  # noqa: E402
from benchmarks.peers.memory import ProcessMemory  # noqa: E402

from opal.assembly import Parts, build_parts  # noqa: E402
from opal.database import items, jobs, keys, ledger, outbox  # noqa: E402
from opal.database.jobs import NewItem  # noqa: E402
from opal.database.migrate import migrate  # noqa: E402
from opal.images.decode import decode_photo  # noqa: E402
from opal.images.matte import encode_matte  # noqa: E402
from opal.items.item import Recipe, blob_path  # noqa: E402
from opal.items.states import ItemState  # noqa: E402
from opal.marketplaces.presets import Preset, resolve_presets  # noqa: E402
from opal.messages.export_message import ExportMessage, send_export_message  # noqa: E402
from opal.settings import load_settings  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results"
TENANT = "bench"
SIDES = (1600, 1744, 1888, 2048)
"""Longest sides of the photos; no two neighbours in the queue are of one size."""
SCENES = ("white", "studio-warm", "white", "studio-oak")
WARM_UP = 100
"""Items after which memory may grow no more."""
POLL_S = 0.05
JOB_ITEMS = 25


@dataclass(frozen=True, slots=True)
class Options:
    """What to run."""

    items: int
    scale: float
    """Of photos and canvases."""
    concurrency: int


@dataclass(frozen=True, slots=True)
class Reading:
    """The worker's process from one exported item to the next, MiB."""

    held: float
    """Median of its resident memory."""
    peak: float


def read_options() -> Options:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--items", type=int, default=300, help="the bar is 1000")
    parser.add_argument("--scale", type=float, default=1.0, help="of photos (1600-2048 px) and canvases")
    parser.add_argument("--concurrency", type=int, default=2, help="items that the worker has in hand")
    given = parser.parse_args()
    if given.items < 2 * WARM_UP:
        parser.error(f"--items: {2 * WARM_UP} at least, as the first {WARM_UP} do not count")
    return Options(given.items, given.scale, given.concurrency)


def presets_of(scale: float) -> list[Preset]:
    """The eight, or the same on smaller canvases as a tenant's own."""
    shipped = resolve_presets(list(PRESETS))
    if scale == 1.0:
        return shipped
    return [
        preset.model_copy(
            update={
                "name": f"{preset.name}-scaled",
                "width": max(64, round((preset.width or 0) * scale)),
                "height": max(64, round((preset.height or 0) * scale)),
            }
        )
        for preset in shipped
    ]


def pictures(scale: float) -> Iterator[tuple[bytes, bytes]]:
    """Photo and matte of every sample in every size, as JPEG and PNG."""
    cases = sample_cases(ROOT / "samples")
    for number, side in enumerate(SIDES):
        for case in cases[number:] + cases[:number]:
            yield resized(case, round(side * scale))


def resized(case: Case, side: int) -> tuple[bytes, bytes]:
    """One sample with this longer side."""
    photo, truth = decode_photo(case.photo), read_truth(case)
    factor = side / max(photo.width, photo.height)
    pixels = photo.pixels.resize(factor, kernel="lanczos3")
    matte = pyvips.Image.new_from_array(truth).resize(factor, kernel="lanczos3")
    data: bytes = pixels.jpegsave_buffer(Q=92)
    return data, encode_matte(np.clip(matte.numpy(), 0.0, 1.0))


async def fill_queue(parts: Parts, options: Options) -> None:
    """Items that have been cut out and wait for their export, a message for each."""
    presets = presets_of(options.scale)
    own = [preset.model_dump(mode="json", exclude_defaults=True) for preset in presets]
    async with parts.database.transaction() as connection:
        await keys.ensure_tenant(connection, TENANT, "Benchmark")
        await ledger.grant(connection, TENANT, options.items)
    stored = []
    for number, (photo, matte) in enumerate(pictures(options.scale)):
        raw, cut = (blob_path(TENANT, "job", f"sample{number}", kind, "1") for kind in ("raw", "outputs"))
        info = await parts.blobs.write("raw", raw, photo, content_type="image/jpeg")
        await parts.blobs.write("outputs", cut, matte, content_type="image/png")
        stored.append((raw, {"format": "jpeg", "etag": info.etag}, cut))
    blobs, scenes = itertools.cycle(stored), itertools.cycle(SCENES)
    for start in range(0, options.items, JOB_ITEMS):
        recipe = Recipe(
            scene=next(scenes),
            placement={},
            presets=tuple(preset.name for preset in presets),
            prompt="",
            seed=start,
            own_presets=tuple(own) if options.scale != 1.0 else (),
        )
        photos = [NewItem(f"{number}.jpg") for number in range(min(JOB_ITEMS, options.items - start))]
        async with parts.database.transaction() as connection:
            _, created = await jobs.create_job(
                connection, TENANT, recipe, photos, name="", correlation_id=f"bench-{start}"
            )
            for item in created:
                raw, photo_facts, cut = next(blobs)
                changes: dict[str, Any] = {"raw_path": raw, "photo": photo_facts}
                await items.move(connection, item, ItemState.UPLOADED, by="bench", changes=changes)
                claim = await items.claim(connection, item.id, items.Stage.PROCESS, lease_s=60.0, by="bench")
                assert isinstance(claim, items.Claimed)
                changes = {"matte_path": cut, "scene_path": cut, "meta": {"seed": start}}
                completed = await items.move(
                    connection, claim.item, ItemState.COMPLETED, by="bench", changes=changes
                )
                await ledger.debit(connection, completed)
                await send_export_message(outbox.Outbox(connection), ExportMessage.of(completed))
    await parts.relay.publish_pending()


@contextmanager
def worker(folder: Path, options: Options) -> Iterator["subprocess.Popen[str]"]:
    """The export worker's own process; its log is read as events."""
    environment = {
        "OPAL_DATA_DIR": str(folder),
        "OPAL_LOG_FORMAT": "json",
        "OPAL_WORKER_CONCURRENCY": str(options.concurrency),
    }
    command = [sys.executable, "-m", "opal", "export-worker"]
    with subprocess.Popen(
        command, env={**os.environ, **environment}, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.terminate()
            with suppress(ValueError):
                assert process.stderr is not None
                process.stderr.read()


def readings(process: "subprocess.Popen[str]", options: Options, exports: Path) -> list[Reading]:
    """Watch the worker until the last item is exported. Raises RuntimeError when one is not."""
    memory = ProcessMemory(process.pid)
    samples: list[float] = []
    ended = threading.Event()

    def watch() -> None:
        while not ended.wait(POLL_S):
            samples.append(memory.held_mib())

    watching = threading.Thread(target=watch)
    watching.start()
    found: list[Reading] = []
    started = time.monotonic()
    try:
        assert process.stderr is not None
        for line in process.stderr:
            event = json.loads(line) if line.startswith("{") else {"action": "?", "event": line}
            match event.get("action"):
                case "item.exported":
                    held = statistics.median(samples) if samples else memory.held_mib()
                    found.append(Reading(round(held, 2), round(memory.peak_mib(), 2)))
                    samples.clear()
                    memory.forget_peak()
                    if len(found) % 50 == 0:
                        rate = (time.monotonic() - started) / len(found)
                        told = f"{len(found)} items, {rate:.2f} s each, {held:.0f} MiB"
                        print(told, file=sys.stderr, flush=True)
                        # A thousand items are gigabytes; what is made is not looked at here.
                        shutil.rmtree(exports, ignore_errors=True)
                    if len(found) == options.items:
                        return found
                case "health.listening" | "worker.started" | "worker.stopped":
                    pass
                case _:
                    print(line.rstrip()[:300], file=sys.stderr)
                    if event.get("action") == "item.failure":
                        raise RuntimeError("an item was not exported; see above")
        raise RuntimeError("the worker ended; see above")
    finally:
        ended.set()
        watching.join()


async def measure(options: Options) -> dict[str, Any]:
    """Run once and gather the figures."""
    folder = Path(tempfile.mkdtemp(prefix="opal-memory-"))
    try:
        settings = load_settings(data_dir=folder)
        parts = build_parts(settings)
        try:
            await migrate(parts.database)
            await fill_queue(parts, options)
        finally:
            await parts.close()
        started = time.monotonic()
        with worker(folder, options) as process:
            found = await asyncio.to_thread(readings, process, options, folder / "blobs" / "exports")
        seconds = time.monotonic() - started
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    counted = found[WARM_UP:]
    return {
        "at": datetime.now(UTC).isoformat(timespec="seconds"),
        "machine": {
            "system": platform.platform(),
            "cores": os.cpu_count(),
            "python": platform.python_version(),
            "load_average": [round(load, 2) for load in os.getloadavg()],
        },
        "options": asdict(options),
        "seconds": round(seconds, 1),
        "held": asdict(growth([reading.held for reading in counted])),
        "peak": asdict(growth([reading.peak for reading in counted])),
        "readings": [asdict(reading) for reading in found],
    }


def show(result: dict[str, Any]) -> bool:
    """Print the figures; whether memory grows."""
    machine, options = result["machine"], result["options"]
    counted = result["readings"][WARM_UP:]
    print(f"{machine['cores']} cores, Python {machine['python']}, load average {machine['load_average'][0]}")
    least, most = (round(side * options["scale"]) for side in (SIDES[0], SIDES[-1]))
    print(
        f"{options['items']} items of {least} to {most} px,"
        f" {len(PRESETS)} pictures each, {options['concurrency']} at a time, {result['seconds']} s"
    )
    print(f"{'MiB':12}{'first 100':>12}{'after':>9}{'most':>9}{'slope KiB/item':>20}{'over the run':>14}")
    for name in ("held", "peak"):
        before = statistics.median(reading[name] for reading in result["readings"][:WARM_UP])
        after = [reading[name] for reading in counted]
        line = Growth(**result[name])
        slope = f"{line.kib_per_item:+.1f} ± {line.error:.1f}"
        print(
            f"{name:12}{before:12.0f}{statistics.median(after):9.0f}{max(after):9.0f}{slope:>20}{line.share:>+14.1%}"
        )
    grows = Growth(**result["held"]).grows or Growth(**result["peak"]).grows
    print(f"Memory {'GROWS' if grows else 'does not grow'} after the first {WARM_UP} items.")
    return grows


def main() -> None:
    """Run, print, store."""
    options = read_options()
    result = asyncio.run(measure(options))
    grows = show(result)
    RESULTS.mkdir(parents=True, exist_ok=True)
    file = RESULTS / f"worker_memory-{options.scale:g}.json"
    file.write_text(json.dumps(result) + "\n")
    print(f"\n{file.relative_to(ROOT)}")
    if grows:
        sys.exit(1)


if __name__ == "__main__":
    main()

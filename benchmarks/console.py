"""How soon the console's pages show, what they weigh, and whether 2,000 photos keep anybody waiting.

`opal up` and the machine's own Chromium. Every page is opened with an empty cache; first contentful paint,
layout shift and bytes are medians of several times. Then a job of 2,000 photos is scrolled through and
another watched while its events arrive: the longest task of the main thread is what a click would wait.
Prints tables beside the budgets; writes `benchmarks/results/console.json`.
"""

import argparse
import asyncio
import hashlib
import json
import os
import platform
import statistics
import sys
import tempfile
import threading
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pyvips
from playwright.sync_api import Browser, BrowserContext, Page, Response, sync_playwright

ROOT = Path(__file__).resolve().parent.parent
# Browser, pages and the job that fills them are the tests' own.
sys.path.insert(0, str(ROOT))

from tests.browser.chromium import chromium  # noqa: E402
from tests.browser.console_pages import ConsolePage, api_client, console_pages, finished_job, settings_ids  # noqa: E402
from tests.browser.opal_up import follow_link, opal_up  # noqa: E402

from opal.assembly import Parts, build_parts  # noqa: E402
from opal.cli.stack import TENANT  # noqa: E402
from opal.database import items, jobs, ledger, variants  # noqa: E402
from opal.database.jobs import NewItem  # noqa: E402
from opal.database.variants import VariantRow  # noqa: E402
from opal.items.item import Item, Recipe, blob_path  # noqa: E402
from opal.items.states import ItemState  # noqa: E402
from opal.settings import load_settings  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "console.json"
SAMPLES = ROOT / "samples" / "photos"
PRESET = "square-1x1"
PHOTOS = 2000
EVENTS = 2000
EVENTS_PER_PHOTO = 4
BUDGETS = {"paint_ms": 1000.0, "sent": 100_000, "shift": 0.02, "longest_ms": 50.0}
_WATCH = """window.shift = 0;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});"""
_PAINT = "() => performance.getEntriesByName('first-contentful-paint')[0]?.startTime ?? 0"
_TRACED = ["devtools.timeline", "disabled-by-default-devtools.timeline"]
_TEXTS = frozenset({"document", "script", "stylesheet"})


@dataclass(frozen=True, slots=True)
class Weight:
    """One page: ms to its first paint, its shift, and bytes: as sent, unpacked, and its pictures'."""

    page: str
    paint_ms: float
    shift: float
    sent: int
    unpacked: int
    pictures: int


@dataclass(frozen=True, slots=True)
class Work:
    """What the main thread did meanwhile: its longest task by the clock and by the CPU, how many in all."""

    what: str
    longest_ms: float
    longest_cpu_ms: float
    over_budget: int
    tasks: int
    seconds: float


def measure_pages(
    browser: Browser, pages: Sequence[ConsolePage], url: str, state: Any, rounds: int
) -> list[Weight]:
    """Every page, opened `rounds` times with an empty cache."""
    found = []
    for page in pages:
        taken = [_opened(browser, page, url, state if page.signed_in else None) for _ in range(rounds)]
        median = {name: statistics.median(each[name] for each in taken) for name in taken[0]}
        found.append(
            Weight(
                page.route,
                round(median["paint"], 1),
                round(median["shift"], 4),
                int(median["sent"]),
                int(median["unpacked"]),
                int(median["pictures"]),
            )
        )
        _print_page(found[-1])
    return found


def _opened(browser: Browser, page: ConsolePage, url: str, state: Any) -> dict[str, float]:
    context = browser.new_context(base_url=url, storage_state=state, viewport={"width": 1280, "height": 800})
    context.add_init_script(_WATCH)
    tab = context.new_page()
    answers: list[Response] = []
    tab.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright marks it
    tab.goto(page.address)
    # The event stream of a job keeps the network from ever being idle.
    tab.wait_for_timeout(1500)
    # The stream itself has no end, and so no size.
    ended = [each for each in answers if "text/event-stream" not in each.headers.get("content-type", "")]
    sizes = [(each.request.resource_type, each, each.request.sizes()["responseBodySize"]) for each in ended]
    told = {
        "paint": float(tab.evaluate(_PAINT)),
        "shift": float(tab.evaluate("() => window.shift")),
        "sent": sum(size for kind, _, size in sizes if kind in _TEXTS),
        "unpacked": sum(len(answer.body()) for kind, answer, _ in sizes if kind in _TEXTS and answer.ok),
        "pictures": sum(size for kind, _, size in sizes if kind == "image"),
    }
    context.close()
    return told


class ManyPhotos:
    """Jobs of thousands of photos, their rows and pictures made as the workers would make them."""

    def __init__(self, data: Path) -> None:
        self._settings = load_settings(data_dir=data)
        sample = pyvips.Image.thumbnail(str(SAMPLES / "stoneware-mug.jpg"), 480)
        self._picture: bytes = sample.jpegsave_buffer(Q=80)

    def job(self, *, exported: int) -> str:
        """The id of a new job of ``PHOTOS`` photos of which so many have their picture."""
        return asyncio.run(self._job(exported))

    def export(self, job_id: str, number: int) -> None:
        """Give the next ``number`` photos of the job their pictures, four events each, in their own time."""
        asyncio.run(self._export_next(job_id, number))

    async def _job(self, exported: int) -> str:
        parts = build_parts(self._settings)
        try:
            recipe = Recipe("studio-white", {}, (PRESET,), "", 0)
            photos = [NewItem(f"photo-{number:04}.jpg", f"SKU-{number:04}") for number in range(PHOTOS)]
            async with parts.database.transaction() as connection:
                await ledger.grant(connection, TENANT, PHOTOS)
                job, _ = await jobs.create_job(
                    connection, TENANT, recipe, photos, name=f"{PHOTOS:,} photos", correlation_id="benchmark"
                )
        finally:
            await parts.close()
        if exported:
            await self._export_next(job.id, exported)
        return job.id

    async def _export_next(self, job_id: str, number: int) -> None:
        parts = build_parts(self._settings)
        try:
            async with parts.database.read() as connection:
                found = await items.list_items(connection, job_id)
            for item in [each for each in found if each.state is ItemState.CREATED][:number]:
                await self._export(parts, item)
        finally:
            await parts.close()

    async def _export(self, parts: Parts, item: Item) -> None:
        path = blob_path(item.tenant_id, item.job_id, item.id, "exports", f"1/{PRESET}.jpg")
        await parts.blobs.write("exports", path, self._picture, content_type="image/jpeg")
        digest = hashlib.sha256(self._picture + item.id.encode()).hexdigest()
        row = VariantRow(PRESET, path, "jpeg", "image/jpeg", 480, 480, len(self._picture), digest, [], None)
        async with parts.database.transaction() as connection:
            item = await items.move(connection, item, ItemState.UPLOADED, by="benchmark")
            item = await items.move(connection, item, ItemState.PROCESSING, by="benchmark")
            item = await items.move(connection, item, ItemState.COMPLETED, by="benchmark")
            await ledger.debit(connection, item)
            item = await items.move(connection, item, ItemState.EXPORTED, by="benchmark")
            await variants.record_variant(connection, item, row)


def traced(browser: Browser, tab: Page, what: str, act: Callable[[], None]) -> Work:
    """The main thread's tasks while ``act`` runs."""
    browser.start_tracing(page=tab, categories=_TRACED)
    act()
    events: list[dict[str, Any]] = json.loads(browser.stop_tracing())["traceEvents"]
    main = {
        (each["pid"], each["tid"])
        for each in events
        if each["name"] == "thread_name" and each["args"]["name"] == "CrRendererMain"
    }
    tasks = [each for each in events if each["name"] == "RunTask" and (each["pid"], each["tid"]) in main]
    lasted = [each.get("dur", 0) / 1e3 for each in tasks]
    whole = (max(each["ts"] for each in tasks) - min(each["ts"] for each in tasks)) / 1e6
    return Work(
        what,
        round(max(lasted), 1),
        round(max(each.get("tdur", 0) for each in tasks) / 1e3, 1),
        sum(ms > BUDGETS["longest_ms"] for ms in lasted),
        len(tasks),
        round(whole, 1),
    )


def measure_work(
    browser: Browser, context: BrowserContext, many: ManyPhotos, done: str, fresh: str
) -> list[Work]:
    """Opening and scrolling a finished job of thousands, and watching one that runs."""
    tab = context.new_page()
    tab.set_default_timeout(120_000)

    def open_it() -> None:
        tab.goto(f"/jobs/{done}")
        tab.locator(".card").first.wait_for()
        tab.wait_for_timeout(3000)

    def scroll() -> None:
        for _ in range(150):
            tab.mouse.wheel(0, 500)
            tab.wait_for_timeout(16)

    def watch() -> None:
        maker = threading.Thread(target=many.export, args=(fresh, EVENTS // EVENTS_PER_PHOTO))
        maker.start()
        while maker.is_alive():
            tab.wait_for_timeout(100)
        tab.wait_for_timeout(1000)

    tab.goto("/jobs")
    found = [traced(browser, tab, f"open {PHOTOS:,} photos", open_it)]
    tab.mouse.move(640, 500)
    found.append(traced(browser, tab, f"scroll {PHOTOS:,} photos", scroll))
    tab.goto(f"/jobs/{fresh}")
    tab.get_by_text("Live", exact=True).wait_for()
    found.append(traced(browser, tab, f"{EVENTS:,} events arrive", watch))
    tab.locator("label", has_text="Ready").click()
    many_more = traced(browser, tab, f"{EVENTS:,} events arrive, filtered", watch)
    return [*found, many_more]


def _print_page(each: Weight) -> None:
    over = [name for name in ("paint_ms", "sent", "shift") if getattr(each, name) > BUDGETS[name]]
    print(
        f"| {each.page} | {each.paint_ms:.0f} | {each.shift:.4f} | {each.sent / 1e3:.1f} "
        f"| {each.unpacked / 1e3:.1f} | {each.pictures / 1e3:.0f} | {', '.join(over) or 'kept'} |"
    )


def _print_work(each: Work) -> None:
    kept = "kept" if each.longest_ms <= BUDGETS["longest_ms"] else f"over {each.over_budget} times"
    print(
        f"| {each.what} | {each.longest_ms:.1f} | {each.longest_cpu_ms:.1f} | {each.tasks} "
        f"| {each.seconds:.1f} | {kept} |"
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3, help="times that each page is opened")
    options = parser.parse_args()
    load = os.getloadavg()
    print(
        f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, "
        f"load average {load[0]:.1f} {load[1]:.1f} {load[2]:.1f}; budgets {BUDGETS}\n"
    )
    with tempfile.TemporaryDirectory() as folder, opal_up(Path(folder)) as up:
        photos = [(path.name, path.read_bytes()) for path in sorted(SAMPLES.glob("*.jpg"))[:2]]
        with api_client(up.url, up.key) as client:
            _, ids = finished_job(client, photos, name="Two of the kitchen", presets=[PRESET, "amazon-main"])
            ids |= settings_ids(client)
        many = ManyPhotos(up.data)
        # Before there is a browser: while Playwright lives, its event loop counts as running.
        done, fresh = many.job(exported=PHOTOS), many.job(exported=0)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            state = follow_link(browser, up)
            print("| page | first paint ms | shift | sent kB | unpacked kB | pictures kB | budget |")
            print("|---|---|---|---|---|---|---|")
            weights = measure_pages(browser, console_pages(ids), up.url, state, options.rounds)
            print("\n| | longest task ms | of the CPU ms | tasks | s | budget |\n|---|---|---|---|---|---|")
            context = browser.new_context(
                base_url=up.url, storage_state=state, viewport={"width": 1280, "height": 800}
            )
            work = measure_work(browser, context, many, done, fresh)
            for each in work:
                _print_work(each)
            browser.close()
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    told = {
        "load_average": load,
        "budgets": BUDGETS,
        "pages": [asdict(each) for each in weights],
        "work": [asdict(each) for each in work],
    }
    RESULTS.write_text(json.dumps(told, indent=2), "utf-8")


if __name__ == "__main__":
    main()

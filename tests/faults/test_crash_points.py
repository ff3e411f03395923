"""A process dies before or after any of its steps: within two sweeps everything is as if it had not.

``STEPS`` names every step of every way that work can go. A step that it does not name, or that no way passes
any more, fails a test, and so does a transaction anywhere in the code that is no step and says not why.
"""

import asyncio
import signal
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

import httpx
import pytest
from sqlalchemy import func, select, update
from tests.faults import crash_entries as entries
from tests.faults.api_load import ApiLoad
from tests.faults.crashing import CRASH_AT, SEEN
from tests.faults.figures import Figures
from tests.faults.findings import broken_invariants
from tests.faults.ill_items import make_ill
from tests.faults.inline_endpoint import InlineEndpoint
from tests.faults.process_server import Entry, Process
from tests.faults.rig import PRESETS, TENANT, Rig, Rigs, tiny_photos, until
from tests.faults.transactions import beginners
from tests.faults.wrong_designs import stores_behind

from opal.database import keys, ledger, tables
from opal.database.engine import utc_now
from opal.export_worker import app as export_worker_app
from opal.items.states import ItemState
from opal.orchestrator import app as orchestrator_app
from opal.worker.health import Heartbeat

ITEMS = 2
AT_A_TIME = 6
"""Points tried at once: each waits for leases most of the time."""
LOCK_S = 1.0
"""Of a life's queues, as in SETTINGS: shorter than the work, which has it renewed."""
SETTINGS = {
    "WORKER_LEASE_S": "1",
    "QUEUE_LOCK_S": str(LOCK_S),
    "QUEUE_POLL_S": "0.2",
    "SWEEPER_STALE_S": "0.2",
    "SWEEPER_UPLOAD_EXPIRY_S": "3600",
    "WORKER_GRACE_S": "0.2",
    "WORKER_RETRY_BASE_S": "0.3",
}
CLAIM, RENEW = "commit ItemStage._answer", "commit ItemStage._renew"
RELAY = ("commit OutboxRelay._claim", "commit OutboxRelay.publish_pending")

BY_US = "put to raw"
"""Where web-api serves the blobs' URLs; to a store of its own the client sends photos past us."""
HEALS = (
    *("Sweeper._end_lease", "_expire_upload", "release", "_resend_job", "_resend_export"),
    *("Sweeper._send_anew", "_fail_as"),
)

STEPS: dict[Entry, tuple[str, ...]] = {
    entries.orchestrates: (
        *(CLAIM, RENEW, "renewal of jobs"),
        *("put to outputs", "commit complete_item", *RELAY, "send to exports", "complete of jobs"),
    ),
    entries.orchestrates_failures: (
        CLAIM,
        "commit ItemStage._count",
        "abandon of jobs",
        "dead letter of jobs",
    ),
    entries.orchestrates_refusals: (CLAIM, "commit ItemStage._failed", "complete of jobs"),
    entries.orchestrates_outage: (CLAIM, "commit ItemStage._wait_out", "abandon of jobs"),
    entries.orchestrates_long_outage: (
        *(CLAIM, "commit ItemStage._wait_out", "commit ItemStage._send_anew", "complete of jobs"),
    ),
    entries.orchestrates_until_stopped: (CLAIM, "commit ItemStage._free", "abandon of jobs"),
    entries.exports: (
        *(CLAIM, RENEW, "renewal of exports", "put to exports"),
        *("commit record_variants", "complete of exports"),
    ),
    entries.relays_and_sweeps: (
        *(*RELAY, "send to jobs", "send to exports"),
        *(f"commit Sweeper._heal by {heal}" for heal in HEALS),
    ),
    entries.serves: (
        *("commit create_job", "commit create_upload", BY_US, "commit complete_upload"),
        *(*RELAY, "send to jobs", "commit KeyUse._lumps", "commit WebhookSender._tidy"),
    ),
}


def steps_of(rigs: Rigs) -> dict[Entry, tuple[str, ...]]:
    """The steps of each way in the rigs' life."""
    return {
        entry: tuple(
            step for step in steps if step != BY_US or rigs.life.environment.get("OPAL_BLOB_ADAPTER") is None
        )
        for entry, steps in STEPS.items()
    }


async def test_every_step_has_a_name(rigs: Rigs, figures: Figures) -> None:
    """Undisturbed runs pass exactly the steps that are named."""
    turns = asyncio.Semaphore(AT_A_TIME)
    named = steps_of(rigs)

    async def attempt(entry: Entry) -> frozenset[str]:
        async with turns, rigs.rig(entry.__name__, **SETTINGS) as rig:
            seen = await undisturbed(rig, entry, frozenset(named[entry]))
            assert await recover(rig) <= 2
        return seen

    seen = dict(zip(named, await asyncio.gather(*map(attempt, named)), strict=True))
    passed = frozenset[str]().union(*seen.values())
    figures(f"crash points, their names, {rigs.name}", ways=len(named), steps=len(passed))
    unnamed = sorted(passed - {step for steps in named.values() for step in steps})
    assert not unnamed, unnamed
    never_passed = {entry.__name__: sorted(set(named[entry]) - seen[entry]) for entry in named}
    assert not any(never_passed.values()), never_passed


async def test_a_death_after_any_step_is_recovered_from(rigs: Rigs, figures: Figures) -> None:
    await die_everywhere("after", rigs, figures)


@pytest.mark.battery
@pytest.mark.parametrize("life", ["laptop"], indirect=True)
async def test_a_death_before_any_step_is_recovered_from(rigs: Rigs, figures: Figures) -> None:
    await die_everywhere("before", rigs, figures)


async def die_everywhere(moment: str, rigs: Rigs, figures: Figures) -> None:
    """Let a process die at each step in turn, and others recover from it."""
    points = [(entry, f"{moment} {step}") for entry, steps in steps_of(rigs).items() for step in steps]
    turns = asyncio.Semaphore(AT_A_TIME)
    sweeps: list[int] = []

    async def attempt(number: int, entry: Entry, point: str) -> None:
        async with turns, rigs.rig(str(number), **SETTINGS) as rig:
            await die(rig, entry, point)
            needed = await recover(rig)
            assert needed <= 2, f"{entry.__name__} {point}: {needed} sweeps"
            broken = await broken_invariants(rig.parts.database, rig.parts.blobs)
            assert not broken, f"{entry.__name__} {point}: {broken}"
            sweeps.append(needed)

    async with asyncio.TaskGroup() as tasks:
        for number, (entry, point) in enumerate(points):
            tasks.create_task(attempt(number, entry, point))
    most = max(sweeps)
    figures(
        f"crash points, {moment} each step, {rigs.name}",
        points=len(points),
        recovered=len(sweeps),
        most_sweeps=most,
        broken_invariants=0,
    )


async def prepare(rig: Rig, entry: Entry) -> None:
    """What the way needs to begin with."""
    if entry is entries.serves:
        async with rig.parts.database.transaction() as connection:
            await keys.ensure_tenant(connection, TENANT, "Acme")
            await ledger.grant(connection, TENANT, ITEMS)
        return
    if entry is entries.relays_and_sweeps:
        await make_ill(rig)
        return
    await rig.job(ITEMS)
    await rig.parts.relay.publish_pending()
    if entry is entries.exports:
        async with workers(rig, exporting=False):
            assert await until(lambda: all_processed(rig))


async def begin(rig: Rig, entry: Entry, point: str) -> Process:
    """Start the process, and what a client does where it serves one."""
    await prepare(rig, entry)
    told = {CRASH_AT: point, SEEN: str(rig.folder / "seen"), "OPAL_WORKER_MAX_FAILURES": "2"}
    process = rig.start(entry, **told)
    if entry is entries.serves:
        await use(rig, process)
    return process


async def use(rig: Rig, process: Process) -> None:
    """A client makes a job and uploads its photos, until nobody answers any more."""
    async with rig.parts.database.transaction() as connection:
        _key, secret = await keys.create_key(connection, TENANT, "faults")
    load = ApiLoad(f"http://127.0.0.1:{rig.port}", secret)
    try:
        await rig.ready(process)
        job = await load.create_job(ITEMS, PRESETS, "white")
        for item, data in zip(job["items"], tiny_photos(), strict=False):
            await load.upload(job["id"], item["id"], data)
    except httpx.TransportError:
        await process.ended(30.0)
    finally:
        await load.close()


async def undisturbed(rig: Rig, entry: Entry, expected: frozenset[str]) -> frozenset[str]:
    """The steps of a process that is stopped when it has passed those that are expected."""
    process = await begin(rig, entry, "")
    seen = rig.folder / "seen"
    give_up_at = time.monotonic() + 60.0
    while process.exit_code() is None and time.monotonic() < give_up_at:
        if seen.exists() and expected <= set(seen.read_text().splitlines()):
            break
        await asyncio.sleep(0.05)
    if process.exit_code() is None:
        process.signal(signal.SIGTERM)
    # Killed by it where the process was at its end already, and nobody caught signals any more.
    assert await process.ended(30.0) in {0, -signal.SIGTERM}, process.tail()
    return frozenset(seen.read_text().splitlines())


async def die(rig: Rig, entry: Entry, point: str) -> None:
    """The process dies at the point."""
    process = await begin(rig, entry, point)
    code = await process.ended(60.0)
    assert code == -signal.SIGKILL, f"{entry.__name__} never came to {point}: {process.tail()}"


async def recover(rig: Rig) -> int:
    """Let workers that nothing happens to finish the work; returns the sweeps that it took."""
    async with rig.parts.database.transaction() as connection:
        # As if the day that a client has for its upload had passed.
        late = {"updated_at": utc_now() - timedelta(days=1)}
        waiting = tables.items.c.state == ItemState.CREATED
        await connection.execute(update(tables.items).where(waiting).values(**late))
    sweeps = 0
    async with workers(rig, exporting=True):
        while not await rig.at_rest():
            if await rig.quiet():
                await rig.parts.sweeper.sweep()
                await rig.parts.relay.publish_pending()
                sweeps += 1
                assert sweeps < 5
            await asyncio.sleep(0.1)
    return sweeps


@asynccontextmanager
async def workers(rig: Rig, *, exporting: bool) -> AsyncIterator[None]:
    """The workers' loops, within the test's own process."""
    endpoint, stop = InlineEndpoint(), asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(rig.parts.relay.run(stop))
        tasks.create_task(orchestrator_app.build_worker(rig.parts, endpoint, Heartbeat()).run(stop))
        if exporting:
            tasks.create_task(export_worker_app.build_worker(rig.parts, Heartbeat()).run(stop))
        try:
            yield
        finally:
            stop.set()
    await endpoint.close()


async def all_processed(rig: Rig) -> bool:
    """Whether the items wait for their export and their first messages are gone."""
    jobs, exports = [await rig.parts.queues.depth(queue) for queue in ("jobs", "exports")]
    return exports.active == ITEMS and not jobs.active + jobs.scheduled


def test_every_transaction_is_a_step_or_says_why_not() -> None:
    steps = {step.partition(" by ")[0] for steps in STEPS.values() for step in steps}
    unknown = [
        f"{each.file}: {each.name}" for each in beginners() if each.step not in steps and not each.reason
    ]
    assert not unknown, unknown


async def test_control_pictures_recorded_before_they_are_stored(rigs: Rigs, figures: Figures) -> None:
    async with rigs.rig(**SETTINGS) as rig:
        await prepare(rig, entries.exports)
        process = rig.start(stores_behind)
        assert await until(lambda: exported(rig))
        process.signal(signal.SIGKILL)
        await process.ended(30.0)
        await recover(rig)
        broken = await broken_invariants(rig.parts.database, rig.parts.blobs)
    found = {verdict.name: verdict.count for verdict in broken}
    figures("control: pictures recorded before they are stored", found=found)
    assert set(found) == {"blobs_as_recorded"}


async def exported(rig: Rig) -> bool:
    """Whether some item has all its pictures, as far as the database knows."""
    query = select(func.count()).where(tables.items.c.state == ItemState.EXPORTED)
    async with rig.parts.database.read() as connection:
        return bool((await connection.execute(query)).scalar_one())

"""A worker is frozen until its lease is over and others did its work, then wakes up: it changes nothing."""

import asyncio
import random
import signal
from typing import Any

import pytest
from sqlalchemy import select
from tests.faults.entries import export_worker, orchestrator, slow_export_worker, slow_orchestrator
from tests.faults.figures import Figures
from tests.faults.findings import claimed_by
from tests.faults.process_server import Entry
from tests.faults.rig import Rig, Rigs, until
from tests.faults.wrong_designs import writes_unfenced

from opal.database import tables
from opal.database.events import events_after

ITEMS = 2
"""As many as a worker has in hand."""
ROUNDS = 5
Rows = dict[str, list[tuple[Any, ...]]]


async def freeze(rig: Rig, worker: Entry, role: str, rng: random.Random) -> tuple[Rows, Rows, int]:
    """All rows before and after the frozen worker woke up, and the leases that others took over meanwhile."""
    await rig.start_web_api()
    await rig.job(ITEMS)
    if role == "export-worker":
        rig.start(orchestrator)
    frozen = rig.start(worker)
    assert await until(lambda: claimed(rig, role)), rig.tails()
    await asyncio.sleep(rng.uniform(0.0, 0.4))
    frozen.signal(signal.SIGSTOP)
    rig.start(orchestrator)
    rig.start(export_worker)
    assert await until(rig.at_rest), rig.tails()
    taken_over = (await rig.findings()).interrupted
    before = await rows(rig)
    frozen.signal(signal.SIGCONT)
    frozen.signal(signal.SIGTERM)
    assert await frozen.ended(60.0) == 0, frozen.tail()
    return before, await rows(rig), taken_over


async def claimed(rig: Rig, role: str) -> bool:
    """Whether a worker of this kind has taken every item."""
    async with rig.parts.database.read() as connection:
        events = await events_after(connection, rig.job_id, 0, 1000)
    return sum(claimed_by(role, event) for event in events) == ITEMS


async def rows(rig: Rig) -> Rows:
    """Everything that a late write could change."""
    names = (tables.items, tables.item_events, tables.ledger, tables.accounts, tables.variants, tables.outbox)
    async with rig.parts.database.read() as connection:
        return {
            table.name: [
                tuple(row) for row in await connection.execute(select(table).order_by(*table.primary_key))
            ]
            for table in names
        }


WORKERS = {"orchestrator": slow_orchestrator, "export-worker": slow_export_worker}


@pytest.mark.parametrize("role", WORKERS)
async def test_a_worker_that_wakes_up_too_late_changes_nothing(
    role: str, rigs: Rigs, figures: Figures
) -> None:
    await wake_up_too_late(role, 1, rigs, figures)


@pytest.mark.battery
@pytest.mark.parametrize("life", ["laptop"], indirect=True)
@pytest.mark.parametrize("role", WORKERS)
async def test_workers_that_wake_up_too_late_change_nothing(role: str, rigs: Rigs, figures: Figures) -> None:
    await wake_up_too_late(role, ROUNDS, rigs, figures)


async def wake_up_too_late(role: str, rounds: int, rigs: Rigs, figures: Figures) -> None:
    """Freeze a worker in each round, at another moment of its work."""
    rng, taken_over, changed, faults = random.Random(5), 0, 0, 0
    for number in range(rounds):
        async with rigs.rig(f"{number}", SWEEPER_INTERVAL_S="86400") as rig:
            before, after, interrupted = await freeze(rig, WORKERS[role], role, rng)
            faults += len((await rig.findings()).faults)
        taken_over += interrupted
        changed += before != after
    figures(
        f"zombie {role}, {rigs.name}",
        rounds=rounds,
        taken_over=taken_over,
        late_writes=changed,
        faults=faults,
    )
    assert taken_over >= rounds
    assert not changed
    assert not faults


@pytest.mark.parametrize("life", ["laptop"], indirect=True)
async def test_control_writes_without_fencing(rigs: Rigs, figures: Figures) -> None:
    async with rigs.rig(SWEEPER_INTERVAL_S="86400") as rig:
        before, after, taken_over = await freeze(rig, writes_unfenced, "orchestrator", random.Random(5))
        faults = (await rig.findings()).faults
    figures(
        "control: writes without fencing", taken_over=taken_over, late_writes=before != after, faults=faults
    )
    assert before != after
    assert faults

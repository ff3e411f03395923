"""A queue that sends twice, settles in vain, loses locks, keeps messages back and knows no order.

Nothing is lost, nothing charged twice, and the placement endpoint is hardly asked more than once per photo.
"""

import time
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.faults.faulty_endpoint import FaultyEndpoint, serving
from tests.faults.figures import Figures
from tests.faults.findings import Findings, examine
from tests.faults.line import PRESETS, MakeHandler, opened_parts, quiet, settled, with_queues, working
from tests.faults.lying_queues import SHARES, Lies, LyingQueues

from opal.assembly import Parts
from opal.database import ledger
from opal.database.items import Claimed, Stage, claim, get_item
from opal.items.states import ItemState
from opal.messages.job_message import JobMessage
from opal.orchestrator.app import build_stage
from opal.orchestrator.process_item import Means, process_item
from opal.platform_settings import QueueSettings
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings, SweeperSettings, WorkerSettings
from opal.worker.settlement import Delivery, Done, Outcome

LONGEST_S = 240.0
MOST_CALLS = 1.25
"""Per item."""
LOCK_S = 2.0


@dataclass(frozen=True, slots=True)
class Run:
    """What a job came to; ``charges`` is the number of debits."""

    findings: Findings
    lies: Lies
    calls: int
    charges: int


async def play(folder: Path, items: int, seed: int, handler: MakeHandler = build_stage) -> Run:
    """One job over lying queues that know no duplicates."""
    groups = {
        "worker": WorkerSettings(concurrency=8, lease_s=20, retry_base_s=0.2, retry_max_s=0.5),
        "queue": QueueSettings(lock_s=LOCK_S, duplicate_window_s=0, poll_s=0.2),
        # The second net is far below: what is lost here is to be seen.
        "sweeper": SweeperSettings(interval_s=3600, stale_s=3600),
    }
    granted = 2 * items
    async with opened_parts(folder, granted, **groups) as world:
        parts, lies = world.parts, Lies(seed)
        job, _created = await world.job(items, presets=PRESETS)
        async with serving(FaultyEndpoint()) as endpoint:
            client = ScoringClient(ScoringSettings(url=endpoint.url, instances=4))
            lying = with_queues(parts, LyingQueues(parts.queues, lies))
            async with working(lying, client, handler=handler):
                # The wrong design leaves items that nobody will end.
                await (settled if handler is build_stage else quiet)(parts, LONGEST_S)
            await client.close()
        async with parts.database.read() as connection:
            balance = await ledger.balance(connection, job.tenant_id)
        findings = await examine(
            parts.database, parts.blobs, parts.queues, job.id, presets=PRESETS, granted=granted
        )
        return Run(findings, lies, endpoint.calls.total(), granted - balance.balance)


@pytest.mark.parametrize(
    ("seed", "items"),
    [(1, 30), *(pytest.param(seed, 300, marks=pytest.mark.battery) for seed in (2, 3, 4))],
)
async def test_a_lying_queue(seed: int, items: int, tmp_path: Path, figures: Figures) -> None:
    started = time.monotonic()
    run = await play(tmp_path, items, seed)
    figures(
        f"lying queue, seed {seed}",
        items=items,
        lost=run.findings.lost,
        charged_twice=run.charges - items,
        calls_per_item=f"{run.calls / items:.2f}",
        lies=run.lies.told.total(),
        seconds=round(time.monotonic() - started),
    )
    assert not run.findings.faults, run.findings
    assert run.calls <= MOST_CALLS * items
    # A queue that told the truth would prove nothing. Work is too short for a lock to be renewed.
    assert set(run.lies.told) == set(SHARES)


@dataclass(frozen=True, slots=True)
class Believer:
    """An orchestrator that takes each delivery for the only one: it asks, charges, and moves the item on."""

    means: Means

    async def handle(self, message: JobMessage, _delivery: Delivery) -> Outcome:
        database = self.means.database
        async with database.transaction() as connection:
            claimed = await claim(connection, message.item_id, Stage.PROCESS, lease_s=20, by="believer")
            item = await get_item(connection, message.item_id)
            assert item is not None
            if item.state is not ItemState.PROCESSING or not isinstance(claimed, Claimed):
                # It would do it all again; that the charge comes again is enough to see.
                await ledger.spend(connection, message.tenant_id, 1, note=message.item_id)
        if isinstance(claimed, Claimed):
            await process_item(self.means, claimed.item)
        return Done()


def believing(parts: Parts, scoring: ScoringClient) -> Believer:
    """A worker without the states' protection."""
    return Believer(Means(parts.database, parts.blobs, scoring, parts.relay, review_below=0.0))


async def test_control_each_delivery_taken_for_the_only_one(tmp_path: Path, figures: Figures) -> None:
    run = await play(tmp_path, 40, 1, handler=believing)
    figures("control: each delivery taken for the only one", charged_twice=run.charges - 40)
    assert run.charges > 40
    assert "credits_unaccounted" in run.findings.faults

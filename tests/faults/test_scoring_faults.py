"""The placement endpoint answers 429, 500, 408, 424, garbage, half an answer or nothing at all.

Nothing is lost; what fails is not charged and says why; and it is never asked for more at a time than
2 × concurrency × instances.
"""

import random
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from tests.faults.faulty_endpoint import FaultyEndpoint, Plan, Trouble, serving
from tests.faults.figures import Figures
from tests.faults.findings import Findings, examine
from tests.faults.line import PRESETS, MakeHandler, opened_parts, settled, working

from opal.assembly import Parts
from opal.database import ledger
from opal.database.items import Stage, list_items
from opal.items.item import Item
from opal.items.states import ItemState
from opal.messages.job_message import JobMessage
from opal.orchestrator.app import build_stage
from opal.orchestrator.process_item import BY, Means, process_item
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings, SweeperSettings, WorkerSettings
from opal.worker.item_stage import ItemStage

LONGEST_S = 240.0
CONCURRENCY, INSTANCES = 2, 2
BOUND = 2 * CONCURRENCY * INSTANCES
SHARES = {
    Trouble.BUSY: 0.20,
    Trouble.FAILED: 0.05,
    Trouble.TIMEOUT: 0.03,
    Trouble.MODEL: 0.02,
    Trouble.HANG: 0.02,
    Trouble.GARBAGE: 0.005,
    Trouble.NONSENSE: 0.005,
    Trouble.TRUNCATED: 0.005,
}
HOPELESS = {
    Trouble.REFUSED: "no_product_found",
    Trouble.MODEL: "scoring_failed",
    Trouble.WRONG_PICTURE: "stored_picture_unusable",
}
"""What befalls the first photos every time, and with which code they must fail."""


@dataclass(frozen=True, slots=True)
class Run:
    """What a job came to, and what its endpoint saw."""

    findings: Findings
    items: list[Item]
    endpoint: FaultyEndpoint
    charged: int
    """Credits that are gone, or held."""

    @property
    def wrong_ends(self) -> list[str]:
        """Items that did not end as they must: exported, or failed with the code of their trouble."""
        codes = list(HOPELESS.values())
        wrong = []
        for number, item in enumerate(self.items):
            code = codes[number] if number < len(codes) else None
            state = ItemState.EXPORTED if code is None else ItemState.FAILED
            if (item.state, item.error_code) != (state, code):
                wrong.append(f"{number}: {item.state} {item.error_code} {item.error_message}")
        return wrong

    @property
    def overcharged(self) -> int:
        """Credits taken for what was not delivered."""
        return self.charged - sum(item.state is ItemState.EXPORTED for item in self.items)


def plan(seed: int, hopeless: dict[str, Trouble]) -> Plan:
    """Trouble at random in the shares of ``SHARES``; the ``hopeless`` have theirs every time."""
    rng = random.Random(seed)

    def trouble(item_id: str, _before: int) -> Trouble:
        if item_id in hopeless:
            return hopeless[item_id]
        return rng.choices([*SHARES, Trouble.NONE], [*SHARES.values(), 1 - sum(SHARES.values())])[0]

    return trouble


async def play(
    folder: Path,
    items: int,
    seed: int,
    *,
    handler: MakeHandler = build_stage,
    concurrency: int = CONCURRENCY,
    longest_s: float = 0.15,
) -> Run:
    """One job through an endpoint with troubles; the client believes in ``concurrency``."""
    worker = WorkerSettings(
        concurrency=3 * BOUND, lease_s=20, retry_base_s=0.1, retry_max_s=0.4, max_failures=4
    )
    scoring = ScoringSettings(concurrency=concurrency, instances=INSTANCES, timeout_s=1.5)
    groups = {"worker": worker, "scoring": scoring, "sweeper": SweeperSettings(interval_s=5, stale_s=60)}
    async with opened_parts(folder, items, **groups) as world:
        parts = world.parts
        job, created = await world.job(items, presets=PRESETS)
        hopeless = dict(zip((item.id for item in created), HOPELESS, strict=False))
        async with (
            serving(FaultyEndpoint(plan(seed, hopeless), longest_s)) as endpoint,
            client_of(scoring.model_copy(update={"url": endpoint.url})) as client,
            working(parts, client, handler=handler),
        ):
            await settled(parts, LONGEST_S)
        async with parts.database.read() as connection:
            ended = await list_items(connection, job.id)
            balance = await ledger.balance(connection, job.tenant_id)
        findings = await examine(
            parts.database, parts.blobs, parts.queues, job.id, presets=PRESETS, granted=items
        )
        return Run(findings, ended, endpoint, items - balance.available)


@asynccontextmanager
async def client_of(settings: ScoringSettings) -> AsyncIterator[ScoringClient]:
    client = ScoringClient(settings, first_wait_s=0.05, longest_wait_s=0.2)
    try:
        yield client
    finally:
        await client.close()


@pytest.mark.parametrize(
    ("seed", "items"),
    [(1, 40), *(pytest.param(seed, 400, marks=pytest.mark.battery) for seed in (2, 3))],
)
async def test_an_endpoint_in_trouble(seed: int, items: int, tmp_path: Path, figures: Figures) -> None:
    started = time.monotonic()
    run = await play(tmp_path, items, seed)
    figures(
        f"scoring faults, seed {seed}",
        items=items,
        wrong_ends=len(run.wrong_ends),
        overcharged=run.overcharged,
        calls=run.endpoint.calls.total(),
        in_trouble=run.endpoint.calls.total() - run.endpoint.troubles[Trouble.NONE],
        in_flight=f"{run.endpoint.most_in_flight}/{BOUND}",
        seconds=round(time.monotonic() - started),
    )
    assert not run.wrong_ends
    assert run.overcharged == 0
    assert run.endpoint.most_in_flight <= BOUND
    assert not run.findings.broken, run.findings
    assert run.findings.messages_left == 0
    # A plan that did not happen would prove nothing.
    assert set(run.endpoint.troubles) >= {Trouble.BUSY, *HOPELESS}


async def test_control_without_the_limiter(tmp_path: Path, figures: Figures) -> None:
    run = await play(tmp_path, 40, 1, concurrency=4 * CONCURRENCY, longest_s=1.0)
    figures("control: no limiter", in_flight=f"{run.endpoint.most_in_flight}/{BOUND}")
    assert run.endpoint.most_in_flight > BOUND


def charging_first(parts: Parts, scoring: ScoringClient) -> ItemStage[JobMessage]:
    """An orchestrator that takes its credit before it has anything to show for it."""
    means = Means(parts.database, parts.blobs, scoring, parts.relay, review_below=0.0)

    async def perform(item: Item, _message: JobMessage) -> None:
        async with parts.database.transaction() as connection:
            await ledger.debit(connection, item)
        await process_item(means, item)

    settings, deliveries = parts.settings.worker, parts.settings.queue.max_delivery_count
    return ItemStage(
        parts.database, Stage.PROCESS, by=BY, settings=settings, max_deliveries=deliveries, perform=perform
    )


async def test_control_charged_before_the_work(tmp_path: Path, figures: Figures) -> None:
    run = await play(tmp_path, 10, 1, handler=charging_first)
    figures("control: charged before the work", overcharged=run.overcharged)
    # The refused one and the one that the model never takes; the third is refunded.
    assert run.overcharged == 2
    assert "charged_once" in run.findings.faults

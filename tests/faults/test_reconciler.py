"""Messages dropped, leases stuck, rows falsely marked as sent, blobs gone: healed or told in two sweeps.

Played by hand: damage, then sweep, work, sweep, work, with the line standing still in between.
"""

import random
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import update
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.faults.faulty_endpoint import FaultyEndpoint, serving
from tests.faults.figures import Figures
from tests.faults.findings import Findings, examine
from tests.faults.line import PRESETS, opened_parts, quiet, with_queues, working
from tests.faults.lying_queues import Lies, LyingQueues, LyingReceiver
from tests.services.pipeline_world import World

from opal.assembly import Parts
from opal.database import items, outbox, tables
from opal.database.engine import utc_now
from opal.database.items import Stage, list_items
from opal.database.variants import job_variants
from opal.items.item import Item
from opal.items.states import TERMINAL, ItemState
from opal.queues.interface import Received, Receiver
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings, SweeperSettings, WorkerSettings

STALE_S = 3600.0
LEASE_S = 20.0
LONGEST_S = 120.0
SWEEPS = 2

DROPPED, UNSENT, STUCK, PHOTO_GONE = "dropped", "unsent", "stuck", "photo gone"
SHARES = {DROPPED: 0.05, UNSENT: 0.05, STUCK: 0.02, PHOTO_GONE: 0.02}
EXPORT_DROPPED, PICTURE_GONE = "export dropped", "picture gone"
"""Done to healthy items on their second half of the way, and after it."""


@dataclass(slots=True)
class Damage:
    """Which items suffer what, by the item's id."""

    by_item: dict[str, str] = field(default_factory=dict)

    def struck(self, *damages: str) -> list[str]:
        """The items that suffer one of them."""
        return [item_id for item_id, suffered in self.by_item.items() if suffered in damages]

    @classmethod
    def drawn(cls, all_items: Sequence[Item], seed: int) -> "Damage":
        """The shares of ``SHARES``, at least one of each."""
        order = [item.id for item in all_items]
        random.Random(seed).shuffle(order)
        by_item: dict[str, str] = {}
        for damage, share in SHARES.items():
            for _ in range(max(1, round(share * len(all_items)))):
                by_item[order.pop()] = damage
        return cls({**by_item, order.pop(): EXPORT_DROPPED, order.pop(): PICTURE_GONE})


@dataclass(frozen=True, slots=True)
class DroppingQueues(LyingQueues):
    """Lose the first message of some items between the queue and their worker."""

    lost: Mapping[str, Collection[str]] = field(default_factory=dict)
    """Items by queue."""

    def receiver(self, queue: str) -> Receiver:
        """A consumer that does not get them."""
        return DroppingReceiver(self.inner.receiver(queue), self.lies, self.lost[queue])


@dataclass(frozen=True, slots=True)
class DroppingReceiver(LyingReceiver):
    """Removes the messages of ``lost`` items without showing them, those of their first epoch."""

    lost: Collection[str] = ()

    async def receive(self, max_messages: int, timeout: float) -> Sequence[Received]:
        """The others."""
        kept = []
        for message in await self.inner.receive(max_messages, timeout):
            item_id, _, epoch = message.message_id.rpartition(":")
            if item_id in self.lost and epoch == "0":
                await self.inner.complete(message)
            else:
                kept.append(message)
        return kept


@dataclass(frozen=True, slots=True)
class Run:
    """What was found in the end."""

    findings: Findings
    damage: Damage
    waiting: list[str]
    """Items that nobody will ever work on."""
    failed: list[Item]


async def play(folder: Path, count: int, seed: int) -> Run:
    """One job that suffers all damage, then two sweeps, with work after each."""
    groups = {
        "worker": WorkerSettings(
            concurrency=6, lease_s=LEASE_S, retry_base_s=0.05, retry_max_s=0.2, max_failures=2
        ),
        "sweeper": SweeperSettings(interval_s=3600, stale_s=STALE_S),
    }
    async with opened_parts(folder, count, **groups) as world, serving(FaultyEndpoint()) as endpoint:
        parts = world.parts
        scoring = ScoringClient(ScoringSettings(url=endpoint.url, instances=3), first_wait_s=0.05)
        job, created = await world.job(count, presets=PRESETS)
        damage = Damage.drawn(created, seed)
        await harm(world, created, damage)
        lost = {"jobs": damage.struck(DROPPED, STUCK), "exports": damage.struck(EXPORT_DROPPED)}
        dropping = with_queues(parts, DroppingQueues(parts.queues, Lies(seed, {}), lost))
        for _ in range(SWEEPS):
            await work(dropping, scoring)
            await age(parts)
            await parts.sweeper.sweep()
        await work(dropping, scoring)
        await scoring.close()
        await lose_pictures(parts, job.id, damage.struck(PICTURE_GONE))
        findings = await examine(
            parts.database, parts.blobs, parts.queues, job.id, presets=PRESETS, granted=count
        )
        async with parts.database.read() as connection:
            ended = await list_items(connection, job.id)
        waiting = [item.id for item in ended if item.state not in TERMINAL]
        return Run(findings, damage, waiting, [item for item in ended if item.state is ItemState.FAILED])


async def harm(world: World, created: Sequence[Item], damage: Damage) -> None:
    """What happens before any worker is there."""
    database = world.parts.database
    async with database.transaction() as connection:
        rows = await outbox.claim_batch(connection, len(created), 0.0)
        unsent = damage.struck(UNSENT)
        await outbox.mark_published(connection, [row for row in rows if row.item_id in unsent])
    await world.parts.relay.publish_pending()
    for item in created:
        match damage.by_item.get(item.id):
            case "stuck":
                claimed = await world.claimed(Stage.PROCESS, item)
                await world.set(claimed, lease_until=utc_now() - timedelta(seconds=3 * LEASE_S))
            case "photo gone":
                assert item.raw_path is not None
                await world.parts.blobs.delete("raw", item.raw_path)


async def work(parts: Parts, scoring: ScoringClient) -> None:
    """Let the workers do what there is a message for."""
    await parts.relay.publish_pending()
    async with working(parts, scoring, loops=False):
        await quiet(parts, LONGEST_S)


async def age(parts: Parts) -> None:
    """Let an hour and a bit pass."""
    async with parts.database.transaction() as connection:
        long_ago = utc_now() - timedelta(seconds=STALE_S + 60)
        await connection.execute(update(tables.items).values(updated_at=long_ago))


async def lose_pictures(parts: Parts, job_id: str, item_ids: Collection[str]) -> None:
    """Take finished pictures away, as no part of Opal would."""
    async with parts.database.read() as connection:
        made = await job_variants(connection, job_id)
    for item_id in item_ids:
        for row in made[item_id]:
            await parts.blobs.delete("exports", row.path)


@pytest.mark.parametrize(
    ("seed", "count"), [(1, 25), *(pytest.param(seed, 200, marks=pytest.mark.battery) for seed in (2, 3))]
)
async def test_everything_is_healed_or_told(seed: int, count: int, tmp_path: Path, figures: Figures) -> None:
    run = await play(tmp_path, count, seed)
    told = run.findings.faults.get("blobs_as_recorded", 0)
    figures(
        f"reconciler, seed {seed}",
        items=count,
        damaged=len(run.damage.by_item),
        still_waiting=len(run.waiting),
        failed_with_a_code=len(run.failed),
        blobs_told=told,
    )
    assert not run.waiting
    # A photo that is gone is told to its owner, and costs nothing; a picture that is gone, to the operator.
    assert {item.id for item in run.failed} == set(run.damage.struck(PHOTO_GONE))
    assert {item.error_code for item in run.failed} == {"stored_picture_unusable"}
    gone = len(run.damage.struck(PICTURE_GONE))
    expected = {"lost": len(run.failed), "dead_letters": len(run.failed), "blobs_as_recorded": gone}
    assert run.findings.faults == expected, run.findings


async def test_control_sent_again_under_the_same_id(
    tmp_path: Path, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def keep_epoch(_connection: AsyncConnection, item: Item) -> Item:
        return item

    monkeypatch.setattr(items, "raise_epoch", keep_epoch)
    run = await play(tmp_path, 25, 1)
    figures("control: sent again under the same id", still_waiting=len(run.waiting))
    # The queue has seen these ids: it drops what is sent. That of a row never sent it has not.
    assert set(run.waiting) == set(run.damage.struck(DROPPED, EXPORT_DROPPED))
    assert "work_ends" in run.findings.faults

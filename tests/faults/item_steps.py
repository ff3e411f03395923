"""What can befall the items of one job, step by step; ``item_life.py`` has it happen in any order.

A worker's claim and its end are steps of their own, so that leases end, messages come again, sweeps and
cancellations happen in between.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from sqlalchemy import delete, select, update
from tests.faults.queue_on_paper import QueueOnPaper

from opal.database import (
    invariants,
    items,
    jobs,
    keys,
    ledger,
    outbox,
    revisions,
    rework,
    tables,
    variants,
)
from opal.database.engine import Database, utc_now
from opal.database.items import Claimed, Missing, Settled, Stage
from opal.database.jobs import Job, NewItem
from opal.database.revisions import Look, RevisionState
from opal.database.variants import VariantRow
from opal.errors import IllegalMove, ItemNotFailed, PhotoNeeded, RevisionConflict, TooManyRevisions
from opal.items.item import Item, Recipe
from opal.items.states import TERMINAL, ItemState, is_legal
from opal.messages.envelope import Envelope
from opal.messages.export_message import ExportMessage, send_export_message
from opal.messages.job_message import JobMessage, send_job_message
from opal.outbox_relay import OutboxRelay
from opal.settings import Settings
from opal.sweeper import Sweeper

TENANT = "acme"
PRESET = "cutout-png"
RECIPE = Recipe(scene="white", placement={}, presets=(PRESET,), prompt="", seed=0)
PHOTOS = 2
GRANTED = 3
MAX_FAILURES = 3
MAX_INTERRUPTIONS = 4
LEASE_S = 60.0
ROUNDS = 3 * MAX_INTERRUPTIONS
"""More than the worst life needs, when everything is done as it should be."""

_STAGES: dict[str, tuple[Stage, type[Envelope]]] = {
    JobMessage.QUEUE: (Stage.PROCESS, JobMessage),
    ExportMessage.QUEUE: (Stage.EXPORT, ExportMessage),
}


@dataclass(frozen=True, slots=True)
class Ground:
    """What the lives are played on, one after the other."""

    runner: asyncio.Runner
    database: Database
    settings: Settings


@dataclass(slots=True)
class Seen:
    """Items as they were after the step before."""

    attempt: dict[str, int] = field(default_factory=dict)
    epoch: dict[str, int] = field(default_factory=dict)
    ended: dict[str, ItemState] = field(default_factory=dict)


class Life:
    """One job on ``ground``, on which nothing else is."""

    def __init__(self, ground: Ground) -> None:
        self.settings = ground.settings
        self.database = ground.database
        self.queues = QueueOnPaper()
        self.relay = OutboxRelay(self.database, self.queues)
        self.sweeper = Sweeper(self.database, self.queues, self.settings)
        self.in_hand: list[Item] = []
        """Claims of workers, those included whose lease was lost: they do not know."""
        self.seen = Seen()
        self.job: Job | None = None

    @property
    def messages(self) -> list[tuple[str, int]]:
        """Where they wait: queue and place."""
        return [(queue, place) for queue in _STAGES for place in range(len(self.queues.waiting[queue]))]

    async def begin(self, ways: tuple[int, ...]) -> None:
        """An empty database, and a job of photos that have come some steps of their ``ways``."""
        async with self.database.transaction() as connection:
            for table in reversed(tables.metadata.sorted_tables):
                await connection.execute(delete(table))
            await keys.ensure_tenant(connection, TENANT, "Acme")
            await ledger.grant(connection, TENANT, GRANTED)
            new = [NewItem(f"{number}.jpg") for number in range(PHOTOS)]
            self.job, _items = await jobs.create_job(
                connection, TENANT, RECIPE, new, name="", correlation_id="c"
            )
        for number, way in enumerate(ways):
            if way > 0:
                await self.upload(number)
                await self.relay.publish_pending()
            if way > 1:
                await self.deliver(JobMessage.QUEUE, -1)
            if way in {3, 5}:
                await self.take_over(JobMessage.QUEUE)
            if way > 3:
                await self.finish(self.in_hand.pop())
                await self.relay.publish_pending()
                await self.deliver(ExportMessage.QUEUE, -1)

    async def take_over(self, queue: str) -> None:
        """The last claim's lease ends, and another worker claims the item; both think that it is theirs."""
        await self.set(lease_until=utc_now() - timedelta(seconds=1), item_id=self.in_hand[-1].id)
        await self.deliver(queue, -1)

    async def upload(self, which: int) -> None:
        """A photo comes; of one that is there already nothing comes of it."""
        item = (await self.items())[which % PHOTOS]
        if item.state is not ItemState.CREATED:
            return
        async with self.database.transaction() as connection:
            photo = {"raw_path": "r", "photo": {"format": "jpeg"}}
            moved = await items.move(connection, item, ItemState.UPLOADED, by="web-api", changes=photo)
            await send_job_message(outbox.Outbox(connection), JobMessage.of(moved))

    async def revise(self, which: int, engine: str | None = None) -> None:
        """The client asks for other pictures, or a new cut-out; of one that has none nothing comes of it."""
        item = (await self.items())[which % PHOTOS]
        try:
            async with self.database.transaction() as connection:
                look = Look("white", {}, engine=engine)
                await rework.ask_for_revision(connection, item, look, based_on=item.revision)
        except (RevisionConflict, TooManyRevisions):
            assert item.state is not ItemState.EXPORTED or item.revision
        else:
            self.seen.ended.pop(item.id, None)

    async def send_again(self, which: int, *, new_photo: bool) -> None:
        """The client sends a photo again; of one that has not failed nothing comes of it."""
        item = (await self.items())[which % PHOTOS]
        try:
            async with self.database.transaction() as connection:
                await rework.send_again(connection, item, new_photo=new_photo)
        except (ItemNotFailed, PhotoNeeded):
            assert item.state is not ItemState.FAILED or not new_photo
        else:
            self.seen.ended.pop(item.id, None)

    async def cancel(self) -> None:
        """The client cancels, perhaps again."""
        assert self.job is not None
        async with self.database.transaction() as connection:
            await jobs.cancel_job(connection, self.job, by="web-api")

    async def deliver(self, queue: str, which: int) -> None:
        """A message comes to a worker. It is not settled yet, and so may come to another."""
        stage, kind = _STAGES[queue]
        message = self.queues.waiting[queue][which]
        async with self.database.transaction() as connection:
            claim = await items.claim(
                connection,
                kind.decode(message.body).item_id,
                stage,
                lease_s=LEASE_S,
                by="worker",
                max_interruptions=MAX_INTERRUPTIONS,
            )
        match claim:
            case Claimed(item):
                self.in_hand.append(item)
            case Settled() | Missing():
                self.queues.waiting[queue].remove(message)

    async def finish(self, item: Item) -> None:
        """The work is done and recorded."""
        async with self.database.transaction() as connection:
            number = item.pending_revision
            if item.state is ItemState.PROCESSING and number is not None:
                done = await items.move(connection, item, ItemState.COMPLETED, by="worker", tell=False)
                await revisions.cut_out_anew(
                    connection, item.id, number, matte_path="n.png", meta={}, review=False
                )
                await send_export_message(outbox.Outbox(connection), ExportMessage.of(done))
            elif item.state is ItemState.PROCESSING:
                paths = {"scene_path": "s.png", "matte_path": "m.png", "failures": 0, "interruptions": 0}
                done = await items.move(connection, item, ItemState.COMPLETED, by="worker", changes=paths)
                await ledger.debit(connection, done)
                await send_export_message(outbox.Outbox(connection), ExportMessage.of(done))
            else:
                changes = {} if number is None else {"revision": number, "pending_revision": None}
                done = await items.move(connection, item, ItemState.EXPORTED, by="worker", changes=changes)
                if number is not None:
                    await revisions.end_revision(connection, item.id, number, RevisionState.DONE)
                    await variants.forget_variants(connection, done)
                row = VariantRow(
                    PRESET, f"{item.attempt}.png", "png", "image/png", 1, 1, 1, "0" * 64, [], None
                )
                await variants.record_variant(connection, done, row)

    async def fail(self, item: Item) -> None:
        """A failure that may pass."""
        async with self.database.transaction() as connection:
            await items.record_failure(
                connection, item, code="scoring_failed", message="no", by="worker", max_failures=MAX_FAILURES
            )

    async def fail_for_good(self, item: Item) -> None:
        """A photo that cannot be used."""
        async with self.database.transaction() as connection:
            await items.fail_item(connection, item, code="no_product_found", message="no", by="worker")

    async def give_back(self, item: Item) -> None:
        """The worker is asked to stop."""
        async with self.database.transaction() as connection:
            await items.give_back(connection, item, by="worker", code="interrupted")

    async def renew(self, item: Item) -> bool:
        """Whether the lease could be kept."""
        async with self.database.transaction() as connection:
            return await items.renew_lease(connection, item, LEASE_S)

    async def owns(self, item: Item) -> bool:
        """Whether the claim is still the item's last, over or not."""
        async with self.database.read() as connection:
            now = await items.get_item(connection, item.id)
        assert now is not None
        return (now.state, now.attempt) == (item.state, item.attempt) and now.lease_until is not None

    async def end_leases(self) -> None:
        """Nobody has renewed."""
        for item in await self.items():
            if item.lease_until is not None:
                await self.set(lease_until=utc_now() - timedelta(seconds=3 * LEASE_S), item_id=item.id)

    async def set(self, *, item_id: str | None = None, **values: object) -> None:
        """Write columns behind everybody's back, of one item or of all."""
        query = update(tables.items)
        if item_id is not None:
            query = query.where(tables.items.c.id == item_id)
        async with self.database.transaction() as connection:
            await connection.execute(query.values(**values))

    async def move_illegally(self, which: int, target: ItemState) -> None:
        """Try a move that the table does not have; raises AssertionError when it is made."""
        item = (await self.items())[which % PHOTOS]
        if is_legal(item.state, target):
            return
        try:
            async with self.database.transaction() as connection:
                await items.move(connection, item, target, by="nobody")
        except IllegalMove:
            return
        raise AssertionError(f"{item.state} became {target}")

    async def settle_again(self, which: int) -> None:
        """Charge, release and refund once more what was settled: nothing comes of it."""
        item = (await self.items())[which % PHOTOS]
        async with self.database.transaction() as connection:
            if item.state in {ItemState.COMPLETED, ItemState.EXPORTED}:
                assert not await ledger.debit(connection, item)
                assert not await ledger.release(connection, item)
            elif item.state in TERMINAL:
                assert not await ledger.release(connection, item)
                assert not await ledger.refund(connection, item)

    async def look(self) -> None:
        """The product's own invariants, legal stories, numbers that only grow, ends that are final."""
        async with self.database.read() as connection:
            verdicts = await invariants.examine(connection)
            events = tables.item_events.c
            story = await connection.execute(
                select(events.item_id, events.source, events.target).order_by(events.seq)
            )
            steps: Sequence[Any] = story.all()
        assert not [verdict for verdict in verdicts if verdict.count]
        last: dict[str, str] = {}
        for step in steps:
            assert step.source == last.get(step.item_id), "a story with a gap"
            legal = step.source is None or step.source == step.target
            assert legal or is_legal(ItemState(step.source), ItemState(step.target)), step
            last[step.item_id] = step.target
        for item in await self.items():
            assert item.attempt >= self.seen.attempt.get(item.id, 0)
            assert item.epoch >= self.seen.epoch.get(item.id, 0)
            assert item.state is self.seen.ended.get(item.id, item.state), "an end was not final"
            self.seen.attempt[item.id], self.seen.epoch[item.id] = item.attempt, item.epoch
            if item.state in TERMINAL:
                self.seen.ended[item.id] = item.state

    async def bring_to_an_end(self) -> None:
        """From wherever the life has come to: workers that do their work end it."""
        self.in_hand.clear()
        for _ in range(ROUNDS):
            if not await self.on_their_way():
                break
            await self.set(updated_at=utc_now() - timedelta(hours=1))
            await self.end_leases()
            await self.sweeper.sweep()
            await self.relay.publish_pending()
            for queue, waiting in self.queues.waiting.items():
                for _message in list(waiting):
                    await self.deliver(queue, 0)
                    while self.in_hand:
                        await self.finish(self.in_hand.pop())
                        waiting.pop(0)
        left = await self.on_their_way()
        assert not left, "lost"
        await self.look()

    async def on_their_way(self) -> list[Item]:
        """Photos that are there and have not come to an end."""
        return [item for item in await self.items() if item.state not in TERMINAL | {ItemState.CREATED}]

    async def items(self) -> list[Item]:
        """As they are now."""
        assert self.job is not None
        async with self.database.read() as connection:
            return await items.list_items(connection, self.job.id)

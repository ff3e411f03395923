"""The figures that are read rather than counted are true, cheap to ask for, and survive an outage."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import text
from tests.services.pipeline_world import GRANTED, World, world_in

from opal.database import items, ledger
from opal.database.items import Stage
from opal.errors import QueueUnavailable
from opal.queues.interface import Depth
from opal.web_api import stock
from opal.web_api.stock import Stock


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path) as made:
        yield made


def figure(name: str, **labels: str) -> float | None:
    return REGISTRY.get_sample_value(name, labels)


class CountedQueues:
    """Queues that say how often they were counted, and may be away."""

    def __init__(self) -> None:
        self.counted = 0
        self.away = False

    async def depth(self, _queue: str) -> Depth:
        self.counted += 1
        await asyncio.sleep(0)
        if self.away:
            raise QueueUnavailable
        return Depth(active=7, scheduled=1, dead=2, oldest_active=None)


async def test_the_figures_are_what_the_world_holds(world: World) -> None:
    [_, failing] = await world.queued(2)
    failing = await world.claimed(Stage.PROCESS, failing)
    async with world.parts.database.transaction() as connection:
        await items.fail_item(connection, failing, code="image_corrupt", message="No.", by="test")
    await world.completed()
    await world.job(1)
    await Stock(world.parts.database, world.parts.queues).take()
    assert figure("opal_items", state="failed") == 1
    assert figure("opal_items", state="completed") == 1
    assert figure("opal_items", state="exported") == 0
    assert figure("opal_items_failed", code="image_corrupt") == 1
    assert figure("opal_credits", kind="granted") == GRANTED
    assert figure("opal_credits", kind="debited") == 1
    assert figure("opal_credits", kind="balance") == GRANTED - 1
    assert figure("opal_credits", kind="held") == 2
    assert figure("opal_ledger_gap") == 0
    assert figure("opal_outbox_messages") == 1
    depth = await world.parts.queues.depth("jobs")
    assert figure("opal_queue_messages", queue="jobs", kind="active") == depth.active > 0
    assert (figure("opal_queue_oldest_seconds", queue="jobs") or 0) > 0
    assert figure("opal_queue_oldest_seconds", queue="exports") == 0


async def test_a_gap_between_ledger_and_accounts_is_seen(world: World) -> None:
    async with world.parts.database.transaction() as connection:
        await connection.execute(text("UPDATE accounts SET balance = balance - 3"))
        assert (await ledger.summed(connection, "acme")).balance == GRANTED
    await Stock(world.parts.database, world.parts.queues).take()
    assert figure("opal_ledger_gap") == 3


async def test_many_who_ask_cost_one_reading(world: World) -> None:
    queues: Any = CountedQueues()
    taken = Stock(world.parts.database, queues)
    await asyncio.gather(*(taken.take() for _ in range(20)))
    await taken.take()
    assert queues.counted == 2  # one per queue
    assert figure("opal_queue_messages", queue="jobs", kind="dead") == 2


async def test_what_is_away_keeps_its_figures_and_is_told(world: World) -> None:
    queues: Any = CountedQueues()
    await Stock(world.parts.database, queues).take()
    failed = figure("opal_stock_failures_total", part="queues") or 0
    queues.away = True
    await Stock(world.parts.database, queues).take()
    assert figure("opal_queue_messages", queue="jobs", kind="active") == 7
    assert figure("opal_stock_failures_total", part="queues") == failed + 1


async def test_a_slow_reading_does_not_hold_up_who_asks(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stock, "LONGEST_S", 0.05)
    hanging = asyncio.Event()

    class Hanging(CountedQueues):
        async def depth(self, _queue: str) -> Depth:
            await hanging.wait()
            return await super().depth(_queue)

    queues: Any = Hanging()
    taken = Stock(world.parts.database, queues)
    async with asyncio.timeout(20):
        await taken.take()
    hanging.set()
    async with asyncio.timeout(20):
        while not queues.counted:
            await taken.take()

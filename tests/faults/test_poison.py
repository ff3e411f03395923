"""A picture that crashes its decoder, a photo that a worker has a bug with: put aside, the rest unharmed."""

import random

import pytest
from tests.faults.figures import Figures
from tests.faults.poisoned_workers import (
    RAISES,
    crashing_export_worker,
    raising_for_ever,
    raising_orchestrator,
)
from tests.faults.poisoned_zygote import POISON
from tests.faults.rig import Rig, Rigs, tiny_photos, until
from tests.faults.storm import Storm

from opal.database.items import list_items
from opal.items.item import Item
from opal.items.states import ItemState

ITEMS = 24
CRASHES = 5
"""The item whose picture crashes its decoder."""
FAILURES = 5
LONGEST_S = 240.0
SETTINGS = {"WORKER_RETRY_BASE_S": "0.1", "WORKER_RETRY_MAX_S": "0.5"}


async def send_poison(rig: Rig) -> None:
    """A job with both kinds in it."""
    photos = [tiny_photos()[number % 8] for number in range(ITEMS)]
    photos[CRASHES] += POISON
    await rig.job(ITEMS, photos=photos)


async def items_of(rig: Rig) -> list[Item]:
    """As they are now."""
    async with rig.parts.database.read() as connection:
        return await list_items(connection, rig.job_id)


async def test_poison_is_put_aside_after_five_failures(rigs: Rigs, figures: Figures) -> None:
    """While workers are killed as well: an interruption is no failure."""
    async with rigs.rig(**SETTINGS) as rig:
        await send_poison(rig)
        await rig.start_web_api()
        storm = Storm(rig, random.Random(3), (raising_orchestrator, crashing_export_worker))
        assert await storm.rage(ITEMS, LONGEST_S), rig.tails()
        items, found = await items_of(rig), await rig.findings()
    poison = [items[RAISES], items[CRASHES]]
    others = [item for item in items if item not in poison]
    unharmed = sum(item.state is ItemState.EXPORTED and item.failures == 0 for item in others)
    told = {"poisonous": len(poison), "failures": [item.failures for item in poison]}
    told |= {"others": len(others), "unharmed": unharmed, "kills": len(storm.ends)}
    figures(f"poison, {rigs.name}", **told, dead_letters=found.dead_letters, interrupted=found.interrupted)
    assert [item.state for item in poison] == [ItemState.FAILED] * 2
    assert [item.failures for item in poison] == [FAILURES] * 2
    assert [item.error_code for item in poison] == ["internal_error", "stored_picture_unusable"]
    assert unharmed == len(others)
    # Both credits are back. The letter for an operator is written after that, which a kill may prevent.
    assert not found.broken
    assert found.credits_unaccounted == 0
    assert found.dead_letters <= 2


@pytest.mark.parametrize("life", ["laptop"], indirect=True)
async def test_control_failures_that_nobody_counts(rigs: Rigs, figures: Figures) -> None:
    async with rigs.rig(**SETTINGS) as rig:
        await send_poison(rig)
        await rig.start_web_api()
        rig.start(raising_for_ever)

        async def goes_round() -> bool:
            return (await items_of(rig))[RAISES].failures > 2 * FAILURES

        going_round = await until(goes_round)
        item = (await items_of(rig))[RAISES]
    figures("control: failures that nobody counts", failures=item.failures, state=str(item.state))
    assert going_round
    assert item.state is not ItemState.FAILED

"""Four workers, each killed about every two seconds: nothing lost or charged twice, all pictures made."""

import random
import time

import pytest
from tests.faults.entries import export_worker, orchestrator
from tests.faults.figures import Figures
from tests.faults.process_server import Entry
from tests.faults.rig import Rigs
from tests.faults.storm import Storm
from tests.faults.wrong_designs import charges_first, settles_first

from opal.database import ledger

PRESETS = ("cutout-png",)
LONGEST_S = 900.0
SWEEPERLESS = {"SWEEPER_INTERVAL_S": "86400"}
SURPLUS = 1000
"""Credits beyond those held, for a design that charges too often."""


async def storm(
    rigs: Rigs, items: int, seed: int, worker: Entry = orchestrator, **settings: str
) -> tuple[dict[str, object], dict[str, int]]:
    """Run one; returns its figures, and the faults that were found."""
    started = time.monotonic()
    async with rigs.rig(**settings) as rig:
        await rig.job(items, PRESETS)
        async with rig.parts.database.transaction() as connection:
            await ledger.grant(connection, "acme", SURPLUS)
        rig.granted += SURPLUS
        await rig.start_web_api()
        raging = Storm(rig, random.Random(seed), (worker, worker, export_worker, export_worker))
        ended = await raging.rage(items, LONGEST_S)
        found = await rig.findings(PRESETS)
        kills = len(raging.ends)
        told = {"items": found.items, "kills": kills, "interrupted": found.interrupted}
        told |= {"attempts": found.attempts, "lost": found.lost, "seconds": round(time.monotonic() - started)}
        assert ended or found.faults, rig.tails()
        # A storm that interrupted nothing would prove nothing.
        assert found.interrupted >= kills // 4
        return {**told, "faults": found.faults or "none"}, found.faults


async def test_nothing_is_lost_or_charged_twice(rigs: Rigs, figures: Figures) -> None:
    told, faults = await storm(rigs, 80, seed=20261124)
    figures(f"storm, {rigs.name}", **told)
    assert not faults


# One after the other, while the other worker of the tests has the rest of the battery: two storms at once
# leave workers that live for two seconds hardly anything but their start.
@pytest.mark.battery
@pytest.mark.xdist_group("long storm")
@pytest.mark.parametrize("life", ["laptop"], indirect=True)
@pytest.mark.parametrize("seed", range(1, 6))
async def test_nothing_is_lost_in_a_long_storm(seed: int, rigs: Rigs, figures: Figures) -> None:
    told, faults = await storm(rigs, 2000, seed)
    figures(f"storm of 2,000 items, seed {seed}", **told)
    assert not faults


@pytest.mark.parametrize("life", ["laptop"], indirect=True)
async def test_control_messages_that_are_removed_before_the_work(rigs: Rigs, figures: Figures) -> None:
    told, faults = await storm(rigs, 40, 1, settles_first, **SWEEPERLESS)
    figures("control: messages removed before the work", **told)
    assert {"lost", "work_ends"} <= set(faults)


@pytest.mark.parametrize("life", ["laptop"], indirect=True)
async def test_control_charges_that_are_not_part_of_the_move(rigs: Rigs, figures: Figures) -> None:
    told, faults = await storm(rigs, 40, 1, charges_first)
    figures("control: charges before the work", **told)
    assert {"credits_unaccounted", "charged_once"} <= set(faults)

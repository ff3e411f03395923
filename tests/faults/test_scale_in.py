"""Workers are asked to stop, and their process groups: they end well and in time, and little is redone."""

import random
import signal
import time

import pytest
from tests.faults.entries import export_worker, orchestrator
from tests.faults.figures import Figures
from tests.faults.process_server import Entry
from tests.faults.rig import Rigs
from tests.faults.storm import Storm
from tests.faults.wrong_designs import dies_of_sigterm

PRESETS = ("cutout-png",)
LONGEST_S = 600.0
END_S = 25.0
"""A container is killed 30 s after it was asked, in Azure as elsewhere."""
REDONE = 0.02


async def scale_in(
    rigs: Rigs, items: int, worker: Entry = orchestrator
) -> tuple[dict[str, object], Storm, float]:
    """Ask workers to stop while they work; returns figures, the storm and the share of redone work."""
    started = time.monotonic()
    async with rigs.rig() as rig:
        await rig.job(items, PRESETS)
        await rig.start_web_api()
        storm = Storm(
            rig,
            random.Random(1),
            (worker, worker, export_worker, export_worker),
            signal.SIGTERM,
            listening=worker is orchestrator,
        )
        assert await storm.rage(items, LONGEST_S), rig.tails()
        found = await rig.findings(PRESETS)
    assert not found.faults
    # An item is claimed once by the orchestrator and once by the export-worker.
    redone = (found.attempts - 2 * items) / (2 * items)
    codes = [end.exit_code for end in storm.ends]
    told = {"items": items, "stops": len(codes), "exit_code_0": codes.count(0), "faults": "none"}
    longest = max(end.seconds for end in storm.ends)
    told |= {"longest_stop_s": round(longest, 1), "redone_percent": round(100 * redone, 2)}
    return {**told, "seconds": round(time.monotonic() - started)}, storm, redone


async def test_workers_end_well_and_in_time(rigs: Rigs, figures: Figures) -> None:
    await end_well(rigs, 40, figures)


@pytest.mark.battery
@pytest.mark.parametrize("life", ["laptop"], indirect=True)
async def test_many_workers_end_well_and_in_time(rigs: Rigs, figures: Figures) -> None:
    await end_well(rigs, 500, figures)


async def end_well(rigs: Rigs, items: int, figures: Figures) -> None:
    """Hold the figures against what is promised."""
    told, storm, redone = await scale_in(rigs, items)
    figures(f"scale-in of {items} items, {rigs.name}", **told)
    assert storm.ends
    assert {end.exit_code for end in storm.ends} == {0}
    assert max(end.seconds for end in storm.ends) < END_S
    assert redone <= REDONE


@pytest.mark.parametrize("life", ["laptop"], indirect=True)
async def test_control_workers_that_do_not_listen(rigs: Rigs, figures: Figures) -> None:
    told, storm, redone = await scale_in(rigs, 60, dies_of_sigterm)
    figures("control: workers that die of the signal", **told)
    assert {end.exit_code for end in storm.ends} > {-signal.SIGTERM}
    assert redone > REDONE

"""Workers that meet poison: a bug with one photo, a decoder that one picture crashes."""

import asyncio
from pathlib import Path

from tests.faults import poisoned_zygote
from tests.faults.entries import export_worker, orchestrator_that, run

from opal.assembly import Parts
from opal.decoder.client import shared
from opal.items.item import Item
from opal.settings import Settings

RAISES = 3
"""The position of the item that the orchestrator has a bug with."""


def raising_orchestrator(settings: Settings) -> None:
    """One that has a bug with one photo."""
    asyncio.run(run(orchestrator_that(_raise, settings).run))


def crashing_export_worker(settings: Settings) -> None:
    """One with a decoder that a picture can crash."""
    shared().program = (str(Path(poisoned_zygote.__file__)),)
    export_worker(settings)


def raising_for_ever(settings: Settings) -> None:
    """One that takes every failure for the first."""
    patient = settings.worker.model_copy(update={"max_failures": 10**9})
    raising_orchestrator(settings.model_copy(update={"worker": patient}))


async def _raise(_parts: Parts, item: Item) -> None:
    if item.position == RAISES:
        raise ZeroDivisionError("a bug")

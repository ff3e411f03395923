"""One item under way: what both stages begin with, and how its steps are taken.

Called by ``process_item.py`` and ``export_item.py``, each of which has the steps.
"""

import time
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TypeVar

from opal.database import jobs, revisions
from opal.database.engine import Database
from opal.database.items import Stage
from opal.database.revisions import Revision
from opal.errors import LeaseLost
from opal.items.item import Item, Recipe
from opal.telemetry.metrics import timed_step
from opal.telemetry.tracing import span


@dataclass(frozen=True, slots=True, kw_only=True)
class ItemWork:
    """A claimed item and how it is to look. A stage adds what its steps find out."""

    item: Item
    recipe: Recipe
    """The job's, with the look of the revision that is being made."""
    revision: Revision | None = None
    """The one that is being made; None: the photo goes this way for the first time."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """What each step took, by its name."""


_Means = TypeVar("_Means")
_Work = TypeVar("_Work", bound=ItemWork)


async def begin_work(kind: type[_Work], database: Database, item: Item) -> _Work:
    """The work of ``kind`` that a claimed item is; raises LeaseLost once item and job were erased."""
    async with database.read() as connection:
        job = await jobs.get_job(connection, item.job_id)
        revision = None
        if item.pending_revision is not None:
            revision = await revisions.get_revision(connection, item.id, item.pending_revision)
    if job is None or (revision is None and item.pending_revision is not None):
        raise LeaseLost("The item and its job were erased.")
    recipe = job.recipe
    if revision is not None:
        recipe = recipe.with_look(revision.scene, revision.placement)
    return kind(item=item, recipe=recipe, revision=revision)


async def take_steps(
    stage: Stage, steps: Sequence[Callable[[_Means, _Work], Awaitable[_Work]]], means: _Means, work: _Work
) -> _Work:
    """Take ``work`` through ``steps``, one after the other, each with its span and its time."""
    for step in steps:
        started = time.perf_counter()
        with span(step.__name__), timed_step(stage.name.lower(), step.__name__):
            work = await step(means, work)
        seconds = {**work.seconds, step.__name__: round(time.perf_counter() - started, 4)}
        work = replace(work, seconds=seconds)
    return work

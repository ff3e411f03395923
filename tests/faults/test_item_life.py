"""Items through everything that can befall them, in any order, on both databases: see ``item_life.py``."""

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test
from sqlalchemy import update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection
from tests.faults.figures import Figures
from tests.faults.item_life import ItemLife
from tests.faults.item_steps import LEASE_S, MAX_INTERRUPTIONS, Ground

from opal.database import items, tables
from opal.database.engine import Database, utc_now
from opal.database.migrate import migrate
from opal.items.item import Item
from opal.platform_settings import DatabaseSettings
from opal.settings import WorkerSettings, load_settings


@pytest.fixture(params=["sqlite", "postgresql"])
def ground(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Ground]:
    if request.param == "sqlite":
        url = f"sqlite+aiosqlite:///{tmp_path / 'opal.sqlite'}"
    else:
        url = str(request.getfixturevalue("own_postgres"))
    database = Database(url, DatabaseSettings())
    worker = WorkerSettings(lease_s=LEASE_S, max_interruptions=MAX_INTERRUPTIONS)
    with asyncio.Runner() as runner:
        runner.run(migrate(database))
        yield Ground(runner, database, load_settings(data_dir=tmp_path, worker=worker))
        runner.run(database.close())


def lives(ground: Ground, number: int, steps: int, drawn_from: int, *, shrink: bool = True) -> int:
    """Play ``number`` lives of ``steps`` steps each; returns how many steps there were."""
    played = 0

    class Life(ItemLife):
        def play(self, step: Any) -> Any:
            nonlocal played
            played += 1
            return super().play(step)

    Life.ground = ground
    phases = [Phase.generate, Phase.shrink] if shrink else [Phase.generate]
    run_state_machine_as_test(
        seed(drawn_from)(Life),
        settings=settings(
            max_examples=number,
            stateful_step_count=steps,
            deadline=None,
            database=None,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        ),
    )
    return played


@pytest.mark.parametrize(
    ("number", "steps", "drawn_from"),
    [(4, 25, 1), pytest.param(60, 50, 2, marks=pytest.mark.battery)],
)
def test_whatever_befalls_an_item(
    number: int, steps: int, drawn_from: int, ground: Ground, figures: Figures
) -> None:
    played = lives(ground, number, steps, drawn_from)
    name = "sqlite" if ground.database.is_sqlite else "postgresql"
    figures(f"lives of items, {name}, seed {drawn_from}", lives=number, steps=played)
    assert played > number


async def without_fence(_connection: AsyncConnection, item: Item, values: Mapping[str, Any]) -> Item:
    """An UPDATE that names neither the state nor the attempt that its caller saw."""
    now = utc_now()
    await _connection.execute(
        update(tables.items).where(tables.items.c.id == item.id).values(**values, updated_at=now)
    )
    return replace(item, **values, updated_at=now)


async def without_epoch(_connection: AsyncConnection, item: Item) -> Item:
    """A message that is sent again under the id that it had."""
    return item


@pytest.mark.parametrize(
    ("name", "wrong"), [("_guarded_update", without_fence), ("raise_epoch", without_epoch)]
)
@pytest.mark.parametrize("ground", ["sqlite"], indirect=True)
def test_control_a_wrong_design_is_found_out(
    name: str, wrong: object, ground: Ground, figures: Figures, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(items, name, wrong)
    played: int | None = None
    # Found by the machine itself, or by a constraint of the tables.
    try:
        played = lives(ground, 100, 30, 1, shrink=False)
    except (AssertionError, IntegrityError) as error:
        figures(f"control: {name} that guards nothing", found_out=type(error).__name__)
    assert played is None, "it was not found out"

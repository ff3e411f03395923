"""Backdrops in the database, on SQLite and on PostgreSQL alike."""

import asyncio
from datetime import datetime

import pytest
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import Connection

from opal.database import backdrops, items, jobs, keys, ledger
from opal.database.backdrops import Backdrop, PictureFacts, Room
from opal.database.engine import Database
from opal.database.tables import metadata
from opal.errors import BackdropInUse, BackdropNotReady, UnknownBackdrop
from opal.items.item import Recipe
from opal.items.states import ItemState

TENANT, OTHER = "acme", "globex"
ROOM = Room(backdrops=100, bytes=10_000_000_000, largest=60_000_000)
PICTURE = PictureFacts("jpeg", 1234, 3000, 2000, "0" * 64, "etag-1")


@pytest.fixture
async def database(empty_database: Database) -> Database:
    async with empty_database.transaction() as connection:
        for tenant in (TENANT, OTHER):
            await keys.ensure_tenant(connection, tenant, tenant)
            await ledger.grant(connection, tenant, 10)
    return empty_database


async def ready(database: Database, tenant: str = TENANT) -> Backdrop:
    async with database.transaction() as connection:
        made = await backdrops.create_backdrop(connection, tenant, "worktop", ROOM)
        return await backdrops.complete_backdrop(connection, tenant, made.id, PICTURE)


async def job_on(database: Database, backdrop_id: str, scene: object = None) -> str:
    """An item that waits for its photo, of a job whose scene is the backdrop."""
    told = scene or {"kind": "backdrop", "picture": backdrop_id}
    recipe = Recipe(scene=told, placement={}, presets=("square-1x1",), prompt="", seed=0)  # type: ignore[arg-type]
    async with database.transaction() as connection:
        if recipe.backdrop_id is not None:
            await backdrops.ready_backdrop(connection, TENANT, backdrop_id, keep=True)
        new = [jobs.NewItem("a.jpg")]
        _, [item] = await jobs.create_job(connection, TENANT, recipe, new, name="", correlation_id="c")
    return item.id


async def delete(database: Database, backdrop_id: str, tenant: str = TENANT) -> Backdrop:
    async with database.transaction() as connection:
        return await backdrops.delete_backdrop(connection, tenant, backdrop_id)


def differences(connection: Connection) -> list[object]:
    return list(compare_metadata(MigrationContext.configure(connection), metadata))


async def test_the_migrations_add_up_to_the_tables(database: Database) -> None:
    async with database.engine.connect() as connection:
        assert await connection.run_sync(differences) == []


async def test_a_backdrop_is_not_for_use_before_its_picture_is_there(database: Database) -> None:
    async with database.transaction() as connection:
        made = await backdrops.create_backdrop(connection, TENANT, "worktop", ROOM)
        assert made.raw_path == f"acme/backdrops/{made.id}/raw/picture"
        assert made.picture is None
        with pytest.raises(BackdropNotReady):
            await backdrops.ready_backdrop(connection, TENANT, made.id)
        done = await backdrops.complete_backdrop(connection, TENANT, made.id, PICTURE)
        assert done.picture == PICTURE
        assert done.completed_at is not None
        used = await backdrops.ready_backdrop(connection, TENANT, made.id)
        assert (used.raw_path, used.etag, used.width, used.height) == (made.raw_path, "etag-1", 3000, 2000)


async def test_the_first_completion_counts(database: Database) -> None:
    first = await ready(database)
    other = PictureFacts("png", 1, 9, 9, "1" * 64, "etag-2")
    async with database.transaction() as connection:
        assert await backdrops.complete_backdrop(connection, TENANT, first.id, other) == first


async def test_unknown_foreign_and_malformed_ids_are_the_same(database: Database) -> None:
    mine = await ready(database)
    async with database.read() as connection:
        for tenant, backdrop_id in (
            (OTHER, mine.id),
            (TENANT, "backdrop_" + "0" * 24),
            (TENANT, "x\0y"),
            (TENANT, mine.id + "\n"),
        ):
            with pytest.raises(UnknownBackdrop):
                await backdrops.tenant_backdrop(connection, tenant, backdrop_id)
            with pytest.raises(UnknownBackdrop):
                await backdrops.ready_backdrop(connection, tenant, backdrop_id)
    with pytest.raises(UnknownBackdrop):
        await delete(database, mine.id, OTHER)


async def test_pages_hold_every_backdrop_once_newest_first(database: Database) -> None:
    made = [(await ready(database)).id for _ in range(5)]
    await ready(database, OTHER)
    seen: list[str] = []
    before: tuple[datetime, str] | None = None
    async with database.read() as connection:
        while page := await backdrops.list_backdrops(connection, TENANT, 2, before):
            seen += [each.id for each in page]
            before = (page[-1].created_at, page[-1].id)
    assert sorted(seen) == sorted(made)
    assert seen == sorted(made, key=made.index, reverse=True)


async def test_what_a_job_still_needs_cannot_be_deleted(database: Database) -> None:
    used, spare = await ready(database), await ready(database)
    item_id = await job_on(database, used.id)
    # A job whose scene is a mere name, or another backdrop, keeps nothing.
    await job_on(database, spare.id, scene="white")
    await job_on(database, spare.id, scene={"kind": "solid", "colour": "#ffffff"})
    assert (await delete(database, spare.id)).id == spare.id
    with pytest.raises(BackdropInUse):
        await delete(database, used.id)
    async with database.transaction() as connection:
        item = await items.get_item(connection, item_id)
        assert item is not None
        await items.move(connection, item, ItemState.CANCELLED, by="test")
    assert (await delete(database, used.id)).id == used.id
    with pytest.raises(UnknownBackdrop):
        await delete(database, used.id)


async def test_a_job_and_a_deletion_at_once_never_leave_a_job_without_its_backdrop(
    database: Database,
) -> None:
    for _ in range(5):
        backdrop = await ready(database)
        made, deleted = await asyncio.gather(
            job_on(database, backdrop.id), delete(database, backdrop.id), return_exceptions=True
        )
        kept = isinstance(deleted, BackdropInUse) and isinstance(made, str)
        gone = isinstance(made, UnknownBackdrop) and isinstance(deleted, Backdrop)
        assert kept or gone, (made, deleted)

"""What an operator asks of a running Opal: one photo's story, and dead letters looked at and removed."""

import json
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.journeys.opal_process import opal
from tests.services.pipeline_world import World, world_in
from tests.services.stored_items import exported

from opal.database import items
from opal.database.item_story import read_story
from opal.database.items import Stage
from opal.errors import NotFound
from opal.items.item import Item


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path / "data") as world:
        yield world


async def troubled(world: World) -> Item:
    """An item that a worker lost, another failed, and whose message is a dead letter."""
    [item] = await world.queued()
    item = await world.claimed(Stage.PROCESS, item)
    async with world.parts.database.transaction() as connection:
        await items.give_back(
            connection, item, by="sweeper", code="lease_lost", message="The worker fell silent."
        )
    item = await world.claimed(Stage.PROCESS, await world.item(item.id))
    async with world.parts.database.transaction() as connection:
        await items.fail_item(connection, item, code="scoring_failed", message="No scene.\x1b[2J", by="test")
    receiver = world.parts.queues.receiver("jobs")
    [message] = await receiver.receive(1, 20.0)
    await receiver.dead_letter(message, "scoring_failed", "No scene.")
    await receiver.close()
    return item


async def test_the_story_is_read_from_either_database(world: World) -> None:
    item = await troubled(world)
    async with world.parts.database.read() as connection:
        story = await read_story(connection, item.id)
        with pytest.raises(NotFound):
            await read_story(connection, "item_x")
    assert [event.target for event in story.events][-3:] == ["queued", "processing", "failed"]
    assert [entry.kind for entry in story.ledger] == ["hold", "release"]
    assert (story.photos, story.job.id, story.item.error_code) == (1, item.job_id, "scoring_failed")


@pytest.mark.sqlite
async def test_one_photos_whole_story_is_told(world: World, tmp_path: Path) -> None:
    item = await troubled(world)
    [fine] = await exported(world)
    changes = {"OPAL_DATA_DIR": str(tmp_path / "data")}
    shown = opal("items", "show", item.id, cwd=tmp_path, changes=changes)
    assert shown.returncode == 0, shown.stderr
    for told in (
        "failed after",
        "attempt 1 at process",
        "lease_lost: The worker fell silent.",
        "attempt 2 at process",
        "scoring_failed: No scene.\\x1b[2J",
        "dead letter of jobs",
        "1 delivery; scoring_failed: No scene.",
        "release",
        "nobody was told",
    ):
        assert told in shown.stdout, f"{told!r} is not in\n{shown.stdout}"
    assert "\x1b" not in shown.stdout
    data = json.loads(opal("items", "show", fine.id, "--json", cwd=tmp_path, changes=changes).stdout)
    assert data["item"]["state"] == "exported"
    assert [each["target"] for each in data["events"]][-2:] == ["completed", "exported"]
    assert [each["preset"] for each in data["variants"]] == ["cutout-png", "story-9x16"]
    assert [each["kind"] for each in data["ledger"]] == ["hold", "debit"]
    assert (data["messages"], data["outbox"], data["webhooks"]) == ([], [], [])
    unknown = opal("items", "show", "item_x", cwd=tmp_path, changes=changes)
    assert (unknown.returncode, len(unknown.stderr.splitlines())) == (1, 1)
    assert "not_found" in unknown.stderr


@pytest.mark.sqlite
async def test_dead_letters_are_removed_only_when_that_is_confirmed(world: World, tmp_path: Path) -> None:
    item = await troubled(world)
    changes = {"OPAL_DATA_DIR": str(tmp_path / "data")}
    looked = opal("queues", "peek", "jobs", "--dead", cwd=tmp_path, changes=changes)
    assert "description" in looked.stdout
    assert "No scene." in looked.stdout
    asked = opal("queues", "purge", "jobs", cwd=tmp_path, changes=changes)
    assert (asked.returncode, "1 dead letter of jobs" in asked.stderr) == (2, True)
    command = ("queues", "purge", "jobs", "--yes", "--json")
    other = opal(*command, "--reason", "ItemMissing", cwd=tmp_path, changes=changes)
    assert json.loads(other.stdout) == {"queue": "jobs", "purged": 0}
    done = opal(*command, cwd=tmp_path, changes=changes)
    assert json.loads(done.stdout) == {"queue": "jobs", "purged": 1}
    assert (await world.parts.queues.depth("jobs")).dead == 0
    assert (await world.item(item.id)).state == "failed"

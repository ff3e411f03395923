"""A full disk: said by its own code, nothing half-written or lost, and on it goes once there is room."""

import asyncio
import json
import sys
from contextlib import suppress
from pathlib import Path

import numpy as np
import pytest
from tests.services.http_services import WebApi, photo, running_web_api
from tests.services.pipeline_world import GRANTED, PRESETS, World, delivery, world_in
from tests.services.small_disk import files, fill, small_disk
from tests.unit.tiny_onnx import mean_network

from opal.cli import main
from opal.cli.process_journal import Entry
from opal.database import variants
from opal.database.outbox import Outbox
from opal.errors import StorageFull
from opal.export_worker.app import build_stage, build_worker
from opal.images.encode import encode
from opal.items.item import Item
from opal.items.states import ItemState
from opal.messages.export_message import ExportMessage, send_export_message
from opal.settings import WorkerSettings
from opal.worker.health import Heartbeat
from opal.worker.settlement import Done

QUICK = WorkerSettings(retry_base_s=0.2, retry_max_s=0.2, max_failures=1)


async def until(world: World, item: Item, what: str) -> None:
    """Wait for an event of the item that carries this code, or leads to this state."""
    async with asyncio.timeout(30):
        for _ in range(600):
            if any(what in {event.code, str(event.target)} for event in await world.story(item)):
                return
            await asyncio.sleep(0.05)


async def test_an_item_waits_for_room_and_is_exported_then(tmp_path: Path) -> None:
    with small_disk(tmp_path / "blobs", 1024) as disk:
        async with world_in(tmp_path, worker=QUICK) as world:
            item = await world.completed()
            async with world.parts.database.transaction() as connection:
                await send_export_message(Outbox(connection), ExportMessage.of(item))
            await world.parts.relay.publish_pending()
            before = files(disk)
            filler = fill(disk, leave=16_384)
            stop = asyncio.Event()
            working = asyncio.create_task(build_worker(world.parts, Heartbeat()).run(stop))
            try:
                await until(world, item, "storage_full")
                waiting = await world.item(item.id)
                assert waiting.state is ItemState.COMPLETED
                async with world.parts.database.read() as connection:
                    assert await variants.list_variants(connection, item.id) == []
                filler.unlink()
                await until(world, item, "exported")
            finally:
                stop.set()
                await working
            async with world.parts.database.read() as connection:
                rows = await variants.list_variants(connection, item.id)
            assert [row.preset for row in rows] == sorted(PRESETS)
            assert (await world.item(item.id)).failures == 0
            assert (await world.balance()).balance == GRANTED - 1
            # What the attempts stored before there was no room is gone again.
            assert set(files(disk)) - set(before) == {f"exports/{row.path}" for row in rows}
            assert await world.message_ids("exports") == []


@pytest.mark.sqlite
async def test_a_full_disk_under_the_database_changes_nothing(tmp_path: Path) -> None:
    with small_disk(tmp_path / "data", 8192) as disk:
        async with world_in(disk, worker=QUICK) as world:
            item = await world.completed()
            filler = fill(disk, leave=0)
            with pytest.raises(StorageFull):
                await build_stage(world.parts).handle(ExportMessage.of(item), delivery())
            assert await world.item(item.id) == item
            filler.unlink()
            assert await build_stage(world.parts).handle(ExportMessage.of(item), delivery(2)) == Done()
            assert (await world.item(item.id)).state is ItemState.EXPORTED


@pytest.mark.sqlite
async def test_a_database_that_may_not_grow_says_why(tmp_path: Path) -> None:
    """The same without the right to mount a disk."""
    async with world_in(tmp_path) as world:

        async def grow() -> None:
            async with world.parts.database.transaction() as connection:
                await connection.exec_driver_sql("PRAGMA max_page_count = 1")
                await connection.exec_driver_sql("CREATE TABLE more AS SELECT randomblob(100000)")

        with pytest.raises(StorageFull):
            await grow()
        assert (await world.balance()).balance == GRANTED


async def refused(api: WebApi, ticket: dict[str, object], data: bytes) -> None:
    answer = await api.put(ticket, data)
    assert (answer.status_code, answer.json()["code"]) == (503, "storage_full")
    assert answer.headers["Retry-After"]


async def test_an_upload_is_refused_and_can_be_sent_again(tmp_path: Path) -> None:
    noise = np.random.default_rng(0).integers(0, 255, (300, 300, 3), np.uint8)
    data = encode(noise, "png")
    with small_disk(tmp_path / "blobs", 512) as disk:
        async with running_web_api(tmp_path) as api:
            job = await api.job()
            ticket = await api.ticket(job)
            filler = fill(disk, leave=20_000)
            await refused(api, ticket, data)
            assert files(disk) == []
            ready = await api.anonymous.get("/readyz")
            assert ready.status_code == 200
            filler.unlink()
            filler = fill(disk, leave=0)
            ready = await api.anonymous.get("/readyz")
            assert (ready.status_code, files(disk)) == (503, [])
            filler.unlink()
            assert (await api.put(ticket, data)).status_code == 201
            assert (await api.complete(job)).status_code == 200


async def test_a_small_photo_that_fits_no_more_is_not_stored_in_part(tmp_path: Path) -> None:
    """Smaller than what a file keeps in its buffer: what fails is the last write, at the end."""
    with small_disk(tmp_path / "blobs", 256) as disk:
        async with running_web_api(tmp_path) as api:
            ticket = await api.ticket(await api.job())
            fill(disk, leave=0)
            await refused(api, ticket, photo(120, 90))
            assert files(disk) == []


def opal(*arguments: str) -> int:
    """The command line in this process; its exit code."""
    sys.argv[1:] = arguments
    try:
        main.run()
    except SystemExit as ended:
        return int(ended.code or 0)
    return 0


def test_opal_process_stops_says_so_and_goes_on_when_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    codes = np.random.default_rng(0).integers(0, 255, (300, 300, 4), np.uint8)
    codes[..., 3] = 0
    codes[40:-40, 60:-60, 3] = 255
    photos = tmp_path / "photos"
    photos.mkdir()
    for name in ("a.png", "b.png", "c.png"):
        (photos / name).write_bytes(encode(codes, "png"))
    (tmp_path / "tiny.onnx").write_bytes(mean_network(64))
    (tmp_path / "tiny.toml").write_text("side = 64\n")
    monkeypatch.setenv("OPAL_SCORING_ENGINE", str(tmp_path / "tiny.onnx"))
    monkeypatch.setattr(sys, "argv", ["opal"])
    command = ("process", str(photos), "--preset", "instagram-square", "--workers", "1", "--out")
    with small_disk(tmp_path / "disk", 2048) as disk:
        out = disk / "out"
        # The first one tells how much a photo takes, so that the second finds no room.
        assert opal("process", str(photos / "a.png"), *command[2:], str(out)) == 0
        made = (out / "a" / "instagram-square.jpg").read_bytes()
        capsys.readouterr()
        report = (out / "report.json").read_bytes()
        filler = fill(disk, leave=len(made) + 50_000)
        assert opal(*command, str(out)) == 1
        said = capsys.readouterr().err.splitlines()
        [line] = [each for each in said if each.startswith("opal:")]
        assert line.endswith("No space left on device. [storage_full]")
        assert str(out) in line
        assert any("Run it again to go on." in each for each in said)
        assert not [path for path in files(out) if path.endswith(".part")]
        journal = (out / ".opal-process.jsonl").read_bytes().splitlines()
        with suppress(ValueError):  # the last may be torn
            assert [Entry.model_validate_json(each).folder for each in journal]
        json.loads((out / "report.json").read_bytes())
        assert len((out / "report.json").read_bytes()) >= len(report)
        filler.unlink()
        assert opal(*command, str(out)) == 0
        told = json.loads((out / "report.json").read_bytes())["items"]
        assert {item["source"]: item["status"] for item in told} == dict.fromkeys(
            ("a.png", "b.png", "c.png"), "exported"
        )
        assert (out / "b" / "instagram-square.jpg").read_bytes() == made
        assert "3 of 3 photos" in " ".join(capsys.readouterr().out.split())
        assert not (out / ".opal-process.jsonl").exists()

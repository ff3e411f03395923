"""Backup and restore of the embedded mode: all of it or nothing, also from a folder that is in use."""

import asyncio
import io
import json
import sqlite3
import tarfile
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path

import pytest
from sqlalchemy import delete
from tests.journeys.opal_process import opal
from tests.services.pipeline_world import World, world_in
from tests.services.stored_items import blob_paths, exported

from opal.assembly import build_parts
from opal.backup.errors import BackupDamaged, BackupTooNew, DataFolderNotEmpty, NothingToBackUp
from opal.backup.read import restore_backup
from opal.backup.write import write_backup
from opal.database import invariants, tables
from opal.database.migrate import newest_revision
from opal.database.recorded_blobs import BlobScope
from opal.items.item import Item
from opal.settings import load_settings
from opal.upkeep.blob_check import Thoroughness, check_blobs

pytestmark = pytest.mark.sqlite

NEWEST = newest_revision()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path / "data") as world:
        yield world


async def broken(data_dir: Path) -> set[str]:
    """The invariants that a data folder breaks, every blob read."""
    parts = build_parts(load_settings(data_dir=data_dir))
    try:
        async with parts.database.read() as connection:
            verdicts = await invariants.examine(connection)
        looked = await check_blobs(parts.database, parts.blobs, BlobScope(), Thoroughness.HASH)
        return {each.name for each in [*verdicts, looked.verdict] if each.count}
    finally:
        await parts.close()


def left_in(folder: Path) -> list[str]:
    return sorted(each.name for each in folder.iterdir())


def restored(tmp_path: Path, file: Path, name: str = "again") -> Path:
    return restore_backup(file, tmp_path / name, NEWEST).folder


async def test_what_is_restored_is_what_was_there(world: World, tmp_path: Path) -> None:
    [item] = await exported(world)
    [waiting] = await world.queued()
    made = write_backup(tmp_path / "data", tmp_path / "b.tar")
    assert (made.schema, made.missing) == (NEWEST, ())
    assert (tmp_path / "b.tar").stat().st_mode & 0o077 == 0
    folder = restored(tmp_path, tmp_path / "b.tar")
    assert await broken(folder) == set()
    again = build_parts(load_settings(data_dir=folder))
    for container, path in await blob_paths(world, item):
        # Time and type as well: the ETag of the photo is part of what its item was accepted with.
        assert await again.blobs.info(container, path) == await world.parts.blobs.info(container, path)
        assert await again.blobs.read(container, path) == await world.parts.blobs.read(container, path)
    assert [each.message_id for each in await again.queues.peek("jobs")] == [f"{waiting.id}:0"]
    await again.close()
    assert (folder / "url-signing.key").read_bytes() == (tmp_path / "data/url-signing.key").read_bytes()
    assert left_in(tmp_path) == ["again", "b.tar", "data"]


async def test_a_folder_in_use_is_backed_up_at_one_moment(world: World, tmp_path: Path) -> None:
    await exported(world, 2)
    writing = asyncio.create_task(keep_working(world))
    try:
        for number in range(3):
            made = await asyncio.to_thread(write_backup, tmp_path / "data", tmp_path / f"{number}.tar")
            assert made.missing == ()
    finally:
        writing.cancel()
    await asyncio.gather(writing, return_exceptions=True)
    for number in range(3):
        assert await broken(restored(tmp_path, tmp_path / f"{number}.tar", f"again-{number}")) == set()


async def keep_working(world: World) -> None:
    """Export one after another, and forget those of before with their blobs, rows first."""
    while True:
        [item] = await exported(world)
        paths = await blob_paths(world, item)
        async with world.parts.database.transaction() as connection:
            await connection.execute(delete(tables.variants).where(tables.variants.c.item_id == item.id))
            await connection.execute(
                delete(tables.item_events).where(tables.item_events.c.item_id == item.id)
            )
            await connection.execute(delete(tables.ledger).where(tables.ledger.c.item_id == item.id))
            await connection.execute(tables.accounts.update().values(balance=tables.accounts.c.balance + 1))
            await connection.execute(delete(tables.items).where(tables.items.c.id == item.id))
        for container, path in paths:
            await world.parts.blobs.delete(container, path)


async def test_a_blob_that_is_gone_is_told_and_the_rest_backed_up(world: World, tmp_path: Path) -> None:
    [item] = await exported(world)
    container, path = (await blob_paths(world, item))[-1]
    await world.parts.blobs.delete(container, path)
    made = write_backup(tmp_path / "data", tmp_path / "b.tar")
    assert made.missing == (f"{container}/{path}",)
    assert await broken(restored(tmp_path, tmp_path / "b.tar")) == {"blobs_as_recorded"}


async def test_keys_can_be_left_out(world: World, tmp_path: Path) -> None:
    del world
    write_backup(tmp_path / "data", tmp_path / "b.tar", keys=False)
    folder = restored(tmp_path, tmp_path / "b.tar")
    assert sorted(each.name for each in folder.iterdir()) == ["opal.sqlite"]


async def test_nothing_is_written_over(world: World, tmp_path: Path) -> None:
    del world
    file = tmp_path / "b.tar"
    write_backup(tmp_path / "data", file)
    before = file.read_bytes()
    with pytest.raises(FileExistsError):
        write_backup(tmp_path / "data", file)
    assert file.read_bytes() == before
    with pytest.raises(DataFolderNotEmpty):
        restore_backup(file, tmp_path / "data", NEWEST)
    with pytest.raises(NothingToBackUp):
        write_backup(tmp_path / "nowhere", tmp_path / "c.tar")
    (tmp_path / "empty").mkdir()
    assert restore_backup(file, tmp_path / "empty", NEWEST).schema == NEWEST
    with pytest.raises(BackupTooNew):
        restore_backup(file, tmp_path / "older", "0001")
    assert not (tmp_path / "older").exists()


def members(data: bytes) -> Iterator[tuple[tarfile.TarInfo, bytes]]:
    with tarfile.open(fileobj=io.BytesIO(data)) as archive:
        for info in archive:
            content = archive.extractfile(info)
            yield info, b"" if content is None else content.read()


def packed(files: list[tuple[tarfile.TarInfo, bytes]]) -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, content in files:
            info.size = len(content)
            archive.addfile(info, io.BytesIO(content))
    return made.getvalue()


def flipped(data: bytes) -> bytes:
    return flipped_at(data, data.index(b"SQLite format 3") + 5000)


def flipped_at(data: bytes, place: int) -> bytes:
    return data[:place] + bytes([data[place] ^ 1]) + data[place + 1 :]


_TIME = b'"mtime_ns": '
"""Before a number of nineteen digits in the manifest."""


def time_place(data: bytes) -> int:
    return data.rindex(_TIME) + len(_TIME)


def with_time(number: str) -> Callable[[bytes], bytes]:
    """A whole backup of the format of before, which no sum vouches for, with another time in it."""

    def damage(data: bytes) -> bytes:
        place = time_place(data)
        return unsummed(data[:place] + number.ljust(19).encode() + data[place + 19 :])

    return damage


def unsummed(data: bytes) -> bytes:
    """The backup as an earlier version wrote it."""
    files = []
    for info, text in members(data):
        written = text
        if info.name == "opal-backup.json":
            written = json.dumps({**json.loads(text), "format": 1}).encode()
        elif info.name == "manifest.jsonl":
            lines = text.splitlines(keepends=True)
            written = b"".join([*lines[:-2], lines[-1]])
        files.append((info, written))
    return packed(files)


def without(name: str) -> Callable[[bytes], bytes]:
    return lambda data: packed([each for each in members(data) if each[0].name != name])


def with_another(name: str, kind: bytes = tarfile.REGTYPE) -> Callable[[bytes], bytes]:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, "/etc/passwd"
    return lambda data: packed([next(members(data)), (info, b""), *list(members(data))[1:]])


def other_head(data: bytes) -> bytes:
    head, *rest = members(data)
    return packed([(head[0], json.dumps({"format": 99}).encode()), *rest])


def damaged_within(data: bytes) -> bytes:
    """A whole archive whose database is not the one of the manifest."""
    return packed([(info, b"{}" if info.name == "opal.sqlite" else text) for info, text in members(data)])


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "a flipped bit": flipped,
    "a flipped bit in a time": lambda data: flipped_at(data, time_place(data) + 6),
    "a flipped bit in the head": lambda data: flipped_at(data, data.index(b"made_at") + 13),
    "a flipped bit after the end": lambda data: flipped_at(data, len(data) - 1),
    "a time that is none": with_time("true"),
    "a time before all times": with_time("-5"),
    "a time after all times": with_time("9" * 19),
    "a byte less": lambda data: data[:-1],
    "no end": lambda data: data[: len(data.rstrip(b"\0"))],
    "a byte more": lambda data: data + b"\0",
    "nothing": lambda _data: b"",
    "text": lambda _data: b"not a backup" * 1000,
    "half of it": lambda data: data[: len(data) // 2],
    "its first block": lambda data: data[:512],
    "all but the last kilobytes": lambda data: data[: data.rindex(b'{"members"')],
    "no manifest": without("manifest.jsonl"),
    "no database": without("opal.sqlite"),
    "no head": without("opal-backup.json"),
    "another format": other_head,
    "another database": damaged_within,
    "a path that climbs": with_another("blobs/raw/../../../evil"),
    "an absolute path": with_another("/tmp/evil"),
    "a file that no backup has": with_another("evil"),
    "a symbolic link": with_another("blobs/raw/link", tarfile.SYMTYPE),
    "a hard link": with_another("blobs/raw/link", tarfile.LNKTYPE),
    "a device": with_another("blobs/raw/device", tarfile.CHRTYPE),
    "a file twice": lambda data: packed([*members(data), *list(members(data))[1:2]]),
}


async def test_a_damaged_backup_restores_nothing(world: World, tmp_path: Path) -> None:
    await exported(world)
    file = tmp_path / "b.tar"
    write_backup(tmp_path / "data", file)
    sound = file.read_bytes()
    place = tmp_path / "place"
    place.mkdir()
    for name, damage in DAMAGES.items():
        file.write_bytes(damage(sound))
        with pytest.raises((BackupDamaged, BackupTooNew)):
            restore_backup(file, place / name.replace(" ", "-"), NEWEST)
        assert left_in(place) == [], name
    file.write_bytes(sound)
    restore_backup(file, place / "again", NEWEST)


async def test_an_older_schema_is_backed_up_and_restored_as_it_is(tmp_path: Path, world: World) -> None:
    del world
    database = tmp_path / "data" / "opal.sqlite"
    with sqlite3.connect(database) as connection:
        connection.execute("ALTER TABLE items DROP COLUMN raw_expired_at")
        connection.execute("UPDATE alembic_version SET version_num = '0009'")
    made = write_backup(tmp_path / "data", tmp_path / "b.tar")
    assert made.schema == "0009"
    assert restore_backup(tmp_path / "b.tar", tmp_path / "again", NEWEST).schema == "0009"


async def test_a_backup_of_before_manifests_had_a_sum_is_restored_with_a_word(
    world: World, tmp_path: Path
) -> None:
    await exported(world)
    file = tmp_path / "b.tar"
    write_backup(tmp_path / "data", file)
    file.write_bytes(unsummed(file.read_bytes()))
    changes = {"OPAL_DATA_DIR": str(tmp_path / "again")}
    done = opal("restore", "b.tar", cwd=tmp_path, changes=changes)
    assert (done.returncode, "an older backup" in done.stderr) == (0, True), done.stderr
    assert await broken(tmp_path / "again") == set()


async def test_by_command_and_the_doctor_finds_nothing_wrong(world: World, tmp_path: Path) -> None:
    item: Item
    [item] = await exported(world)
    changes = {"OPAL_DATA_DIR": str(tmp_path / "data")}
    done = opal("backup", "b.tar", "--json", cwd=tmp_path, changes=changes)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["missing"] == []
    changes = {"OPAL_DATA_DIR": str(tmp_path / "again")}
    assert opal("restore", "b.tar", cwd=tmp_path, changes=changes).returncode == 0
    asked = ("doctor", "--invariants", "--blobs", "hash", "--json")
    sound = opal(*asked, cwd=tmp_path, changes=changes)
    assert sound.returncode == 0, sound.stdout
    assert json.loads(sound.stdout)[-1]["blobs"] == 5
    next((tmp_path / "again/blobs/exports").rglob("*.png")).write_bytes(b"x")
    ill = opal(*asked[:-1], cwd=tmp_path, changes=changes)
    assert ill.returncode == 1
    assert "✗ blobs_as_recorded" in ill.stdout
    assert item.id in ill.stdout
    twice = opal("restore", "b.tar", cwd=tmp_path, changes=changes)
    assert (twice.returncode, "data_folder_not_empty" in twice.stderr) == (1, True)

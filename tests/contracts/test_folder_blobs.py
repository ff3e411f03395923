"""What only the folder store has: files that are whole or absent, streamed uploads, its own signatures."""

import asyncio
import os
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from opal.blobs.folder import FolderBlobs
from opal.blobs.interface import Permission
from opal.blobs.names import attachment
from opal.blobs.signing import UrlSigner
from opal.errors import (
    BlobExists,
    BlobNotFound,
    BlobStoreUnavailable,
    InvalidBlobPath,
    InvalidSettings,
    PhotoTooLarge,
    SignatureInvalid,
)

PATH = "acme/jobs/job_1/items/item_1/raw/photo"
NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
LATER = NOW + timedelta(minutes=15)
IN_TIME = datetime(9999, 1, 1, tzinfo=UTC)


@pytest.fixture
def signer() -> UrlSigner:
    return UrlSigner(bytes(range(32)))


@pytest.fixture
def blobs(tmp_path: Path, signer: UrlSigner) -> FolderBlobs:
    return FolderBlobs(tmp_path, signer, "http://127.0.0.1:8080/")


def _files(folder: Path) -> list[Path]:
    return [path for path in folder.rglob("*") if path.is_file()]


async def _chunks(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        yield chunk


async def test_an_upload_is_streamed_to_disk(blobs: FolderBlobs, tmp_path: Path) -> None:
    pieces = [bytes([n]) * 65_536 for n in range(50)]
    info = await blobs.put_stream("raw", PATH, _chunks(*pieces), 65_536 * 50, "image/png", until=IN_TIME)
    assert (info.size, info.content_type) == (65_536 * 50, "image/png")
    assert await blobs.read("raw", PATH) == b"".join(pieces)
    assert await blobs.info("raw", PATH) == info
    assert not _files(tmp_path / ".incoming")


async def test_an_upload_past_its_time_leaves_nothing(blobs: FolderBlobs, tmp_path: Path) -> None:
    async def slow() -> AsyncIterator[bytes]:
        yield b"first"
        await asyncio.Event().wait()

    async def late() -> AsyncIterator[bytes]:
        yield b"all of it"
        # Without a pause that a time limit could end: the clock is asked again before it is published.
        time.sleep(2)  # noqa: ASYNC251

    for chunks in (slow(), late()):
        with pytest.raises(SignatureInvalid, match="before all of the photo was there"):
            await blobs.put_stream("raw", PATH, chunks, 100, "image/png", until=datetime.now(UTC))
        assert not _files(tmp_path)


async def test_an_upload_past_its_limit_leaves_nothing(blobs: FolderBlobs, tmp_path: Path) -> None:
    with pytest.raises(PhotoTooLarge):
        await blobs.put_stream("raw", PATH, _chunks(b"x" * 100, b"x"), 100, "image/png", until=IN_TIME)
    assert not _files(tmp_path)
    await blobs.put_stream("raw", PATH, _chunks(b"x" * 100), 100, "image/png", until=IN_TIME)


async def test_a_second_upload_is_refused_before_its_body_is_read(blobs: FolderBlobs) -> None:
    await blobs.put_stream("raw", PATH, _chunks(b"first"), 100, "image/png", until=IN_TIME)
    unread = _chunks(b"second")
    with pytest.raises(BlobExists):
        await blobs.put_stream("raw", PATH, unread, 100, "image/png", until=IN_TIME)
    assert await anext(unread) == b"second"
    assert await blobs.read("raw", PATH) == b"first"


async def test_of_two_uploads_at_once_one_wins(blobs: FolderBlobs, tmp_path: Path) -> None:
    both_read = asyncio.Barrier(2)

    async def slow(body: bytes) -> AsyncIterator[bytes]:
        await both_read.wait()
        yield body

    results = await asyncio.gather(
        *(
            blobs.put_stream("raw", PATH, slow(body), 100, "image/png", until=IN_TIME)
            for body in (b"a", b"b")
        ),
        return_exceptions=True,
    )
    assert sum(isinstance(result, BlobExists) for result in results) == 1
    assert await blobs.read("raw", PATH) in (b"a", b"b")
    assert not _files(tmp_path / ".incoming")


async def test_an_upload_whose_client_hangs_up_leaves_nothing(blobs: FolderBlobs, tmp_path: Path) -> None:
    started = asyncio.Event()

    async def stalls() -> AsyncIterator[bytes]:
        yield b"x" * (3 << 20)
        started.set()
        await asyncio.Event().wait()

    upload = asyncio.create_task(blobs.put_stream("raw", PATH, stalls(), 1 << 30, "image/png", until=IN_TIME))
    await started.wait()
    assert _files(tmp_path)
    upload.cancel()
    with pytest.raises(asyncio.CancelledError):
        await upload
    assert not _files(tmp_path)


async def test_a_reader_sees_one_version_while_it_is_replaced(blobs: FolderBlobs) -> None:
    await blobs.write("exports", PATH, b"a" * 100, content_type="image/png")
    stream = blobs.stream("exports", PATH, chunk_size=10)
    first = await anext(stream)
    await blobs.write("exports", PATH, b"b" * 100, content_type="image/png", overwrite=True)
    assert first + b"".join([piece async for piece in stream]) == b"a" * 100


async def test_old_leftovers_are_swept_at_start_and_young_ones_are_not(
    blobs: FolderBlobs, tmp_path: Path, signer: UrlSigner
) -> None:
    await blobs.check()
    old, young = tmp_path / ".incoming" / "old", tmp_path / ".incoming" / "young"
    for path in (old, young):
        path.write_bytes(b"half")
    day_and_more = time.time() - 90_000
    os.utime(old, (day_and_more, day_and_more))
    FolderBlobs(tmp_path, signer, "http://127.0.0.1:8080")
    assert not old.exists()
    assert young.exists()


async def test_replaced_and_deleted_blobs_leave_no_content_type_behind(
    blobs: FolderBlobs, tmp_path: Path
) -> None:
    for content_type in ("image/x-one", "image/x-two"):
        await blobs.write("raw", PATH, b"1", content_type=content_type, overwrite=True)
    assert len(_files(tmp_path)) == 2
    await blobs.delete("raw", PATH)
    assert not _files(tmp_path)


async def test_symbolic_links_lead_nowhere(blobs: FolderBlobs, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret").write_bytes(b"secret")
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "folder").symlink_to(outside)
    (tmp_path / "raw" / "file").symlink_to(outside / "secret")
    with pytest.raises(InvalidBlobPath):
        await blobs.read("raw", "folder/secret")
    with pytest.raises(InvalidBlobPath):
        await blobs.write("raw", "folder/new", b"1", content_type="image/png")
    with pytest.raises(BlobNotFound):
        await blobs.read("raw", "file")
    assert sorted(path.name for path in outside.iterdir()) == ["secret"]


async def test_a_folder_that_fails_is_unavailable(tmp_path: Path, signer: UrlSigner) -> None:
    in_the_way = tmp_path / "file"
    in_the_way.write_bytes(b"")
    broken = FolderBlobs(in_the_way, signer, "http://127.0.0.1:8080")
    with pytest.raises(BlobStoreUnavailable):
        await broken.check()
    with pytest.raises(BlobStoreUnavailable):
        await broken.write("raw", PATH, b"1", content_type="image/png")
    with pytest.raises(BlobStoreUnavailable):
        await broken.put_stream("raw", PATH, _chunks(b"1"), 100, "image/png", until=IN_TIME)


def _query(url: str) -> dict[str, str]:
    return dict(parse_qsl(urlsplit(url).query))


async def test_a_signed_url_is_accepted_for_what_it_was_made_for(
    blobs: FolderBlobs, signer: UrlSigner
) -> None:
    signed = await blobs.signed_url("exports", PATH, Permission.READ, download_name="größe 1.jpg")
    assert signed.url.startswith(f"http://127.0.0.1:8080/blobs/exports/{PATH}?sp=r&se=")
    grant = signer.verify("exports", PATH, _query(signed.url), Permission.READ, datetime.now(UTC))
    assert grant.expires_at == signed.expires_at
    assert grant.content_disposition == (
        "attachment; filename=\"gr__e 1.jpg\"; filename*=UTF-8''gr%C3%B6%C3%9Fe%201.jpg"
    )


def test_a_url_can_do_one_thing_to_one_blob(signer: UrlSigner) -> None:
    create = dict(parse_qsl(signer.sign("raw", PATH, Permission.CREATE, LATER)))
    read = dict(parse_qsl(signer.sign("raw", PATH, Permission.READ, LATER)))
    signer.verify("raw", PATH, create, Permission.CREATE, NOW)
    signer.verify("raw", PATH, read, Permission.READ, NOW)
    refused = [
        ("raw", PATH, create, Permission.READ),
        ("raw", PATH, read, Permission.CREATE),
        ("raw", PATH, {**create, "sp": "r"}, Permission.READ),
        ("raw", PATH, {**create, "sp": "r"}, Permission.CREATE),
        ("raw", PATH + "2", create, Permission.CREATE),
        ("outputs", PATH, create, Permission.CREATE),
        ("raw", "a", dict(parse_qsl(signer.sign("raw", "b", Permission.READ, LATER))), Permission.READ),
    ]
    for container, path, query, permission in refused:
        with pytest.raises(SignatureInvalid):
            signer.verify(container, path, query, permission, NOW)


def test_a_url_ends_at_its_time(signer: UrlSigner) -> None:
    query = dict(parse_qsl(signer.sign("raw", PATH, Permission.READ, LATER)))
    signer.verify("raw", PATH, query, Permission.READ, LATER - timedelta(microseconds=1))
    with pytest.raises(SignatureInvalid, match="expired"):
        signer.verify("raw", PATH, query, Permission.READ, LATER)


@pytest.mark.parametrize("name", ["sp", "se", "rscd", "sig"])
@pytest.mark.parametrize("value", [None, "", "1", "99999999999", "ä", "\udcff"])
def test_a_changed_url_is_refused(signer: UrlSigner, name: str, value: str | None) -> None:
    query = dict(parse_qsl(signer.sign("raw", PATH, Permission.READ, LATER, attachment("a.jpg"))))
    if value is None:
        del query[name]
    else:
        query[name] = value
    with pytest.raises(SignatureInvalid):
        signer.verify("raw", PATH, query, Permission.READ, NOW)


def test_another_key_makes_another_signature(signer: UrlSigner) -> None:
    query = dict(parse_qsl(UrlSigner(bytes(32)).sign("raw", PATH, Permission.READ, LATER)))
    with pytest.raises(SignatureInvalid):
        signer.verify("raw", PATH, query, Permission.READ, NOW)


@pytest.mark.parametrize(
    ("name", "plain"),
    [
        ('a"b\\c.jpg', "a_b_c.jpg"),
        ("../../etc/passwd", ".._.._etc_passwd"),
        ("line\r\nSet-Cookie: x", "lineSet-Cookie: x"),
        ("", "download"),
        ("x" * 400, "x" * 150),
    ],
)
def test_a_download_name_cannot_break_its_header(name: str, plain: str) -> None:
    header = attachment(name)
    assert header.startswith(f'attachment; filename="{plain}"; filename*=')
    assert header.isascii()
    assert header.isprintable()


def test_a_key_is_made_once_by_however_many_processes_and_is_private(tmp_path: Path) -> None:
    path = tmp_path / "keys" / "signing.key"
    script = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from opal.blobs.signing import UrlSigner; from opal.blobs.interface import Permission\n"
        "signer = UrlSigner.from_file(Path(sys.argv[1]))\n"
        "print(signer.sign('raw', 'a', Permission.READ, datetime(2026, 1, 1, tzinfo=UTC)))"
    )
    processes = [
        subprocess.Popen([sys.executable, "-c", script, str(path)], stdout=subprocess.PIPE) for _ in range(3)
    ]
    assert len({process.communicate(timeout=60)[0] for process in processes}) == 1
    assert [process.returncode for process in processes] == [0, 0, 0]
    assert path.stat().st_mode & 0o777 == 0o600
    assert path.stat().st_size == 32
    assert [file.name for file in path.parent.iterdir()] == ["signing.key"]


def test_a_damaged_key_is_named(tmp_path: Path) -> None:
    path = tmp_path / "signing.key"
    path.write_bytes(b"short")
    with pytest.raises(InvalidSettings, match=r"signing\.key"):
        UrlSigner.from_file(path)

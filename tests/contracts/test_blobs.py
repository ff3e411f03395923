"""What every blob store must do. A new one joins by a row in ``IMPLEMENTATIONS``."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from tests.azurite.account import azure_blobs

from opal.blobs.folder import FolderBlobs
from opal.blobs.interface import Blobs, Permission
from opal.blobs.signing import UrlSigner
from opal.errors import BlobExists, BlobNotFound, InvalidBlobPath, PhotoChanged, StoredPictureUnusable
from opal.worker.pinned_photo import require_version

pytestmark = pytest.mark.xdist_group("azurite")

PATH = "acme/jobs/job_1/items/item_1/raw/photo.jpg"


@asynccontextmanager
async def _folder(folder: Path) -> AsyncIterator[Blobs]:
    signer = UrlSigner.from_file(folder / "signing.key")
    blobs = FolderBlobs(folder / "blobs", signer, "http://127.0.0.1:8080")
    yield blobs
    await blobs.close()


IMPLEMENTATIONS = ("folder", "azure", "azure-key")
"""Azure's twice: signing as an identity, and with the account's key."""


@pytest.fixture(params=IMPLEMENTATIONS)
async def blobs(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Blobs]:
    if request.param == "folder":
        opened = _folder(tmp_path)
    else:
        opened = azure_blobs(request.getfixturevalue("azurite_server"), keyed=request.param == "azure-key")
    async with opened as blobs:
        yield blobs


async def test_what_was_written_can_be_read(blobs: Blobs) -> None:
    data = bytes(range(256)) * 20
    written = await blobs.write("raw", PATH, data, content_type="image/jpeg")
    assert await blobs.read("raw", PATH) == data
    info = await blobs.info("raw", PATH)
    assert info == written
    assert (info.size, info.content_type) == (len(data), "image/jpeg")
    assert abs(info.modified_at - datetime.now(UTC)) < timedelta(seconds=60)


async def test_the_content_type_is_kept_whatever_the_name_says(blobs: Blobs) -> None:
    for content_type in ("image/jpeg", "image/png", "application/octet-stream"):
        await blobs.write("raw", PATH, b"1", content_type=content_type, overwrite=True)
        assert (await blobs.info("raw", PATH)).content_type == content_type


async def test_an_empty_blob_is_a_blob(blobs: Blobs) -> None:
    await blobs.write("raw", PATH, b"", content_type="image/jpeg")
    assert await blobs.read("raw", PATH) == b""
    assert [piece async for piece in blobs.stream("raw", PATH)] == []


async def test_a_part_can_be_read(blobs: Blobs) -> None:
    await blobs.write("raw", PATH, b"0123456789", content_type="image/jpeg")
    assert await blobs.read("raw", PATH, length=4) == b"0123"
    assert await blobs.read("raw", PATH, start=7) == b"789"
    assert await blobs.read("raw", PATH, start=3, length=2) == b"34"
    assert await blobs.read("raw", PATH, start=8, length=100) == b"89"
    assert await blobs.read("raw", PATH, start=10, length=5) == b""


async def test_a_listing_has_what_lies_in_a_folder(blobs: Blobs) -> None:
    names = ["a1/jobs/j/one.jpg", "a1/jobs/j/two.jpg", "a1/jobs/j2/three.jpg", "a12/jobs/j/four.jpg"]
    for name in names:
        await blobs.write("outputs", name, b"12345", content_type="text/plain")
    listed = {blob.path: blob async for blob in blobs.walk("outputs")}
    assert set(names) <= set(listed)
    blob = listed[names[0]]
    assert blob.size == 5
    assert abs(blob.modified_at - datetime.now(UTC)) < timedelta(seconds=60)
    assert [blob.path async for blob in blobs.walk("outputs", "a1/")] == names[:3]
    assert [blob.path async for blob in blobs.walk("outputs", "a1/jobs/j/")] == names[:2]
    await blobs.delete("outputs", names[0])
    assert [blob.path async for blob in blobs.walk("outputs", "a1/jobs/j/")] == names[1:2]
    assert [blob async for blob in blobs.walk("raw", "nobody/")] == []
    with pytest.raises(InvalidBlobPath):
        [blob async for blob in blobs.walk("outputs", "../")]


async def test_a_stream_comes_in_pieces(blobs: Blobs) -> None:
    data = bytes(range(250)) * 1000
    await blobs.write("outputs", PATH, data, content_type="image/png")
    pieces = [piece async for piece in blobs.stream("outputs", PATH, chunk_size=65536)]
    assert b"".join(pieces) == data
    assert max(map(len, pieces)) <= 65536
    assert len(pieces) == 4


async def test_a_blob_is_not_overwritten_unless_asked(blobs: Blobs) -> None:
    first = await blobs.write("raw", PATH, b"first", content_type="image/jpeg")
    with pytest.raises(BlobExists):
        await blobs.write("raw", PATH, b"other", content_type="image/png")
    assert await blobs.info("raw", PATH) == first
    second = await blobs.write("raw", PATH, b"later", content_type="image/webp", overwrite=True)
    assert second.etag != first.etag
    assert await blobs.info("raw", PATH) == second
    assert second.content_type == "image/webp"
    assert await blobs.read("raw", PATH) == b"later"


async def test_of_many_creators_at_once_one_wins(blobs: Blobs) -> None:
    results = await asyncio.gather(
        *(blobs.write("raw", PATH, b"%d" % n, content_type=f"image/x-{n}") for n in range(8)),
        return_exceptions=True,
    )
    (winner,) = (n for n, result in enumerate(results) if not isinstance(result, BaseException))
    assert sum(isinstance(result, BlobExists) for result in results) == 7
    assert await blobs.read("raw", PATH) == b"%d" % winner
    assert (await blobs.info("raw", PATH)).content_type == f"image/x-{winner}"


async def test_every_version_has_its_own_etag_and_reading_can_ask_for_one(blobs: Blobs) -> None:
    etags = set()
    for version in range(20):
        info = await blobs.write(
            "exports", PATH, b"%02d" % version, content_type="image/jpeg", overwrite=True
        )
        etags.add(info.etag)
    assert len(etags) == 20
    assert await blobs.read("exports", PATH, etag=info.etag) == b"19"
    with pytest.raises(BlobNotFound):
        await blobs.read("exports", PATH, etag=(etags - {info.etag}).pop())


async def test_what_is_not_there_is_not_found(blobs: Blobs) -> None:
    await blobs.write("raw", PATH, b"1", content_type="image/jpeg")
    for container, path in (
        ("outputs", PATH),
        ("raw", "acme/nothing.jpg"),
        ("raw", "acme/jobs"),
        ("raw", PATH + "/below"),
    ):
        with pytest.raises(BlobNotFound):
            await blobs.info(container, path)
        with pytest.raises(BlobNotFound):
            await blobs.read(container, path)
        with pytest.raises(BlobNotFound):
            await anext(aiter(blobs.stream(container, path)))


async def test_a_deleted_blob_is_gone_and_its_path_free(blobs: Blobs) -> None:
    await blobs.write("raw", PATH, b"1", content_type="image/x-odd")
    await blobs.delete("raw", PATH)
    with pytest.raises(BlobNotFound):
        await blobs.info("raw", PATH)
    await blobs.delete("raw", PATH)
    await blobs.write("raw", PATH, b"2", content_type="image/jpeg")
    assert (await blobs.info("raw", PATH)).content_type == "image/jpeg"


ODD_PATHS = [
    "",
    "/",
    "/etc/passwd",
    "../up.jpg",
    "a/../../up.jpg",
    "a/./b.jpg",
    "a//b.jpg",
    "a/b.jpg/",
    ".hidden",
    "a/.hidden",
    "a\\b.jpg",
    "a/b\0.jpg",
    "a/b\n.jpg",
    "a/b.jpg?x=1",
    "a/%2e%2e/b.jpg",
    "a/ü.jpg",
    "a/" + "b" * 300,
    "a/" * 600 + "b",
]


async def test_odd_paths_are_refused(blobs: Blobs) -> None:
    for path in ODD_PATHS:
        with pytest.raises(InvalidBlobPath):
            await blobs.write("raw", path, b"1", content_type="image/jpeg")
        with pytest.raises(InvalidBlobPath):
            await blobs.read("raw", path)
        with pytest.raises(InvalidBlobPath):
            await blobs.signed_url("raw", path, Permission.READ)


async def test_there_are_three_containers(blobs: Blobs) -> None:
    for container in ("", ".incoming", "secrets", "../raw", "raw/acme"):
        with pytest.raises(InvalidBlobPath):
            await blobs.write(container, PATH, b"1", content_type="image/jpeg")


async def test_signed_urls_say_how_to_use_them(blobs: Blobs) -> None:
    upload = await blobs.signed_url("raw", PATH, Permission.CREATE, timedelta(minutes=5))
    download = await blobs.signed_url("exports", PATH, Permission.READ)
    assert (upload.method, upload.headers) == ("PUT", {"x-ms-blob-type": "BlockBlob"})
    assert (download.method, download.headers) == ("GET", {})
    assert f"/raw/{PATH}?" in upload.url
    assert timedelta(minutes=4) < upload.expires_at - datetime.now(UTC) <= timedelta(minutes=5)
    assert timedelta(minutes=14) < download.expires_at - datetime.now(UTC) <= timedelta(minutes=15)


async def test_no_signed_url_lives_longer_than_a_quarter_of_an_hour(blobs: Blobs) -> None:
    for permission in Permission:
        with pytest.raises(ValueError, match="lives 0:15:00 at most"):
            await blobs.signed_url("raw", PATH, permission, timedelta(minutes=15, seconds=1))


async def test_a_photo_that_was_replaced_or_is_gone_is_noticed(blobs: Blobs) -> None:
    uploaded = await blobs.write("raw", PATH, b"photo", content_type="image/jpeg")
    await require_version(blobs, PATH, uploaded.etag)
    # The same bytes even: it is the version that counts.
    await blobs.write("raw", PATH, b"photo", content_type="image/jpeg", overwrite=True)
    with pytest.raises(PhotoChanged):
        await require_version(blobs, PATH, uploaded.etag)
    await require_version(blobs, PATH, None)
    await blobs.delete("raw", PATH)
    with pytest.raises(StoredPictureUnusable, match="missing"):
        await require_version(blobs, PATH, uploaded.etag)


async def test_check_returns_when_all_is_well(blobs: Blobs) -> None:
    await blobs.check()

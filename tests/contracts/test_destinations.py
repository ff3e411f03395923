"""One contract for every kind of destination: a folder, an Azure container by either key, an S3 bucket."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from tests.services.delivery_places import (
    BUCKET,
    KINDS,
    TENANT,
    Given,
    given_place,
    s3_object,
    s3_server,
)
from tests.services.webhook_receiver import answer, listening

from opal.destinations.interface import Content, Destination, content_of
from opal.destinations.opening import Destinations
from opal.destinations.places import place_of
from opal.errors import StoredPictureUnusable
from opal.outgoing.client import Outgoing
from opal.outgoing_settings import DeliverySettings, OutgoingSettings

PIECE = bytes(range(256)) * 4096
LARGE = 9 * len(PIECE)
"""More than one request takes: two parts."""
WHOLE = PIECE * 9
DIGEST = hashlib.sha256(WHOLE).hexdigest()


@pytest.fixture(params=[kind for kind in KINDS if kind != "azure-key"])
def given(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Given]:
    with given_place(request.param, tmp_path / "root") as place:
        yield place


@asynccontextmanager
async def opened(given: Given, tmp_path: Path) -> AsyncIterator[Destination]:
    outgoing = Outgoing(OutgoingSettings(private_addresses="allow"))
    destinations = Destinations(DeliverySettings(folder_root=tmp_path / "root"), outgoing)
    destination = await destinations.open(TENANT, given.place, given.secret)
    try:
        yield destination
    finally:
        await destination.close()
        await destinations.close()
        await outgoing.close()


def large(*, damaged: bool = False) -> Content:
    """More than one request takes."""

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(9):
            yield PIECE
        if damaged:
            yield b"!"

    return Content(LARGE, DIGEST, "image/tiff", pieces)


def leftovers(tmp_path: Path) -> list[Path]:
    return list((tmp_path / "root").rglob("*.part"))


@pytest.mark.parametrize("given", KINDS, indirect=True)
async def test_what_is_put_is_held_until_something_else_is(given: Given, tmp_path: Path) -> None:
    path, first, second = (
        "MUG-01/amazon-main.jpg",
        content_of(b"one", "image/jpeg"),
        content_of(b"two", "image/jpeg"),
    )
    async with opened(given, tmp_path) as destination:
        assert await destination.holds(path, first) is None
        etag = await destination.put(path, first)
        assert await destination.holds(path, first) == etag
        # The same size, other bytes.
        assert await destination.holds(path, second) is None
        assert given.read(path) == (b"one", None if given.place.kind == "folder" else "image/jpeg")
        assert await destination.put(path, second) != etag
        assert await destination.holds(path, first) is None
        assert await destination.put(path, second) == await destination.holds(path, second)
    assert (given.read(path) or (b"",))[0] == b"two"
    assert leftovers(tmp_path) == []


async def test_names_arrive_as_they_are(given: Given, tmp_path: Path) -> None:
    content = content_of(b"tasse", "image/png")
    async with opened(given, tmp_path) as destination:
        for path in ("Große_Tasse_(2)/日本+@1.png", "a.b-c_d.png"):
            await destination.put(path, content)
            assert await destination.holds(path, content)
            if given.place.kind != "s3":
                assert given.read(path) is not None


async def test_a_large_file_arrives_whole(given: Given, tmp_path: Path) -> None:
    async with opened(given, tmp_path) as destination:
        etag = await destination.put("large.tif", large())
        assert await destination.holds("large.tif", large()) == etag
    found = given.read("large.tif")
    assert found is not None
    assert found[0] == WHOLE


async def test_a_damaged_file_leaves_nothing(given: Given, tmp_path: Path) -> None:
    small = Content(3, hashlib.sha256(b"one").hexdigest(), "image/jpeg", content_of(b"two", "").pieces)
    async with opened(given, tmp_path) as destination:
        for content in (small, large(damaged=True)):
            with pytest.raises(StoredPictureUnusable):
                await destination.put("x.tif", content)
            assert given.read("x.tif") is None
    assert leftovers(tmp_path) == []


async def test_what_is_cut_off_is_not_there_and_can_be_put_again(given: Given, tmp_path: Path) -> None:
    whole = large()
    begun, never = asyncio.Event(), asyncio.Event()

    async def pieces() -> AsyncIterator[bytes]:
        for _ in range(8):
            yield PIECE
        begun.set()
        await never.wait()

    hanging = Content(whole.size, whole.sha256, whole.content_type, pieces)
    async with opened(given, tmp_path) as destination:
        task = asyncio.create_task(destination.put("large.tif", hanging))
        await begun.wait()
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert given.read("large.tif") is None
        await destination.put("large.tif", whole)
    assert (given.read("large.tif") or (b"",))[0] == WHOLE
    assert leftovers(tmp_path) == []


async def test_a_bucket_before_the_host_and_a_session_token(tmp_path: Path) -> None:
    url = s3_server()
    port = url.rpartition(":")[2]
    asked: list[str] = []

    async def resolve(host: str, _port: int) -> list[str]:
        asked.append(host)
        return ["127.0.0.1"]

    stored = {"kind": "s3", "bucket": BUCKET, "endpoint": f"http://s3.localhost:{port}"}
    place = place_of({**stored, "addressing": "virtual-host", "access_key_id": "AKIAEXAMPLE"})
    content = content_of(b"one", "image/jpeg")
    outgoing = Outgoing(OutgoingSettings(private_addresses="allow"), resolve=resolve)
    destinations = Destinations(DeliverySettings(), outgoing)
    destination = await destinations.open(TENANT, place, {"secret_access_key": "example"})
    for path, each in (("MUG-01/a (1).jpg", content), ("large.tif", large())):
        assert await destination.holds(path, each) is None
        assert await destination.put(path, each) == await destination.holds(path, each)
    assert s3_object(url, "MUG-01/a (1).jpg") == (b"one", "image/jpeg")
    assert set(asked) == {f"{BUCKET}.s3.localhost"}
    # What the server does not look at: that the token is sent, and signed.
    async with listening() as there:
        there.say = answer(200, 'ETag: "1"')
        place = place_of(
            {**stored, "endpoint": f"http://127.0.0.1:{there.port}", "access_key_id": "ASIAEXAMPLE"}
        )
        secret = {"secret_access_key": "example", "session_token": "temporary=="}
        destination = await destinations.open(TENANT, place, secret)
        await destination.put("a.jpg", content)
        [request] = there.received
        assert request.line == f"PUT /{BUCKET}/a.jpg HTTP/1.1"
        assert request.headers["x-amz-security-token"] == "temporary=="
        assert "x-amz-security-token" in request.headers["authorization"]
    await destinations.close()
    await outgoing.close()

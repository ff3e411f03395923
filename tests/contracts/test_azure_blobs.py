"""What is Azure's own: SAS that Azurite itself checks, staged blocks, lost answers, servers that are away."""

import asyncio
import socket
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx
import pytest
from azure.core.exceptions import ServiceResponseError
from azure.core.pipeline.transport import AioHttpTransport
from pydantic import SecretStr
from tests.azurite.account import azure_blobs
from tests.azurite.server import ACCOUNT, KEY, Azurite, Identity

from opal.blobs import azure_blob
from opal.blobs.azure_blob import AzureBlobs
from opal.blobs.interface import Permission
from opal.errors import BlobExists, BlobNotFound, BlobStoreUnavailable, InvalidSettings
from opal.platform_settings import BlobSettings
from opal.settings import load_settings

pytestmark = pytest.mark.xdist_group("azurite")

PATH = "acme/jobs/job_1/items/item_1/raw/photo.jpg"
LARGE = bytes(range(256)) * 10_000  # three blocks of `small_blocks`


@pytest.fixture(params=["identity", "key"])
async def blobs(azurite_server: Azurite, request: pytest.FixtureRequest) -> AsyncIterator[AzureBlobs]:
    async with azure_blobs(azurite_server, keyed=request.param == "key") as blobs:
        yield blobs


@pytest.fixture
def small_blocks(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("_BLOCK", "_ONE_REQUEST"):
        monkeypatch.setattr(azure_blob, name, 1_000_000)


@pytest.fixture
async def client(azurite_server: Azurite) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(verify=azurite_server.trust()) as client:
        yield client


async def test_a_url_creates_its_blob_once_and_can_do_nothing_else(
    blobs: AzureBlobs, client: httpx.AsyncClient
) -> None:
    create = await blobs.signed_url("raw", PATH, Permission.CREATE)
    headers = {**create.headers, "Content-Type": "image/jpeg"}
    assert (await client.put(create.url, content=b"photo", headers=headers)).status_code == 201
    # Azure's own rule for a right to create alone.
    assert (await client.put(create.url, content=b"other", headers=headers)).status_code in {403, 409}
    assert (await client.get(create.url)).status_code == 403
    assert (await client.delete(create.url)).status_code == 403
    elsewhere = create.url.replace("photo.jpg", "other.jpg")
    assert (await client.put(elsewhere, content=b"photo", headers=headers)).status_code == 403
    assert await blobs.read("raw", PATH) == b"photo"
    assert (await blobs.info("raw", PATH)).content_type == "image/jpeg"


async def test_a_url_reads_its_blob_and_can_do_nothing_else(
    blobs: AzureBlobs, client: httpx.AsyncClient
) -> None:
    await blobs.write("exports", PATH, b"0123456789", content_type="image/jpeg")
    read = await blobs.signed_url("exports", PATH, Permission.READ, download_name="größe 1.jpg")
    got = await client.get(read.url, headers={"Range": "bytes=2-4"})
    assert (got.status_code, got.content) == (206, b"234")
    assert got.headers["content-disposition"].endswith("filename*=UTF-8''gr%C3%B6%C3%9Fe%201.jpg")
    put = await client.put(read.url, content=b"mine", headers={"x-ms-blob-type": "BlockBlob"})
    assert put.status_code == 403
    assert (await client.get(read.url.replace("sp=r", "sp=rw"))).status_code == 403
    ended = await blobs.signed_url("exports", PATH, Permission.READ, timedelta(seconds=-1))
    assert (await client.get(ended.url)).status_code == 403


async def test_what_is_larger_than_a_block_is_staged_and_comes_back_in_blocks(
    small_blocks: None, blobs: AzureBlobs
) -> None:
    written = await blobs.write("outputs", PATH, LARGE, content_type="image/png")
    assert written == await blobs.info("outputs", PATH)
    assert await blobs.read("outputs", PATH) == LARGE
    assert await blobs.read("outputs", PATH, start=2_000_000, length=10) == LARGE[2_000_000:2_000_010]
    pieces = [piece async for piece in blobs.stream("outputs", PATH, chunk_size=300_000)]
    assert b"".join(pieces) == LARGE
    assert max(map(len, pieces)) == 300_000
    with pytest.raises(BlobExists):
        await blobs.write("outputs", PATH, LARGE, content_type="image/png")


async def test_a_stream_is_of_one_version_or_ends(small_blocks: None, blobs: AzureBlobs) -> None:
    await blobs.write("outputs", PATH, LARGE, content_type="image/png")
    stream = blobs.stream("outputs", PATH)
    await anext(stream)
    await blobs.write("outputs", PATH, LARGE[::-1], content_type="image/png", overwrite=True)
    with pytest.raises(BlobNotFound):
        [piece async for piece in stream]


async def test_the_delegation_key_is_asked_for_once_and_renewed_before_it_ends(
    azurite_server: Azurite, monkeypatch: pytest.MonkeyPatch
) -> None:
    identity = Identity()
    async with azure_blobs(azurite_server, identity=identity) as blobs:
        urls = await asyncio.gather(
            *(blobs.signed_url("raw", f"acme/{n}.jpg", Permission.READ) for n in range(20))
        )
        assert len({_value(url.url, "ske") for url in urls}) == 1
        monkeypatch.setattr(azure_blob, "_KEY_SPARE", azure_blob._KEY_LIFETIME)
        await asyncio.sleep(1)  # a key's end is told in whole seconds
        renewed = await blobs.signed_url("raw", "acme/1.jpg", Permission.READ)
        assert _value(renewed.url, "ske") > _value(urls[0].url, "ske")
    assert identity.asked == 1


def _value(url: str, name: str) -> str:
    return httpx.URL(url).params[name]


@dataclass
class Losing:
    """A transport that does what is asked, and loses the answers to the first PUTs."""

    inner: AioHttpTransport
    lose: int
    puts: list[str] = field(default_factory=list)

    async def send(self, request: Any, **options: Any) -> Any:
        answer = await self.inner.send(request, **options)
        if request.method == "PUT":
            self.puts.append(request.url)
            if len(self.puts) <= self.lose:
                raise ServiceResponseError("the answer got lost")
        return answer

    async def open(self) -> None:
        await self.inner.open()

    async def close(self) -> None:
        await self.inner.close()

    async def __aenter__(self) -> "Losing":
        await self.inner.__aenter__()
        return self

    async def __aexit__(self, *error: Any) -> None:
        await self.inner.__aexit__(*error)

    async def sleep(self, _duration: float) -> None:
        await asyncio.sleep(0)


async def test_a_write_whose_answer_got_lost_is_known_as_ours(azurite_server: Azurite) -> None:
    losing = Losing(AioHttpTransport(connection_verify=str(azurite_server.certificate)), lose=1)
    async with azure_blobs(azurite_server, transport=losing) as blobs:
        written = await blobs.write("raw", PATH, b"photo", content_type="image/jpeg")
        assert len(losing.puts) == 2
        assert await blobs.info("raw", PATH) == written
        # The control: what somebody else wrote is not taken for ours.
        with pytest.raises(BlobExists):
            await blobs.write("raw", PATH, b"photo", content_type="image/jpeg")


async def test_a_server_that_is_away_or_silent_is_told_in_time(tmp_path: Path) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}/{ACCOUNT}"
        settings = BlobSettings(adapter="azure", account_url=url, account_key=SecretStr(KEY), timeout_s=0.5)
        for listens in (False, True):
            if listens:
                silent.listen()
            blobs = AzureBlobs(settings, None)
            started = time.monotonic()
            with pytest.raises(BlobStoreUnavailable) as told:
                await blobs.read("raw", PATH)
            assert time.monotonic() - started < 3
            assert KEY not in str(told.value)
            assert "sig=" not in str(told.value)
            with pytest.raises(BlobStoreUnavailable):
                await blobs.check()
            await blobs.close()


async def test_wrong_rights_are_no_missing_blob(azurite_server: Azurite) -> None:
    settings = BlobSettings(
        adapter="azure", account_url=azurite_server.account_url, account_key=SecretStr("bm8ga2V5")
    )
    blobs = AzureBlobs(settings, None, connection_verify=str(azurite_server.certificate))
    with pytest.raises(BlobStoreUnavailable, match=r"40[03] [A-Z]"):
        await blobs.read("raw", PATH)
    await blobs.close()


def test_an_account_is_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPAL_BLOB_ADAPTER", "azure")
    with pytest.raises(InvalidSettings, match="OPAL_BLOB_ACCOUNT_URL"):
        load_settings()

"""Signed pictures on their whole way: what export-worker signed comes out of URL and archive unchanged."""

import asyncio
import hashlib
import io
import zipfile
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from tests.services.http_services import WebApi, photo
from tests.services.pipeline_world import world_in
from tests.services.whole_way import everything
from tests.unit.signing_chain import Authority, key_pem, new_authority, new_key, signing_files

from opal.content_credentials.read import read_content_credentials
from opal.errors import InvalidSettings
from opal.export_worker.app import build_stage
from opal.images.metadata import read_digital_source_type

# One of each format.
PRESETS = ("cutout-png", "print-tiff", "square-1x1", "thumbnail-avif", "thumbnail-webp")


@pytest.fixture(scope="module")
def authority() -> Authority:
    return new_authority()


@pytest.fixture
async def api(tmp_path: Path, authority: Authority) -> AsyncIterator[WebApi]:
    async with everything(tmp_path / "data", signing=signing_files(tmp_path, authority)) as running:
        yield running


async def test_signatures_survive_store_download_and_archive(api: WebApi, authority: Authority) -> None:
    original = photo(900, 700)
    job = await api.job("tin.jpg", presets=list(PRESETS), scene="studio-warm")
    await api.upload(job, original)
    async with asyncio.timeout(120), api.client.stream("GET", f"/v1/jobs/{job['id']}/events") as stream:
        async for _ in stream.aiter_lines():
            pass
    path = f"/v1/jobs/{job['id']}/items/{job['items'][0]['id']}/variants"
    variants = (await api.client.get(path)).json()["variants"]
    assert {each["preset"] for each in variants} == set(PRESETS)
    archive = await api.client.get(f"/v1/jobs/{job['id']}/archive.zip")
    with zipfile.ZipFile(io.BytesIO(archive.content)) as opened:
        archived = {name: opened.read(name) for name in opened.namelist()}
    for variant in variants:
        data = (await api.anonymous.get(variant["url"])).content
        assert hashlib.sha256(data).hexdigest() == variant["sha256"]
        extension = variant["filename"].rpartition(".")[2]
        assert archived[f"tin/{variant['preset']}.{extension}"] == data
        read = read_content_credentials(data, variant["content_type"], trusted=authority.pem.decode())
        assert read is not None
        assert (read.state, read.signer) == ("Trusted", "Acme Pictures")
        assert read.ingredients[0].sha256 == hashlib.sha256(original).hexdigest()
        told = [each.digital_source_type for each in read.actions if each.digital_source_type is not None]
        in_xmp = read_digital_source_type(data)
        assert told == ([] if in_xmp is None else [in_xmp])


async def test_a_worker_with_a_wrong_key_does_not_start(tmp_path: Path) -> None:
    settings = signing_files(tmp_path)
    (tmp_path / "key.pem").write_bytes(key_pem(new_key()))
    async with world_in(tmp_path / "data", signing=settings) as world:
        with pytest.raises(InvalidSettings, match="is not the key of the first certificate"):
            build_stage(world.parts)

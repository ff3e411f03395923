"""The blob store of a fresh account on Azurite."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import aiohttp
from azure.core.pipeline.transport import AioHttpTransport
from azure.storage.blob.aio import BlobServiceClient
from pydantic import SecretStr
from tests.azurite.server import KEY, Azurite, Identity

from opal.blobs.azure_blob import AzureBlobs
from opal.blobs.interface import CONTAINERS
from opal.platform_settings import BlobSettings


async def empty_containers(server: Azurite) -> None:
    """The three containers, there and empty."""
    async with BlobServiceClient(server.account_url, KEY, **_trusted(server)) as owner:
        for name in CONTAINERS:
            container = owner.get_container_client(name)
            if await container.exists():
                async for blob in container.list_blob_names():
                    await container.delete_blob(blob)
            else:
                await container.create_container()


def _trusted(server: Azurite) -> dict[str, Any]:
    return {} if server.certificate is None else {"connection_verify": str(server.certificate)}


def kept_connections(server: Azurite) -> AioHttpTransport:
    """The SDK's transport, trusting the server's certificate and made as the SDK makes its own.

    For benchmarks: `connection_verify` reads the certificate for each request, and so connects anew for each.
    """
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(ssl=True if server.certificate is None else server.trust()),
        cookie_jar=aiohttp.DummyCookieJar(),
        auto_decompress=False,
    )
    return AioHttpTransport(session=session, session_owner=True)


@asynccontextmanager
async def azure_blobs(
    server: Azurite, *, keyed: bool = False, identity: Identity | None = None, **transport: Any
) -> AsyncIterator[AzureBlobs]:
    """The store as `assembly.py` makes it, its three containers there and empty."""
    await empty_containers(server)
    async with opened_blobs(server, keyed=keyed, identity=identity, **transport) as blobs:
        yield blobs


@asynccontextmanager
async def opened_blobs(
    server: Azurite, *, keyed: bool = False, identity: Identity | None = None, **transport: Any
) -> AsyncIterator[AzureBlobs]:
    """The same with all that lies in it."""
    settings = BlobSettings(
        adapter="azure",
        account_url=server.account_url,
        account_key=SecretStr(KEY) if keyed else None,
    )
    blobs = AzureBlobs(settings, None if keyed else identity or Identity(), **(transport or _trusted(server)))
    yield blobs
    await blobs.close()

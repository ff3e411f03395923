"""The blob store of a fresh account on Azurite."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

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


@asynccontextmanager
async def azure_blobs(
    server: Azurite, *, keyed: bool = False, identity: Identity | None = None, **transport: Any
) -> AsyncIterator[AzureBlobs]:
    """The store as `assembly.py` makes it, its three containers there and empty."""
    await empty_containers(server)
    settings = BlobSettings(
        adapter="azure",
        account_url=server.account_url,
        account_key=SecretStr(KEY) if keyed else None,
    )
    blobs = AzureBlobs(settings, None if keyed else identity or Identity(), **(transport or _trusted(server)))
    yield blobs
    await blobs.close()

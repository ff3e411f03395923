"""Makes the containers of a fresh Azurite; in Azure they belong to the deployment.

Run once by docker-compose.yml, before Opal starts.
"""

import asyncio

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob.aio import BlobServiceClient

from opal.blobs.interface import CONTAINERS
from opal.settings import load_settings


async def main() -> None:
    """Make what is not there."""
    blob = load_settings().blob
    assert blob.account_url is not None
    assert blob.account_key is not None
    async with BlobServiceClient(blob.account_url, blob.account_key.get_secret_value()) as service:
        for name in CONTAINERS:
            try:
                await service.create_container(name)
            except ResourceExistsError:
                continue


if __name__ == "__main__":
    asyncio.run(main())

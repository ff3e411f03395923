"""Makes the containers of a fresh Azurite and lets the console's pages reach them, as a deployment does.

Run once by docker-compose.yml, before Opal starts. Its arguments are where the console is shown from.
"""

import asyncio
import sys

from azure.core.exceptions import ResourceExistsError
from azure.storage.blob import CorsRule
from azure.storage.blob.aio import BlobServiceClient

from opal.blobs.interface import CONTAINERS
from opal.settings import load_settings

# Where docker-compose.yml publishes web-api.
_CONSOLE = ("http://127.0.0.1:8080", "http://localhost:8080")


async def main(*console: str) -> None:
    """Make what is not there; pages of these origins may write and read (infra/modules/storage.bicep)."""
    rule = CorsRule(
        list(console),
        ["GET", "PUT"],
        allowed_headers=["content-type", "x-ms-blob-type", "x-ms-client-request-id"],
        exposed_headers=["etag"],
        max_age_in_seconds=3600,
    )
    blob = load_settings().blob
    assert blob.account_url is not None
    assert blob.account_key is not None
    async with BlobServiceClient(blob.account_url, blob.account_key.get_secret_value()) as service:
        for name in CONTAINERS:
            try:
                await service.create_container(name)
            except ResourceExistsError:
                continue
        await service.set_service_properties(cors=[rule])


if __name__ == "__main__":
    asyncio.run(main(*(sys.argv[1:] or _CONSOLE)))

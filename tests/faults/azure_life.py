"""Opal's second life on one machine: PostgreSQL, Azurite and the tests' Service Bus, in the environment."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cryptography.fernet import Fernet
from tests.azurite.account import empty_containers
from tests.azurite.server import KEY, azurite
from tests.servicebus.server import running_server

from opal.platform_settings import QueueSettings

_PREFIX = "faults-"


@contextmanager
def azure_life(folder: Path, database_url: str, lock_s: float) -> Iterator[dict[str, str]]:
    """What services need to know of the servers, which run until the block ends."""
    with running_server() as bus, azurite(folder, plain=True) as store:
        asyncio.run(empty_containers(store))
        settings = bus.namespace.settings_for(QueueSettings(lock_s=lock_s), _PREFIX)
        bus.namespace.create_queues(settings)
        yield {
            "OPAL_DATABASE_URL": database_url,
            "OPAL_DELIVERY_KEY": Fernet.generate_key().decode(),
            "OPAL_BLOB_ADAPTER": "azure",
            "OPAL_BLOB_ACCOUNT_URL": store.account_url,
            "OPAL_BLOB_ACCOUNT_KEY": KEY,
            "OPAL_QUEUE_ADAPTER": "servicebus",
            "OPAL_QUEUE_CONNECTION_STRING": bus.namespace.connection_string,
            "OPAL_QUEUE_PREFIX": _PREFIX,
        }

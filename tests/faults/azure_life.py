"""Opal's second life on one machine: PostgreSQL, Azurite and the tests' Service Bus, in the environment."""

import asyncio
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from cryptography.fernet import Fernet
from pydantic import SecretStr
from tests.azurite.account import empty_containers
from tests.azurite.identity_endpoint import identity_endpoint
from tests.azurite.server import KEY, Azurite, azurite
from tests.servicebus.namespace import Namespace
from tests.servicebus.server import running_server

from opal.platform_settings import QueueSettings

_PREFIX = "faults-"


@dataclass(frozen=True, slots=True)
class AzureLife:
    """The servers, and what services need to know of them."""

    store: Azurite
    namespace: Namespace
    queues: QueueSettings
    environment: dict[str, str]

    @contextmanager
    def own_queues(self, name: str) -> Iterator[dict[str, str]]:
        """Further queues, for whoever has these settings, until the block ends."""
        prefix = f"{_PREFIX}{name.replace('_', '-')}-"
        self.namespace.create_queues(self.queues.model_copy(update={"prefix": prefix}))
        yield {"QUEUE_PREFIX": prefix}
        self.namespace.delete_queues(prefix)


@contextmanager
def azure_life(folder: Path, database_url: str, lock_s: float, *, keyed: bool = False) -> Iterator[AzureLife]:
    """Servers that run until the block ends.

    The services sign in to the blobs with a managed identity, over HTTPS; ``keyed``: with the account's key,
    over HTTP, which a test that uses Opal's parts within its own process needs.
    """
    with ExitStack() as stack:
        bus = stack.enter_context(running_server())
        store = stack.enter_context(azurite(folder, plain=keyed))
        asyncio.run(empty_containers(store))
        signed_in = {"OPAL_BLOB_ACCOUNT_KEY": KEY} if keyed else stack.enter_context(identity_endpoint())
        trusted = {"SSL_CERT_FILE": str(store.certificate)} if store.certificate else {}
        settings = bus.namespace.settings_for(QueueSettings(lock_s=lock_s), _PREFIX)
        bus.namespace.create_queues(settings)
        connection_string = bus.namespace.connection_string
        queues = settings.model_copy(update={"connection_string": SecretStr(connection_string)})
        environment = {
            "OPAL_DATABASE_URL": database_url,
            "OPAL_DELIVERY_KEY": Fernet.generate_key().decode(),
            "OPAL_BLOB_ADAPTER": "azure",
            "OPAL_BLOB_ACCOUNT_URL": store.account_url,
            "OPAL_QUEUE_ADAPTER": "servicebus",
            "OPAL_QUEUE_CONNECTION_STRING": connection_string,
            "OPAL_QUEUE_PREFIX": _PREFIX,
            **signed_in,
            **trusted,
        }
        yield AzureLife(store, bus.namespace, queues, environment)

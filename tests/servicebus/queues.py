"""Opal's queues in a namespace for one test, made before it and removed after it."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager

from pydantic import SecretStr
from tests.servicebus.namespace import Namespace

from opal.platform_settings import QueueSettings
from opal.queues.servicebus import ServiceBusQueues


@contextmanager
def servicebus_queues(
    namespace: Namespace, wanted: QueueSettings
) -> Iterator[tuple[ServiceBusQueues, QueueSettings]]:
    """The adapter, to be closed by the caller, on fresh queues; and the settings that they were made with."""
    settings = namespace.settings_for(wanted, f"opal-test-{secrets.token_hex(4)}-")
    settings = settings.model_copy(
        update={"adapter": "servicebus", "connection_string": SecretStr(namespace.connection_string)}
    )
    namespace.create_queues(settings)
    try:
        yield ServiceBusQueues(settings), settings
    finally:
        namespace.delete_queues(settings.prefix)

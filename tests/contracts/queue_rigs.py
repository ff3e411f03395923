"""What ``test_queues.py`` runs on, each implementation a row in ``IMPLEMENTATIONS``."""

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from tests.servicebus.namespace import Namespace
from tests.servicebus.queues import servicebus_queues

from opal.platform_settings import QueueSettings
from opal.queues.interface import Queues, Receiver
from opal.queues.local import LocalQueues


@dataclass(frozen=True)
class Rig:
    """One implementation under test, with the settings that it was made with."""

    queues: Queues
    settings: QueueSettings
    receivers: list[Receiver] = field(default_factory=list)

    def receiver(self, queue: str) -> Receiver:
        """A receiver that is closed with the rest."""
        self.receivers.append(self.queues.receiver(queue))
        return self.receivers[-1]

    async def close(self) -> None:
        """Close everything, all at once because a link of Service Bus takes a second."""
        await asyncio.gather(*(receiver.close() for receiver in self.receivers), self.queues.close())


@asynccontextmanager
async def _local(folder: Path, settings: QueueSettings) -> AsyncIterator[Rig]:
    yield Rig(LocalQueues(folder / "queues.sqlite", folder / "run", settings), settings)


Factory = Callable[[Path, QueueSettings], AbstractAsyncContextManager[Rig]]


def _local_factory(_request: pytest.FixtureRequest) -> Factory:
    return _local


def _servicebus_factory(request: pytest.FixtureRequest) -> Factory:
    namespace: Namespace = request.getfixturevalue("service_bus")

    @asynccontextmanager
    async def servicebus(_folder: Path, settings: QueueSettings) -> AsyncIterator[Rig]:
        with servicebus_queues(namespace, settings) as (queues, made_with):
            yield Rig(queues, made_with)

    return servicebus


IMPLEMENTATIONS: dict[str, Callable[[pytest.FixtureRequest], Factory]] = {
    "local": _local_factory,
    "servicebus": _servicebus_factory,
}

# As short as the settings allow; a test that needs a lock to end receives until it did.
SETTINGS = QueueSettings(lock_s=0.6, max_delivery_count=3, duplicate_window_s=1.0, poll_s=0.5)
PATIENT = SETTINGS.model_copy(update={"lock_s": 300.0, "duplicate_window_s": 600.0})

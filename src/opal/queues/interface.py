"""What a queue is to Opal: peek-lock, at least once, one message per item.

``local.py`` gives it on SQLite for one machine, ``servicebus.py`` in Azure. Both pass
``tests/contracts/test_queues.py``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final, Protocol

MAX_DELIVERY_REASON: Final = "MaxDeliveryCountExceeded"
"""Why the queue itself puts a message aside, in Service Bus' own word: nobody settled it often enough."""


@dataclass(frozen=True, slots=True)
class Outgoing:
    """A message to send. A second send with the same ``message_id`` within the queue's
    duplicate-detection window (10 minutes) is accepted and dropped."""

    message_id: str
    body: bytes
    correlation_id: str = ""
    properties: Mapping[str, str] = field(default_factory=dict)
    not_before: datetime | None = None


@dataclass(frozen=True, slots=True)
class Received:
    """A message under peek-lock. ``delivery_count`` is 1 on the first delivery."""

    queue: str
    message_id: str
    body: bytes
    correlation_id: str
    properties: Mapping[str, str]
    delivery_count: int
    sequence_number: int
    enqueued_at: datetime
    locked_until: datetime
    lock_token: str


@dataclass(frozen=True, slots=True)
class Peeked:
    """A message seen without a lock, for operators; dead letters carry a reason."""

    message_id: str
    sequence_number: int
    body: bytes
    delivery_count: int
    enqueued_at: datetime
    scheduled_for: datetime | None
    dead_letter_reason: str | None
    dead_letter_description: str | None


@dataclass(frozen=True, slots=True)
class Depth:
    """How many messages a queue holds; ``active`` includes locked ones."""

    active: int
    scheduled: int
    dead: int
    oldest_active: datetime | None


class Receiver(Protocol):
    """A long-lived consumer of one queue; ``receive`` from one task, settle from any, close when done."""

    async def receive(self, max_messages: int, timeout: float) -> Sequence[Received]:
        """Up to ``max_messages`` messages, waiting at most ``timeout`` seconds for the first one.

        Fewer may come than wait. Connecting does not count towards ``timeout``. When it is cancelled, no
        message stays locked by it for longer than seconds.
        """
        ...

    async def complete(self, message: Received) -> None:
        """Remove the message for good. Raises ``LockLost`` when the lock is no longer ours."""
        ...

    async def abandon(self, message: Received, delay: timedelta = timedelta(0)) -> None:
        """Give the message back, visible again after ``delay``. Raises ``LockLost``."""
        ...

    async def dead_letter(self, message: Received, reason: str, description: str) -> None:
        """Put the message aside for an operator. Raises ``LockLost``."""
        ...

    async def renew(self, message: Received) -> datetime:
        """Lock the message for another lock period; returns the new end. Raises ``LockLost``."""
        ...

    async def close(self) -> None:
        """Stop receiving; messages locked but not settled come back when their lock ends."""
        ...


class Queues(Protocol):
    """All queues of one deployment. Every method raises ``QueueUnavailable`` when the queue is away."""

    async def send(self, queue: str, messages: Sequence[Outgoing]) -> None:
        """Send all ``messages``, or raise; a repeat after a raise is safe by message id.

        ``MessageTooLarge`` names those that can never be sent; all others are.
        """
        ...

    def receiver(self, queue: str) -> Receiver:
        """A new consumer of ``queue``."""
        ...

    async def peek(self, queue: str, *, dead: bool = False, limit: int = 50) -> Sequence[Peeked]:
        """The oldest messages of the queue, or of its dead letters, without locking them."""
        ...

    async def redrive(self, queue: str, limit: int = 100) -> int:
        """Send dead letters again, oldest first, delivery count 0; returns how many."""
        ...

    async def purge(self, queue: str, limit: int = 100, *, reason: str | None = None) -> int:
        """Remove dead letters for good, oldest first, or those of one ``reason``; returns how many.

        What can be received is never touched.
        """
        ...

    async def depth(self, queue: str) -> Depth:
        """How full the queue is."""
        ...

    async def check(self) -> None:
        """Return when the queues can be reached, else raise ``QueueUnavailable``."""
        ...

    async def close(self) -> None:
        """Release connections."""
        ...

"""A queue that one holds in one's hands: messages lie in lists, and nothing happens by itself."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NoReturn

from opal.database.engine import utc_now
from opal.queues.interface import Depth, Outgoing, Peeked


@dataclass(slots=True)
class QueueOnPaper:
    """What relay and sweeper need of ``Queues``; an id is sent once, as within a queue's window."""

    waiting: dict[str, list[Outgoing]] = field(default_factory=lambda: defaultdict(list))
    dead: dict[str, list[Outgoing]] = field(default_factory=lambda: defaultdict(list))
    _sent: set[tuple[str, str]] = field(default_factory=set)

    async def send(self, queue: str, messages: Sequence[Outgoing]) -> None:
        """Put ``messages`` on the list."""
        for message in messages:
            if (queue, message.message_id) not in self._sent:
                self._sent.add((queue, message.message_id))
                self.waiting[queue].append(message)

    async def peek(self, queue: str, *, dead: bool = False, limit: int = 50) -> Sequence[Peeked]:
        """The list."""
        listed = (self.dead if dead else self.waiting)[queue][:limit]
        return [
            Peeked(
                message.message_id, number, message.body, 1, utc_now(), None, "Test" if dead else None, None
            )
            for number, message in enumerate(listed)
        ]

    async def redrive(self, queue: str, limit: int = 100) -> int:
        """Put dead letters back."""
        letters, self.dead[queue] = self.dead[queue][:limit], self.dead[queue][limit:]
        self.waiting[queue] += letters
        return len(letters)

    async def purge(self, queue: str, limit: int = 100, *, reason: str | None = None) -> int:
        """Throw dead letters away."""
        del reason
        purged = len(self.dead[queue][:limit])
        del self.dead[queue][:limit]
        return purged

    async def depth(self, queue: str) -> Depth:
        """How long the lists are."""
        return Depth(len(self.waiting[queue]), 0, len(self.dead[queue]), None)

    def receiver(self, queue: str) -> NoReturn:
        """Whoever plays the worker looks at the lists."""
        raise NotImplementedError(queue)

    async def check(self) -> None:
        """They are there."""

    async def close(self) -> None:
        """Nothing to release."""

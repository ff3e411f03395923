"""Queues that keep none of their promises but one: what was sent comes in the end, at least once.

A wrapper around real ones, which holds the messages and their locks.
"""

import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta

from opal.errors import LockLost
from opal.queues.interface import Depth, Outgoing, Peeked, Queues, Received, Receiver

SHARES = {
    "sent twice": 0.05,
    "settled in vain": 0.10,
    "locked and kept back": 0.04,
    "lock lost": 0.05,
}
"""How often each lie is told: of sends, settlements, deliveries, and renewals and settlements."""


@dataclass(slots=True)
class Lies:
    """Which are told, drawn from ``seed``, and how many were."""

    seed: int
    shares: Mapping[str, float] = field(default_factory=lambda: SHARES)
    told: Counter[str] = field(default_factory=Counter)
    rng: random.Random = field(init=False)
    _left: dict[str, list[bool]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)

    def tell(self, lie: str) -> bool:
        """Whether this one is told now: once in so many, so that short runs have each; drawn which time."""
        share = self.shares.get(lie, 0.0)
        if not share:
            return False
        if not self._left.get(lie):
            every = round(1 / share)
            self._left[lie] = self.rng.sample([True, *[False] * (every - 1)], every)
        told = self._left[lie].pop()
        self.told[lie] += told
        return told


@dataclass(frozen=True, slots=True)
class LyingQueues:
    """Implements ``Queues``; their owner closes ``inner``."""

    inner: Queues
    lies: Lies

    async def send(self, queue: str, messages: Sequence[Outgoing]) -> None:
        """Some twice, and no two repeats have an id in common that could tell them."""
        twice = [
            replace(message, message_id=f"{message.message_id}:again")
            for message in messages
            if self.lies.tell("sent twice")
        ]
        await self.inner.send(queue, [*messages, *twice])

    def receiver(self, queue: str) -> Receiver:
        """A consumer that is lied to."""
        return LyingReceiver(self.inner.receiver(queue), self.lies)

    async def peek(self, queue: str, *, dead: bool = False, limit: int = 50) -> Sequence[Peeked]:
        """The truth."""
        return await self.inner.peek(queue, dead=dead, limit=limit)

    async def redrive(self, queue: str, limit: int = 100) -> int:
        """The truth."""
        return await self.inner.redrive(queue, limit)

    async def purge(self, queue: str, limit: int = 100, *, reason: str | None = None) -> int:
        """The truth."""
        return await self.inner.purge(queue, limit, reason=reason)

    async def depth(self, queue: str) -> Depth:
        """The truth."""
        return await self.inner.depth(queue)

    async def check(self) -> None:
        """The truth."""
        await self.inner.check()

    async def close(self) -> None:
        """Nothing: the owner does it."""


@dataclass(frozen=True, slots=True)
class LyingReceiver:
    """Implements ``Receiver``."""

    inner: Receiver
    lies: Lies

    async def receive(self, max_messages: int, timeout: float) -> Sequence[Received]:
        """In any order, and without some, which stay locked for nobody."""
        messages = list(await self.inner.receive(max_messages, timeout))
        self.lies.rng.shuffle(messages)
        return [message for message in messages if not self.lies.tell("locked and kept back")]

    async def complete(self, message: Received) -> None:
        """Said to be done, and not done; or said to be lost, and done all the same."""
        if not self.lies.tell("settled in vain"):
            await self.inner.complete(message)
            self._lose()

    async def abandon(self, message: Received, delay: timedelta = timedelta(0)) -> None:
        """As ``complete``."""
        if not self.lies.tell("settled in vain"):
            await self.inner.abandon(message, delay)
            self._lose()

    async def dead_letter(self, message: Received, reason: str, description: str) -> None:
        """As ``complete``."""
        if not self.lies.tell("settled in vain"):
            await self.inner.dead_letter(message, reason, description)
            self._lose()

    async def renew(self, message: Received) -> datetime:
        """Some locks are said to be lost."""
        self._lose()
        return await self.inner.renew(message)

    async def close(self) -> None:
        """Stop receiving."""
        await self.inner.close()

    def _lose(self) -> None:
        if self.lies.tell("lock lost"):
            raise LockLost

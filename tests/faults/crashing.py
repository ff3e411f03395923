"""Processes that die at a step that they are told: before or after a commit, a send, a put, a settlement.

`test_crash_points.py` starts them. Each builds its parts as the services do, and puts something around the
database, the queues and the blobs that sees every step pass; the product knows nothing of it.
"""

import os
import signal
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from types import FrameType
from typing import Any, cast

from sqlalchemy.ext.asyncio import AsyncConnection
from tests.faults.passing import Passing

from opal.assembly import Parts, build_parts
from opal.blobs.interface import BlobInfo
from opal.database.engine import Database
from opal.outbox_relay import OutboxRelay
from opal.queues.interface import Outgoing, Queues, Received, Receiver
from opal.settings import Settings
from opal.sweeper import Sweeper

CRASH_AT = "FAULTS_CRASH_AT"
"""The point to die at, `before …` or `after …` a step; empty: nowhere."""
SEEN = "FAULTS_SEEN"
"""A file to which every step is written as it is passed."""


@dataclass(frozen=True, slots=True)
class Steps:
    """What is told of every step."""

    crash_at: str
    seen: Path

    @classmethod
    def of_environment(cls) -> "Steps":
        """As the test told this process."""
        return cls(os.environ[CRASH_AT], Path(os.environ[SEEN]))

    def before(self, step: str) -> None:
        """The step is about to happen."""
        with self.seen.open("a") as file:
            file.write(step + "\n")
        self._die_at(f"before {step}")

    def after(self, step: str) -> None:
        """It has happened."""
        self._die_at(f"after {step}")

    def _die_at(self, point: str) -> None:
        if point == self.crash_at:
            os.kill(os.getpid(), signal.SIGKILL)


def traced_parts(settings: Settings) -> Parts:
    """The parts of a service, with its steps seen."""
    parts, steps = build_parts(settings), Steps.of_environment()
    database = TracedDatabase(parts.database, steps)
    queues = cast(Queues, TracedQueues(parts.queues, steps))
    _trace_puts(parts.blobs, steps)
    return replace(
        parts,
        database=database,
        queues=queues,
        relay=OutboxRelay(database, queues),
        sweeper=Sweeper(database, queues, settings),
    )


class TracedDatabase(Database):
    """Names each transaction after the function that began it."""

    def __init__(self, inner: Database, steps: Steps) -> None:
        self.__dict__.update(inner.__dict__)
        self._steps = steps

    def transaction(self) -> AbstractAsyncContextManager[AsyncConnection]:  # type: ignore[override] # wider
        """As the database's own."""
        return self._seen(f"commit {_named(sys._getframe(1))}")

    @asynccontextmanager
    async def _seen(self, step: str) -> AsyncIterator[AsyncConnection]:
        async with super().transaction() as connection:
            yield connection
            self._steps.before(step)
        self._steps.after(step)


def _named(frame: FrameType) -> str:
    """The function; of the sweeper's also what it heals."""
    heal = frame.f_locals.get("heal")
    name = frame.f_code.co_qualname
    return name if heal is None else f"{name} by {heal.__qualname__.removesuffix('.<locals>.fail')}"


class TracedQueues(Passing):
    """Sees sends and settlements."""

    def __init__(self, inner: Queues, steps: Steps) -> None:
        super().__init__(inner)
        self._steps = steps

    async def send(self, queue: str, messages: Sequence[Outgoing]) -> None:
        """As the queues' own."""
        self._steps.before(f"send to {queue}")
        await self.inner.send(queue, messages)
        self._steps.after(f"send to {queue}")

    def receiver(self, queue: str) -> Receiver:
        """As the queues' own."""
        return cast(Receiver, TracedReceiver(self.inner.receiver(queue), self._steps))


class TracedReceiver(Passing):
    """Sees what becomes of a message."""

    def __init__(self, inner: Receiver, steps: Steps) -> None:
        super().__init__(inner)
        self._steps = steps

    async def complete(self, message: Received) -> None:
        """As the receiver's own."""
        self._steps.before(f"complete of {message.queue}")
        await self.inner.complete(message)
        self._steps.after(f"complete of {message.queue}")

    async def abandon(self, message: Received, delay: timedelta = timedelta(0)) -> None:
        """As the receiver's own."""
        self._steps.before(f"abandon of {message.queue}")
        await self.inner.abandon(message, delay)
        self._steps.after(f"abandon of {message.queue}")

    async def dead_letter(self, message: Received, reason: str, description: str) -> None:
        """As the receiver's own."""
        self._steps.before(f"dead letter of {message.queue}")
        await self.inner.dead_letter(message, reason, description)
        self._steps.after(f"dead letter of {message.queue}")

    async def renew(self, message: Received) -> datetime:
        """As the receiver's own."""
        self._steps.before(f"renewal of {message.queue}")
        until: datetime = await self.inner.renew(message)
        self._steps.after(f"renewal of {message.queue}")
        return until


def _trace_puts(blobs: Any, steps: Steps) -> None:
    """In place, as web-api asks which store it has."""
    for method in ("write", "put_stream"):
        if hasattr(blobs, method):
            setattr(blobs, method, _seen_put(getattr(blobs, method), steps))


def _seen_put(put: Callable[..., Awaitable[BlobInfo]], steps: Steps) -> Callable[..., Awaitable[BlobInfo]]:
    async def seen(container: str, path: str, *data: Any, **options: Any) -> BlobInfo:
        step = f"put to {container}"
        steps.before(step)
        info = await put(container, path, *data, **options)
        steps.after(step)
        return info

    return seen

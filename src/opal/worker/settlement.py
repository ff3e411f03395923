"""How a delivery ends: what a handler may answer, what an error means, and telling the queue.

``loop.py`` calls it for every message; handlers import ``Delivery`` and the outcomes.
"""

import asyncio
import random
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from types import TracebackType
from typing import Literal, Self

import structlog

from opal.errors import DependencyError, Interrupted, InvalidMessage, LockLost, OpalError
from opal.queues.interface import Received, Receiver
from opal.settings import WorkerSettings

_log = structlog.get_logger(__name__)

SETTLE_RETRY_S = (0.2, 0.4, 0.8, 1.6, 3.2)
"""Waits between tries to settle while the queue is away; after that the lock ends by itself."""

_SHORTEST_RENEWAL_S = 0.1


@dataclass(frozen=True, slots=True)
class Delivery:
    """What a handler may know of the message's way, beside the message itself."""

    queue: str
    message_id: str
    count: int
    enqueued_at: datetime
    correlation_id: str


@dataclass(frozen=True, slots=True)
class Done:
    """The message has done its work, now or before; it is removed."""


@dataclass(frozen=True, slots=True)
class Later:
    """The message is given back and comes again after ``delay``; ``why`` goes to the log."""

    delay: timedelta
    why: str


@dataclass(frozen=True, slots=True)
class Dead:
    """The message is put aside for an operator."""

    reason: str
    description: str


Outcome = Done | Later | Dead


@dataclass(frozen=True, slots=True)
class _Rule:
    """What an error does to its message, and how loudly it is logged."""

    outcome: Callable[[str, timedelta, timedelta], Outcome]
    level: Literal["info", "warning", "exception"]


def _dead(why: str, _base: timedelta, _grown: timedelta) -> Outcome:
    return Dead("InvalidMessage", why)


def _soon(why: str, base: timedelta, _grown: timedelta) -> Outcome:
    return Later(base, why)


def _backed_off(why: str, _base: timedelta, grown: timedelta) -> Outcome:
    return Later(grown, why)


# First match counts. Failures of the item itself are counted and ended by the handler; what reaches
# this table could not be decided there, so the message always comes back unless nobody can read it.
_RULES: tuple[tuple[type[Exception], _Rule], ...] = (
    (InvalidMessage, _Rule(_dead, "warning")),
    (Interrupted, _Rule(_soon, "info")),
    (DependencyError, _Rule(_backed_off, "warning")),
    (Exception, _Rule(_backed_off, "exception")),
)


def outcome_of(error: Exception, delivery_count: int, settings: WorkerSettings) -> Outcome:
    """Look ``error`` up in the table, and log it as its rule says."""
    rule = next(rule for kind, rule in _RULES if isinstance(error, kind))
    code = error.code if isinstance(error, OpalError) else OpalError.code
    getattr(_log, rule.level)("handling failed", action="message.failed", code=code, error=str(error))
    why = error.message if isinstance(error, OpalError) else f"{type(error).__name__}: {error}"
    return rule.outcome(why, timedelta(seconds=settings.retry_base_s), retry_delay(delivery_count, settings))


def retry_delay(failures: int, settings: WorkerSettings) -> timedelta:
    """Exponential from ``retry_base_s`` to ``retry_max_s``, spread by ±20 % so that retries do not meet."""
    grown = settings.retry_base_s * 2.0 ** min(failures - 1, 30)
    return timedelta(seconds=min(grown, settings.retry_max_s) * random.uniform(0.8, 1.2))


async def settle(receiver: Receiver, message: Received, outcome: Outcome) -> bool:
    """Tell the queue; False when that was not possible and the message will come again by itself."""
    for pause in (*SETTLE_RETRY_S, None):
        try:
            match outcome:
                case Done():
                    await receiver.complete(message)
                case Later(delay=delay):
                    await receiver.abandon(message, delay)
                case Dead(reason=reason, description=description):
                    await receiver.dead_letter(message, reason, description)
        except LockLost:
            _log.info("message was no longer ours to settle", action="message.lock_lost")
            return False
        except DependencyError as error:
            if pause is None:
                _log.warning("message could not be settled", action="message.unsettled", error=str(error))
                return False
            await asyncio.sleep(pause)
        else:
            return True
    return False


class LockRenewal:
    """Keeps a message locked while its handler works; ``on_lost`` is called when the lock is lost.

    A message whose lock is lost comes again, to whoever is free. The item's lease, not the message, says
    whose result counts; so the work is ended to make room for that delivery, not to protect the item.
    """

    def __init__(self, receiver: Receiver, message: Received, on_lost: Callable[[], object]) -> None:
        self._receiver = receiver
        self._message = message
        self._on_lost = on_lost
        self._task: asyncio.Task[None] | None = None
        self._ended = False
        self.lost = False
        """Whether the lock was lost before the block ended; there is nothing left to settle then."""

    async def __aenter__(self) -> Self:
        self._task = asyncio.create_task(self._keep())
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._task is not None
        # A cancellation that meets the answer of a renewal may be swallowed by the queue's SDK; alone, it
        # would leave a message that is renewed for ever and never settled.
        self._ended = True
        self._task.cancel()
        await asyncio.wait([self._task])

    async def _keep(self) -> None:
        locked_until = self._message.locked_until
        while not self._ended:
            left = (locked_until - datetime.now(UTC)).total_seconds()
            await asyncio.sleep(max(left / 2, _SHORTEST_RENEWAL_S))
            try:
                locked_until = await self._receiver.renew(self._message)
            except LockLost:
                _log.warning("message lock lost while working", action="message.lock_lost")
                self.lost = True
                self._on_lost()
                return
            except DependencyError as error:
                # Tried again at half of what is left, and on until the queue says that the lock is lost.
                _log.warning("message lock not renewed", action="message.renew_failed", error=str(error))

"""One AMQP link of the Service Bus SDK: opened when first needed, kept for long, replaced when it fails.

The SDK could reopen links by itself, but not when several tasks use one: each would close what the other has
just opened. So it is told not to retry, and opening happens here, one at a time.
"""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog
from azure.servicebus.aio import ServiceBusReceiver, ServiceBusSender
from azure.servicebus.exceptions import (
    MessageAlreadySettled,
    MessageLockLostError,
    OperationTimeoutError,
    ServiceBusQuotaExceededError,
    ServiceBusServerBusyError,
)

from opal.errors import LockLost, QueueUnavailable

_log = structlog.get_logger(__name__)

SILENCES = 3
"""Answers in a row that did not come, after which a link counts as dead. Replacing it earlier would cost the
locks of the messages in hand because of one slow answer: Service Bus ties them to the link."""

_CLOSE_S = 5.0
_SURVIVED = (TimeoutError, OperationTimeoutError, ServiceBusServerBusyError, ServiceBusQuotaExceededError)

S = TypeVar("S", ServiceBusReceiver, ServiceBusSender)
T = TypeVar("T")


class ServiceBusLink(Generic[S]):
    """A sender or receiver of the SDK, made by ``make``. ``call`` from any task of one event loop."""

    def __init__(self, name: str, make: Callable[[], S], answer_s: float) -> None:
        self._name = name
        self._make: Callable[[], S] = make
        self._answer_s = answer_s
        self._sdk: S | None = None
        self._opening: asyncio.Task[S] | None = None
        self._silences = 0
        self._closed = False
        self._leaving: set[asyncio.Task[None]] = set()

    async def call(self, work: Callable[[S], Awaitable[T]], *, within_s: float | None = None) -> T:
        """What ``work`` gives with the open link, within ``answer_s`` unless said otherwise.

        Raises ``LockLost``, and ``QueueUnavailable`` for everything else that can go wrong.
        """
        sdk = await self.open()
        try:
            async with asyncio.timeout(within_s or self._answer_s):
                result = await work(sdk)
        except (MessageLockLostError, MessageAlreadySettled) as error:
            raise LockLost from error
        # Everything: when a link breaks under several tasks, the SDK raises ValueError and the like too.
        except Exception as error:
            self._silences += isinstance(error, TimeoutError | OperationTimeoutError)
            if not isinstance(error, _SURVIVED) or self._silences >= SILENCES:
                self.replace(sdk)
            raise QueueUnavailable(f"{self._name}: {_told(error)}") from error
        self._silences = 0
        return result

    async def call_again(self, work: Callable[[S], Awaitable[T]]) -> T:
        """As ``call``, and once more when that fails; for work that may be done twice.

        A link is detached by the service after ten idle minutes, which shows at the next call only.
        """
        try:
            return await self.call(work)
        except QueueUnavailable:
            return await self.call(work)

    async def open(self) -> S:
        """The link, opened if it is not. Raises ``QueueUnavailable``."""
        if self._closed:
            raise QueueUnavailable(f"{self._name} is closed")
        if self._sdk is not None:
            return self._sdk
        if self._opening is None:
            self._opening = asyncio.create_task(self._open())
            self._opening.add_done_callback(self._opened)
        # Never cancelled: interrupted here, the SDK leaves the socket open. It ends by its own limit.
        return await asyncio.shield(self._opening)

    def replace(self, sdk: S) -> None:
        """Have the next call open a new link; this one is closed in the background."""
        if self._sdk is sdk:
            self._sdk = None
            _log.info("link replaced", action="queue.link_replaced", link=self._name)
            self._leave(sdk)

    async def close(self) -> None:
        """Close for good; messages that were under way to a receiver go back to the queue."""
        self._closed = True
        sdk, self._sdk = self._sdk, None
        if self._opening is not None:
            await asyncio.wait({self._opening}, timeout=_CLOSE_S)
        if sdk is not None:
            self._leave(sdk)
        if self._leaving:
            await asyncio.wait(self._leaving)

    async def _open(self) -> S:
        sdk: S = self._make()
        try:
            await sdk.__aenter__()
        except Exception as error:
            self._leave(sdk)
            raise QueueUnavailable(f"{self._name}: {_told(error)}") from error
        if self._closed:
            self._leave(sdk)
            raise QueueUnavailable(f"{self._name} is closed")
        self._silences = 0
        self._sdk = sdk
        return sdk

    def _opened(self, opening: asyncio.Task[S]) -> None:
        self._opening = None
        # Looked at even when all who waited for it have been cancelled.
        if not opening.cancelled():
            opening.exception()

    def _leave(self, sdk: S) -> None:
        leaving = asyncio.create_task(_close(sdk))
        self._leaving.add(leaving)
        leaving.add_done_callback(self._leaving.discard)


async def _close(sdk: ServiceBusReceiver | ServiceBusSender) -> None:
    try:
        async with asyncio.timeout(_CLOSE_S):
            await sdk.close()
    except Exception as error:  # it was broken before, or the service is away: nothing is left to do
        _log.debug("link not closed", action="queue.link_not_closed", error=repr(error))


def _told(error: Exception) -> str:
    return str(error) or type(error).__name__

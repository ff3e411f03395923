"""Keeps an item's lease while a handler works on it, and stops the work when the lease is lost.

Used by the handlers of both workers: ``async with LeaseKeeper(renew, lease_s): ...``.
"""

import asyncio
from collections.abc import Awaitable, Callable
from types import TracebackType

import structlog

from opal.errors import LeaseLost

_log = structlog.get_logger(__name__)

_RENEWALS_PER_LEASE = 3
_RETRIES_PER_LEASE = 10
_LET_GO_S = 1.0


class LeaseKeeper:
    """Renews a lease three times per lease period; the lease must have been taken just before.

    ``renew`` extends the lease in the database by ``lease_s`` and returns False when it belongs to
    somebody else now. A renewal that raises is tried again until the lease has ended. When the lease is
    lost, the block is cancelled and ``LeaseLost`` comes out of it, so no result of it may count.
    """

    def __init__(self, renew: Callable[[], Awaitable[bool]], lease_s: float) -> None:
        self._renew = renew
        self._lease_s = lease_s
        self._lost = False
        self._ended = asyncio.Event()
        self._owner: asyncio.Task[object] | None = None
        self._cancellations_before = 0
        self._renewing: asyncio.Task[None] | None = None

    async def __aenter__(self) -> None:
        owner = asyncio.current_task()
        assert owner is not None
        self._owner = owner
        self._cancellations_before = owner.cancelling()
        self._renewing = asyncio.create_task(self._keep())

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._owner is not None
        assert self._renewing is not None
        self._ended.set()
        try:
            # A renewal under way may finish: cutting a database call off costs its connection.
            await asyncio.wait([self._renewing], timeout=_LET_GO_S)
        except asyncio.CancelledError:
            # Ours, raised at this first await because the block ended without another one; or a
            # stranger's, which goes on its way.
            if not self._lost or self._owner.cancelling() > self._cancellations_before + 1:
                raise
        finally:
            self._renewing.cancel()
        if not self._lost:
            return
        if self._owner.uncancel() > self._cancellations_before:
            return  # cancelled from outside as well: that cancellation goes on
        if error is None or isinstance(error, asyncio.CancelledError):
            raise LeaseLost from error

    async def _keep(self) -> None:
        loop = asyncio.get_running_loop()
        ends_at = loop.time() + self._lease_s
        pause = self._lease_s / _RENEWALS_PER_LEASE
        while not await self._ends_within(pause):
            asked_at = loop.time()
            try:
                # At least one try even when we were stopped past the end: the database decides.
                async with asyncio.timeout(max(ends_at - asked_at, self._lease_s / _RETRIES_PER_LEASE)):
                    renewed = await self._renew()
            except Exception as error:  # the database is away, or whatever else kept us from renewing
                _log.warning("lease not renewed", action="lease.renew_failed", error=repr(error))
                left = ends_at - loop.time()
                if left <= 0:
                    self._lose()
                    return
                pause = min(self._lease_s / _RETRIES_PER_LEASE, left)
                continue
            if not renewed:
                self._lose()
                return
            ends_at = asked_at + self._lease_s
            pause = self._lease_s / _RENEWALS_PER_LEASE

    async def _ends_within(self, seconds: float) -> bool:
        """Wait ``seconds``; True as soon as the block has ended."""
        try:
            async with asyncio.timeout(seconds):
                await self._ended.wait()
        except TimeoutError:
            return False
        return True

    def _lose(self) -> None:
        # The block's last act gives the lease up by itself, and a renewal that came after it is no loss.
        if not self._ended.is_set():
            _log.warning("lease lost", action="lease.lost")
            self._lost = True
            assert self._owner is not None
            self._owner.cancel()

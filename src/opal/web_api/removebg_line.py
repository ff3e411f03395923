"""The waiting line of those who wait for one picture: how many are worked on, how many may wait.

Called by ``removebg.py``. Whoever is cancelled leaves the line.
"""

import asyncio
from collections import Counter, deque
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from weakref import WeakValueDictionary

from opal.settings import RemoveBgSettings
from opal.web_api.removebg_errors import Refused

_BODIES_IN_MEMORY = 4
"""JSON and plain forms are taken apart whole; more at a time wait in their files."""


class WaitingLine:
    """One per process."""

    def __init__(self, settings: RemoveBgSettings) -> None:
        self._most = settings.concurrency + settings.waiting
        # Half of it, so that no tenant alone can fill it, with pictures or with bodies that hardly move.
        self._most_of_one = max(1, self._most // 2)
        self._inside: Counter[str] = Counter()
        self.working = asyncio.Semaphore(settings.concurrency)
        """Held while one picture is looked at, cut out, made and charged: all of it our own work."""
        self.unpacking = asyncio.Semaphore(_BODIES_IN_MEMORY)
        """Held while a body that has arrived is taken apart in memory."""
        self._fetching = asyncio.Semaphore(settings.concurrency)
        self._fetching_of: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._fetched_by_one = max(1, settings.concurrency // 2)
        self._budget = _Budget(settings.megapixels)

    @property
    def inside(self) -> int:
        """How many are in the line."""
        return self._inside.total()

    @contextmanager
    def place(self, tenant_id: str) -> Iterator[None]:
        """A place in the line, from before the body is read to the answer. Raises ``Refused`` with a 429."""
        if self._inside[tenant_id] >= self._most_of_one:
            raise Refused("too_many_requests", "Too many of yours are waiting; try again in a moment.")
        if self.inside >= self._most:
            raise Refused("too_many_requests", "Too many requests are waiting; try again in a moment.")
        self._inside[tenant_id] += 1
        try:
            yield
        finally:
            self._inside[tenant_id] -= 1
            if not self._inside[tenant_id]:
                del self._inside[tenant_id]

    @asynccontextmanager
    async def fetching(self, tenant_id: str) -> AsyncIterator[None]:
        """Held while a picture is downloaded; one tenant's slow servers hold at most half of these places."""
        own = self._fetching_of.get(tenant_id) or asyncio.Semaphore(self._fetched_by_one)
        self._fetching_of[tenant_id] = own
        async with own, self._fetching:
            yield

    @asynccontextmanager
    async def pixels(self, megapixels: float) -> AsyncIterator[None]:
        """Room in memory for a picture of that size; first come, first served."""
        taken = await self._budget.take(megapixels)
        try:
            yield
        finally:
            self._budget.give_back(taken)


class _Budget:
    """A semaphore with weights; what weighs more than there is takes all of it."""

    def __init__(self, most: float) -> None:
        self._most = most
        self._free = float(most)
        self._queue: deque[tuple[float, asyncio.Future[None]]] = deque()

    async def take(self, weight: float) -> float:
        weight = min(weight, self._most)
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((weight, turn))
        self._serve()
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give_back(weight)
            else:
                self._queue.remove((weight, turn))
                self._serve()
            raise
        return weight

    def give_back(self, weight: float) -> None:
        self._free += weight
        self._serve()

    def _serve(self) -> None:
        while self._queue and self._queue[0][0] <= self._free:
            weight, turn = self._queue.popleft()
            if turn.cancelled():
                continue
            self._free -= weight
            turn.set_result(None)

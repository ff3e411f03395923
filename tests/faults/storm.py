"""Ends workers again and again while they work. Called by the experiments and by their controls."""

import asyncio
import random
import signal
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

from tests.faults.process_server import Entry, Process
from tests.faults.rig import Rig, until

LIFE_S = {"laptop": (1.0, 3.0), "Azure": (3.0, 6.0)}
"""A worker lives about two seconds; in Azure's life it takes some to find all its servers."""
_CALM_SHARE = 0.02
"""The last items are not struck: on a busy machine they would be struck for ever."""
_LONGEST_END_S = 60.0


@dataclass(frozen=True, slots=True)
class End:
    """How a process ended."""

    exit_code: int
    seconds: float


@dataclass(slots=True)
class Storm:
    """Starts a process per entry, ends each after a while drawn at random, and starts it again."""

    rig: Rig
    rng: random.Random
    entries: Sequence[Entry]
    how: signal.Signals = signal.SIGKILL
    """SIGKILL is for the process alone: what it started has to see for itself that nobody needs it any more.
    Any other is for the whole group, as a platform does that stops a container."""
    listening: bool = False
    """Whether a signal waits for the process to have a handler for it. Before, it has taken no work."""
    ends: list[End] = field(default_factory=list)
    _calm: asyncio.Event = field(default_factory=asyncio.Event)

    async def rage(self, items: int, limit_s: float) -> bool:
        """Until all but a few of the ``items`` have ended; then wait for the rest.

        False when there is nothing left that could end them, or time is up.
        """
        give_up_at = time.monotonic() + limit_s
        async with asyncio.TaskGroup() as tasks:
            for entry in self.entries:
                tasks.create_task(self._strike(entry))
            await until(lambda: self._nearly_done(items), limit_s)
            self._calm.set()
        await until(self.rig.quiet, give_up_at - time.monotonic())
        return await self.rig.at_rest()

    async def _nearly_done(self, items: int) -> bool:
        return await self.rig.unfinished() <= items * _CALM_SHARE or await self.rig.quiet()

    async def _strike(self, entry: Entry) -> None:
        while True:
            process = self.rig.start(entry)
            try:
                async with asyncio.timeout(self.rng.uniform(*LIFE_S[self.rig.life])):
                    await self._calm.wait()
            except TimeoutError:
                await self._end(process)
            else:
                return

    async def _listens(self, process: Process) -> bool:
        return process.heeds(self.how)

    async def _end(self, process: Process) -> None:
        assert process.exit_code() is None, process.tail()
        if self.listening:
            assert await until(lambda: self._listens(process)), process.tail()
        since = time.monotonic()
        process.signal(self.how, group=self.how is not signal.SIGKILL)
        code = await process.ended(_LONGEST_END_S)
        self.ends.append(End(code, time.monotonic() - since))

"""What every sender does around its work: look regularly, and end without cutting off more than it must.

Called by `webhook_sender` and `delivery_sender`, which run in web-api.
"""

import asyncio
from collections.abc import Awaitable, Callable, Collection


async def look_until(
    stop: asyncio.Event, look: Callable[[], Awaitable[None]], wake: asyncio.Event, every_s: float
) -> None:
    """Call ``look`` every ``every_s`` seconds, and whenever ``wake`` is set, until ``stop`` is."""
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stop.is_set():
            wake.clear()
            await look()
            woken = asyncio.create_task(wake.wait())
            await asyncio.wait({stopped, woken}, timeout=every_s, return_when=asyncio.FIRST_COMPLETED)
            woken.cancel()
    finally:
        stopped.cancel()


async def end_within(tasks: Collection[asyncio.Task[None]], grace_s: float) -> None:
    """Give tasks ``grace_s`` seconds to end, then cancel those that have not, and wait for them."""
    if not tasks:
        return
    _, cut_off = await asyncio.wait(tasks, timeout=grace_s)
    for task in cut_off:
        task.cancel()
    await asyncio.gather(*cut_off, return_exceptions=True)

"""Ending a worker: the signals that ask for it, and what happens to work in hand. Used by ``loop.py``."""

import asyncio
import signal
from collections.abc import Callable, Iterator, Set
from contextlib import contextmanager

import structlog

_log = structlog.get_logger(__name__)

UNWIND_S = 2.2
"""Time for interrupted handlers to let go of their lease and give their message back."""


@contextmanager
def stop_on_signals() -> Iterator[asyncio.Event]:
    """An event that SIGTERM or SIGINT sets. Further signals change nothing: a terminal's Ctrl-C reaches
    a supervised worker twice, once directly and once through its supervisor.
    """
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()

    def request(name: str) -> None:
        if not stop.is_set():
            _log.info("shutdown requested", action="worker.stopping", signal=name)
            stop.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, request, number.name)
    try:
        yield stop
    finally:
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)


async def drain(in_hand: Set[asyncio.Task[None]], interrupt: Callable[[], int], grace_s: float) -> None:
    """Let the tasks ``in_hand`` finish for ``grace_s``, then ``interrupt`` the rest and see it unwound."""
    if not in_hand:
        return
    _, unfinished = await asyncio.wait(in_hand, timeout=grace_s)
    if not unfinished:
        return
    _log.info("work interrupted", action="worker.interrupting", messages=interrupt())
    _, stuck = await asyncio.wait(unfinished, timeout=UNWIND_S)
    for task in stuck:
        # Its message and lease end by themselves.
        _log.error("work does not end", action="worker.stuck")
        task.cancel()

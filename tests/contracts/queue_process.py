"""A process of its own at an embedded queue, started by ``test_local_queues.py``.

``queue_process.py ROLE FOLDER LOCK_S POLL_S``; says what it sees on stdout, a line each.
"""

import asyncio
import resource
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

from opal.platform_settings import QueueSettings
from opal.queues.interface import Receiver
from opal.queues.local import LocalQueues


def _say(text: str) -> None:
    sys.stdout.write(f"{text}\n")
    sys.stdout.flush()


async def consume(queues: LocalQueues, receiver: Receiver) -> None:
    """Complete messages, saying their ids, until the queue is empty."""
    _say("ready")
    while True:
        for message in await receiver.receive(5, 0.5):
            await receiver.complete(message)
            _say(message.message_id)
        if (await queues.depth("jobs")).active == 0:
            return


async def hold(queues: LocalQueues, receiver: Receiver) -> None:
    """Receive one message and do nothing with it."""
    (message,) = await receiver.receive(1, 60)
    _say(message.message_id)
    await asyncio.Event().wait()


async def time_messages(queues: LocalQueues, receiver: Receiver) -> None:
    """Say how long each message travelled; its body is the monotonic time of sending, which all
    processes of a machine share."""
    await receiver.receive(1, 0)
    _say("ready")
    while True:
        for message in await receiver.receive(1, 60):
            _say(str(time.monotonic_ns() - int(message.body)))
            await receiver.complete(message)


async def idle(queues: LocalQueues, receiver: Receiver) -> None:
    """Wait for nothing, and say how many seconds of CPU that took."""
    await receiver.receive(1, 0)
    before = resource.getrusage(resource.RUSAGE_SELF)
    await receiver.receive(1, 3)
    after = resource.getrusage(resource.RUSAGE_SELF)
    _say(str(after.ru_utime - before.ru_utime + after.ru_stime - before.ru_stime))


ROLES: dict[str, Callable[[LocalQueues, Receiver], Awaitable[None]]] = {
    role.__name__: role for role in (consume, hold, time_messages, idle)
}


async def main() -> None:
    """Play the role that the command line names."""
    role, folder, lock_s, poll_s = sys.argv[1:]
    settings = QueueSettings(lock_s=float(lock_s), poll_s=float(poll_s))
    queues = LocalQueues(Path(folder) / "queues.sqlite", Path(folder) / "run", settings)
    receiver = queues.receiver("jobs")
    await ROLES[role](queues, receiver)
    await receiver.close()
    await queues.close()


if __name__ == "__main__":
    asyncio.run(main())

"""A worker process told to stop: it ends with 0, and what it had in hand can be taken by another."""

import asyncio
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from opal.messages.job_message import JobMessage
from opal.platform_settings import QueueSettings
from opal.queues.interface import Outgoing
from opal.queues.local import LocalQueues

WORKER = """
import asyncio, sys
from pathlib import Path
from opal.messages.job_message import JobMessage
from opal.queues.local import LocalQueues
from opal.platform_settings import QueueSettings
from opal.settings import WorkerSettings, load_settings
from opal.telemetry import configure
from opal.worker.loop import WorkerLoop
from opal.worker.settlement import Done
from opal.worker.shutdown import stop_on_signals

class Handler:
    async def handle(self, message, delivery):
        print("handling", flush=True)
        await asyncio.Event().wait()
        return Done()

async def main():
    folder = Path(sys.argv[1])
    queues = LocalQueues(folder / "queues.sqlite", folder / "run", QueueSettings(lock_s=300))
    settings = WorkerSettings(grace_s=0.3)
    with stop_on_signals() as stop:
        print("ready", flush=True)
        await WorkerLoop(queues, "jobs", JobMessage, Handler(), settings=settings).run(stop)
    await queues.close()

configure(load_settings(), "worker")
asyncio.run(main())
"""


@contextmanager
def _worker(folder: Path) -> Iterator[subprocess.Popen[str]]:
    with subprocess.Popen(
        [sys.executable, "-c", WORKER, str(folder)], stdout=subprocess.PIPE, text=True
    ) as process:
        try:
            yield process
        finally:
            process.kill()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
@pytest.mark.parametrize("busy", [False, True])
async def test_a_signal_ends_a_worker_with_0_and_frees_its_messages(
    tmp_path: Path, number: signal.Signals, busy: bool
) -> None:
    queues = LocalQueues(tmp_path / "queues.sqlite", tmp_path / "run", QueueSettings(lock_s=300))
    if busy:
        message = JobMessage(tenant_id="t", job_id="j", item_id="i", epoch=0, correlation_id="c")
        await queues.send("jobs", [Outgoing(message.message_id, message.encode())])
    with _worker(tmp_path) as process:
        assert process.stdout is not None
        for line in ["ready", "handling"] if busy else ["ready"]:
            assert (await asyncio.to_thread(process.stdout.readline)).strip() == line
        started = time.monotonic()
        process.send_signal(number)
        process.send_signal(number)
        assert await asyncio.to_thread(process.wait, 30) == 0
        assert time.monotonic() - started < 10
    receiver = queues.receiver("jobs")
    assert len(await receiver.receive(1, 0)) == busy
    await receiver.close()
    await queues.close()

"""What only the embedded queue has: several processes on one file, doorbells, files that break."""

import asyncio
import sqlite3
import statistics
import subprocess
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from itertools import chain
from pathlib import Path
from typing import IO

import pytest

from opal.errors import QueueUnavailable
from opal.platform_settings import QueueSettings
from opal.queues.interface import Outgoing, Received
from opal.queues.local import LocalQueues

# A lock and a safety poll so long that only a doorbell can explain a message that comes soon.
SETTINGS = QueueSettings(lock_s=300, poll_s=60, max_delivery_count=2000)
SOON_S = 15.0


@pytest.fixture
async def queues(tmp_path: Path) -> AsyncIterator[LocalQueues]:
    queues = LocalQueues(tmp_path / "queues.sqlite", tmp_path / "run", SETTINGS)
    yield queues
    await queues.close()


@contextmanager
def _process(
    role: str, folder: Path, *, lock_s: float = 300, poll_s: float = 60
) -> Iterator[subprocess.Popen[str]]:
    script = Path(__file__).with_name("queue_process.py")
    process = subprocess.Popen(
        [sys.executable, str(script), role, str(folder), str(lock_s), str(poll_s)],
        stdout=subprocess.PIPE,
        text=True,
    )
    with process:
        try:
            yield process
        finally:
            process.kill()


def _out(process: subprocess.Popen[str]) -> IO[str]:
    assert process.stdout is not None
    return process.stdout


def _line(process: subprocess.Popen[str]) -> str:
    return _out(process).readline().strip()


def _messages(count: int) -> list[Outgoing]:
    return [Outgoing(f"item_{n}:0", b"{}") for n in range(count)]


async def test_four_processes_share_two_thousand_messages(queues: LocalQueues, tmp_path: Path) -> None:
    await queues.send("jobs", _messages(2000))
    with (
        _process("consume", tmp_path, poll_s=0.5) as one,
        _process("consume", tmp_path, poll_s=0.5) as two,
        _process("consume", tmp_path, poll_s=0.5) as three,
        _process("consume", tmp_path, poll_s=0.5) as four,
    ):
        outputs = await asyncio.gather(
            *(asyncio.to_thread(_out(process).read) for process in (one, two, three, four))
        )
    consumed = [[line for line in output.split() if line != "ready"] for output in outputs]
    assert Counter(chain.from_iterable(consumed)) == Counter(f"item_{n}:0" for n in range(2000))
    assert sum(bool(ids) for ids in consumed) > 1
    depth = await queues.depth("jobs")
    assert (depth.active, depth.scheduled, depth.dead) == (0, 0, 0)


async def test_the_message_of_a_killed_process_comes_back_when_its_lock_ends(
    queues: LocalQueues, tmp_path: Path
) -> None:
    await queues.send("jobs", _messages(1))
    with _process("hold", tmp_path, lock_s=1.5) as holder:
        assert await asyncio.to_thread(_line, holder) == "item_0:0"
        received_at = time.monotonic()
        holder.kill()
        receiver = queues.receiver("jobs")
        (message,) = await receiver.receive(1, 30)
    assert message.delivery_count == 2
    assert 1.0 < time.monotonic() - received_at < 10
    await receiver.complete(message)
    await receiver.close()


async def test_a_message_reaches_an_idle_process_in_less_than_50_ms(
    queues: LocalQueues, tmp_path: Path
) -> None:
    times: list[float] = []
    # With the default safety poll: without the doorbell the median would be half of it.
    with _process("time_messages", tmp_path, poll_s=1) as process:
        assert await asyncio.to_thread(_line, process) == "ready"
        for number in range(30):
            await queues.send("jobs", [Outgoing(f"item_{number}:0", str(time.monotonic_ns()).encode())])
            times.append(int(await asyncio.to_thread(_line, process)) / 1e6)
    assert statistics.median(times) < 50, f"milliseconds: {sorted(times)}"


async def test_an_idle_receiver_costs_next_to_nothing(tmp_path: Path) -> None:
    with _process("idle", tmp_path, poll_s=1) as process:
        seconds = float(await asyncio.to_thread(_line, process))
    assert seconds / 3 < 0.01


async def test_an_abandoned_and_a_redriven_message_wake_others(queues: LocalQueues) -> None:
    first, second = queues.receiver("jobs"), queues.receiver("jobs")
    await queues.send("jobs", _messages(1))
    (message,) = await first.receive(1, 0)
    async with asyncio.timeout(SOON_S):
        waiting = asyncio.create_task(second.receive(1, 60))
        await queues.depth("jobs")
        await first.abandon(message)
        (message,) = await waiting
        await second.dead_letter(message, "Poison", "")
        waiting = asyncio.create_task(first.receive(1, 60))
        await queues.depth("jobs")
        await queues.redrive("jobs")
        assert len(await waiting) == 1
    await first.close()
    await second.close()


async def test_what_becomes_due_is_received_without_a_bell_or_a_poll(queues: LocalQueues) -> None:
    receiver = queues.receiver("jobs")
    due = datetime.now(UTC) + timedelta(seconds=0.5)
    await queues.send("jobs", [Outgoing("item_1:0", b"", not_before=due)])
    async with asyncio.timeout(SOON_S):
        assert len(await receiver.receive(1, 60)) == 1
    await receiver.close()


async def test_a_receive_cancelled_at_any_moment_leaves_the_message_to_others(queues: LocalQueues) -> None:
    await queues.send("jobs", _messages(1))
    other = queues.receiver("jobs")
    deliveries = 0
    for turns in range(0, 200, 4):
        receiver = queues.receiver("jobs")
        receiving = asyncio.create_task(receiver.receive(1, 60))
        for _turn in range(turns):
            await asyncio.sleep(0)
        if receiving.done():
            await receiver.abandon(receiving.result()[0])
            deliveries += 1
        receiving.cancel()
        async with asyncio.timeout(SOON_S):
            (message,) = await other.receive(1, 60)
        deliveries += 1
        # What was locked by a receive that nobody waited for any more is not a delivery.
        assert message.delivery_count == deliveries
        await other.abandon(message)
        await receiver.close()
    await other.close()


async def test_the_sockets_are_private_and_the_dead_ones_go(queues: LocalQueues, tmp_path: Path) -> None:
    with _process("time_messages", tmp_path) as process:
        assert await asyncio.to_thread(_line, process) == "ready"
        (bell,) = (tmp_path / "run").iterdir()
        assert (tmp_path / "run").stat().st_mode & 0o777 == 0o700
    assert bell.exists()
    await queues.send("jobs", _messages(1))
    assert not bell.exists()


async def test_without_its_socket_a_receiver_polls_and_binds_again(tmp_path: Path) -> None:
    queues = LocalQueues(
        tmp_path / "queues.sqlite", tmp_path / "run", SETTINGS.model_copy(update={"poll_s": 0.3})
    )
    receiver = queues.receiver("jobs")
    assert await receiver.receive(1, 0) == []
    (bell,) = (tmp_path / "run").iterdir()
    waiting = asyncio.create_task(receiver.receive(1, 60))
    await queues.depth("jobs")
    bell.unlink()
    await queues.send("jobs", _messages(1))
    async with asyncio.timeout(SOON_S):
        assert len(await waiting) == 1
    assert await receiver.receive(1, 0) == []
    assert bell.exists()
    await receiver.close()
    assert not bell.exists()
    await queues.close()


async def test_where_no_socket_can_be_the_queue_still_works(tmp_path: Path) -> None:
    (tmp_path / "run").write_bytes(b"not a folder")
    queues = LocalQueues(
        tmp_path / "queues.sqlite", tmp_path / "run", SETTINGS.model_copy(update={"poll_s": 0.2})
    )
    receiver = queues.receiver("jobs")
    waiting = asyncio.create_task(receiver.receive(1, 60))
    await queues.depth("jobs")
    await queues.send("jobs", _messages(1))
    async with asyncio.timeout(SOON_S):
        assert len(await waiting) == 1
    await receiver.close()
    await queues.close()


async def test_many_may_open_a_new_file_at_once(tmp_path: Path) -> None:
    several = [LocalQueues(tmp_path / "queues.sqlite", tmp_path / "run", SETTINGS) for _ in range(8)]
    await asyncio.gather(*(queues.check() for queues in several))
    await asyncio.gather(
        *(queues.send("jobs", [Outgoing(f"item_{n}:0", b"")]) for n, queues in enumerate(several))
    )
    assert (await several[0].depth("jobs")).active == 8
    for queues in several:
        await queues.close()


async def test_the_file_may_be_deleted_while_all_run(queues: LocalQueues, tmp_path: Path) -> None:
    receiver = queues.receiver("jobs")
    await queues.send("jobs", _messages(3))
    assert len(await receiver.receive(1, 0)) == 1
    (tmp_path / "queues.sqlite").unlink()
    assert await receiver.receive(1, 0) == []
    # The same ids again: the file knew which ids were sent, and it is gone.
    await queues.send("jobs", _messages(3))
    assert len(await receiver.receive(5, 0)) == 3
    await receiver.close()


def _received() -> Received:
    now = datetime.now(UTC)
    return Received("jobs", "item_0:0", b"", "", {}, 1, 1, now, now, "token")


CALLS: dict[str, Callable[[LocalQueues], Awaitable[object]]] = {
    "send": lambda queues: queues.send("jobs", _messages(1)),
    "peek": lambda queues: queues.peek("jobs"),
    "redrive": lambda queues: queues.redrive("jobs"),
    "depth": lambda queues: queues.depth("jobs"),
    "check": lambda queues: queues.check(),
    "receive": lambda queues: queues.receiver("jobs").receive(1, 0),
    "complete": lambda queues: queues.receiver("jobs").complete(_received()),
    "abandon": lambda queues: queues.receiver("jobs").abandon(_received()),
    "dead_letter": lambda queues: queues.receiver("jobs").dead_letter(_received(), "", ""),
    "renew": lambda queues: queues.receiver("jobs").renew(_received()),
}


def _folder_in_the_way(path: Path) -> None:
    path.mkdir()


def _no_database(path: Path) -> None:
    path.write_bytes(b"this is no database" * 500)


def _from_the_future(path: Path) -> None:
    with sqlite3.connect(path) as db:
        db.execute("PRAGMA user_version = 999")
    db.close()


@pytest.mark.parametrize("breaks", [_folder_in_the_way, _no_database, _from_the_future])
@pytest.mark.parametrize("call", CALLS)
async def test_whatever_is_wrong_with_the_file_the_queue_is_unavailable(
    tmp_path: Path, call: str, breaks: Callable[[Path], None]
) -> None:
    breaks(tmp_path / "queues.sqlite")
    # No runtime folder: the receivers of this test are not closed, so they must not hold a socket.
    (tmp_path / "run").write_bytes(b"")
    queues = LocalQueues(tmp_path / "queues.sqlite", tmp_path / "run", SETTINGS)
    with pytest.raises(QueueUnavailable):
        await CALLS[call](queues)
    await queues.close()


@pytest.mark.parametrize("call", CALLS)
async def test_closed_queues_are_unavailable(queues: LocalQueues, tmp_path: Path, call: str) -> None:
    (tmp_path / "run").write_bytes(b"")
    await queues.close()
    with pytest.raises(QueueUnavailable):
        await CALLS[call](queues)


@pytest.mark.parametrize("name", ["", "Jobs", "jobs/../x", "jobs.1", "j" * 40])
async def test_a_queue_has_a_plain_name(queues: LocalQueues, name: str) -> None:
    with pytest.raises(ValueError, match="queue name"):
        await queues.send(name, _messages(1))
    with pytest.raises(ValueError, match="queue name"):
        queues.receiver(name)

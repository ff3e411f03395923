"""Messages per second and how long one takes, of the embedded queue and of Service Bus, by concurrency.

Service Bus is the tests' own server on this machine: what is measured is the adapter and the SDK, not Azure,
whose round trips come on top. Prints tables and writes `benchmarks/results/queues.json`.
"""

import argparse
import asyncio
import json
import logging
import os
import platform
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
# The server of Service Bus is the tests' own.
sys.path.insert(0, str(ROOT))

from tests.servicebus.queues import servicebus_queues  # noqa: E402
from tests.servicebus.server import running_server  # noqa: E402

from opal.platform_settings import QueueSettings  # noqa: E402
from opal.queues import servicebus  # noqa: E402
from opal.queues.interface import Outgoing, Queues, Received, Receiver  # noqa: E402
from opal.queues.local import LocalQueues  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "queues.json"
SETTINGS = QueueSettings(lock_s=60)
BODY = b'{"version":1,"tenant_id":"t","job_id":"job","item_id":"item","epoch":0,"correlation_id":"c"}'
BATCH = 100
"""How many messages the outbox relay sends at a time."""


@dataclass(frozen=True, slots=True)
class Figures:
    """One run: messages per second through the queue, and milliseconds from send to receipt of a lone one."""

    implementation: str
    concurrency: int
    socket_s: float | None
    sent_per_s: float
    handled_per_s: float
    settle_p50_ms: float
    settle_p99_ms: float
    lone_p50_ms: float
    lone_p99_ms: float


async def measure(queues: Queues, concurrency: int, messages: int, lone: int) -> tuple[float, ...]:
    """The figures of one run, in the order of ``Figures``."""
    receiver = queues.receiver("jobs")
    await receiver.receive(1, 0.01)
    await queues.send("jobs", [Outgoing("warm:0", BODY)])
    await receiver.complete(*(await receiver.receive(1, 5)))
    started = time.perf_counter()
    for first in range(0, messages, BATCH):
        await queues.send("jobs", [Outgoing(f"item_{first + n}:0", BODY) for n in range(BATCH)])
    sent = messages / (time.perf_counter() - started)
    started = time.perf_counter()
    settled = await _drain(receiver, concurrency, messages)
    handled = messages / (time.perf_counter() - started)
    travelled = await _lone(queues, receiver, lone)
    await receiver.close()
    return (sent, handled, *_percentiles(settled), *_percentiles(travelled))


async def _drain(receiver: Receiver, concurrency: int, messages: int) -> list[float]:
    """Receive and complete all as the worker's loop does; seconds that each settlement took."""
    taken: list[float] = []
    in_hand: set[asyncio.Task[None]] = set()

    async def settle(message: Received) -> None:
        started = time.perf_counter()
        await receiver.complete(message)
        taken.append(time.perf_counter() - started)

    received = 0
    while received < messages:
        while len(in_hand) >= concurrency:
            _done, in_hand = await asyncio.wait(in_hand, return_when=asyncio.FIRST_COMPLETED)
        for message in await receiver.receive(min(concurrency - len(in_hand), messages - received), 5):
            received += 1
            in_hand.add(asyncio.create_task(settle(message)))
    await asyncio.wait(in_hand)
    return taken


async def _lone(queues: Queues, receiver: Receiver, count: int) -> list[float]:
    """Seconds from the start of a send to the message in the hand of a receiver that waits."""
    times = []
    for number in range(count):
        waiting = asyncio.create_task(receiver.receive(1, 10))
        await asyncio.sleep(0.02 + number % 7 * 0.01)
        started = time.perf_counter()
        await queues.send("jobs", [Outgoing(f"lone_{number}:0", BODY)])
        (message,) = await waiting
        times.append(time.perf_counter() - started)
        await receiver.complete(message)
    return times


def _percentiles(seconds: Sequence[float]) -> tuple[float, float]:
    cuts = statistics.quantiles(seconds, n=100, method="inclusive")
    return cuts[49] * 1e3, cuts[98] * 1e3


@asynccontextmanager
async def _local() -> AsyncIterator[Queues]:
    with tempfile.TemporaryDirectory() as folder:
        queues = LocalQueues(Path(folder) / "queues.sqlite", Path(folder) / "run", SETTINGS)
        yield queues
        await queues.close()


@asynccontextmanager
async def _servicebus() -> AsyncIterator[Queues]:
    with running_server() as server, servicebus_queues(server.namespace, SETTINGS) as (queues, _settings):
        yield queues
        await queues.close()


async def run(messages: int, lone: int, concurrencies: Sequence[int]) -> list[Figures]:
    """Every implementation at every concurrency, and Service Bus with other waits for a frame."""
    found = []
    for concurrency in concurrencies:
        async with _local() as queues:
            figures = await measure(queues, concurrency, messages, lone)
            found.append(Figures("local", concurrency, None, *figures))
            _print(found[-1])
        async with _servicebus() as queues:
            figures = await measure(queues, concurrency, messages, lone)
            found.append(Figures("servicebus", concurrency, servicebus.SOCKET_S, *figures))
            _print(found[-1])
    return found


async def busy_while_idle(socket_s: float, seconds: float = 3.0) -> tuple[float, float]:
    """Milliseconds that a settlement takes while another receive waits, and the CPU's share of waiting."""
    servicebus.SOCKET_S = socket_s
    async with _servicebus() as queues:
        receiver = queues.receiver("jobs")
        await queues.send("jobs", [Outgoing(f"item_{n}:0", BODY) for n in range(20)])
        held = [message for _ in range(20) for message in await receiver.receive(1, 5)]
        cpu, started = time.process_time(), time.perf_counter()
        waiting = asyncio.create_task(receiver.receive(1, seconds + 10))
        await asyncio.sleep(seconds)
        idle = (time.process_time() - cpu) / (time.perf_counter() - started)
        taken = []
        for message in held:
            await asyncio.sleep(0.03)
            settling = time.perf_counter()
            await receiver.complete(message)
            taken.append(time.perf_counter() - settling)
        await receiver.close()
        await waiting
    return statistics.median(taken) * 1e3, idle


def _print(each: Figures) -> None:
    print(
        f"| {each.implementation} | {each.concurrency} | {each.sent_per_s:.0f} | {each.handled_per_s:.0f} "
        f"| {each.settle_p50_ms:.1f} | {each.settle_p99_ms:.1f} "
        f"| {each.lone_p50_ms:.1f} | {each.lone_p99_ms:.1f} |"
    )


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--messages", type=int, default=1000, help="per run, in hundreds")
    parser.add_argument("--lone", type=int, default=100, help="messages whose way alone is timed")
    parser.add_argument("--concurrency", default="1,2,4,16", help="messages in hand at a time")
    options = parser.parse_args()
    logging.disable(logging.ERROR)
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}\n")
    print("| queue | concurrency | sent/s | handled/s | settle p50 ms | p99 | lone message p50 ms | p99 |")
    print("|---|---|---|---|---|---|---|---|")
    concurrencies = [int(each) for each in options.concurrency.split(",")]
    found = asyncio.run(run(options.messages, options.lone, concurrencies))
    print("\n| wait for a frame, s | settle while a receive waits, ms | CPU while waiting |\n|---|---|---|")
    waits = {}
    for socket_s in (0.2, 0.1, 0.05, 0.02, 0.01):
        waits[socket_s] = asyncio.run(busy_while_idle(socket_s))
        print(f"| {socket_s} | {waits[socket_s][0]:.1f} | {waits[socket_s][1]:.2%} |")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps({"runs": [asdict(each) for each in found], "waits": waits}, indent=2))


if __name__ == "__main__":
    main()

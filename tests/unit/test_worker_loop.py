"""The worker loop on the real embedded queue: what becomes of a message, whatever its handler does."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path

import pytest
import structlog

from opal.errors import QueueUnavailable, ScoringBusy
from opal.messages.job_message import JobMessage
from opal.platform_settings import QueueSettings
from opal.queues.interface import Outgoing
from opal.queues.local import LocalQueues
from opal.settings import WorkerSettings
from opal.worker.loop import WorkerLoop
from opal.worker.settlement import Dead, Delivery, Done, Later, Outcome
from opal.worker.shutdown import UNWIND_S

QUEUE_SETTINGS = QueueSettings(lock_s=0.6, poll_s=0.5)
SETTINGS = WorkerSettings(concurrency=2, retry_base_s=0.1, retry_max_s=1.0, grace_s=20)
PROMPT_S = 20.0

Handle = Callable[[JobMessage, Delivery], Awaitable[Outcome]]


class Recorder:
    """A handler that notes what it is called with and then does what the test wants."""

    def __init__(self, handle: Handle) -> None:
        self._handle = handle
        self.calls: list[tuple[str, int]] = []
        self.called = asyncio.Event()

    async def handle(self, message: JobMessage, delivery: Delivery) -> Outcome:
        self.calls.append((message.item_id, delivery.count))
        self.called.set()
        return await self._handle(message, delivery)


def _message(number: int) -> Outgoing:
    message = JobMessage(
        tenant_id="acme", job_id="job_1", item_id=f"item_{number}", epoch=0, correlation_id=f"corr-{number}"
    )
    return Outgoing(message.message_id, message.encode(), message.correlation_id)


@pytest.fixture
async def queues(tmp_path: Path) -> AsyncIterator[LocalQueues]:
    queues = LocalQueues(tmp_path / "data" / "queues.sqlite", tmp_path / "run", QUEUE_SETTINGS)
    yield queues
    await queues.close()


@asynccontextmanager
async def _running(
    queues: LocalQueues, handler: Recorder, settings: WorkerSettings = SETTINGS
) -> AsyncIterator[asyncio.Event]:
    """A worker at work; at the end it is stopped and has finished."""
    stop = asyncio.Event()
    loop = WorkerLoop(queues, "jobs", JobMessage, handler, settings=settings)
    running = asyncio.create_task(loop.run(stop))
    try:
        async with asyncio.timeout(PROMPT_S):
            yield stop
    finally:
        stop.set()
        async with asyncio.timeout(PROMPT_S):
            await running


async def _left(queues: LocalQueues) -> tuple[int, int]:
    """Messages waiting or locked, and dead letters."""
    depth = await queues.depth("jobs")
    return depth.active + depth.scheduled, depth.dead


async def test_every_message_is_handled_once_and_removed(queues: LocalQueues) -> None:
    all_handled = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        assert delivery.correlation_id == message.correlation_id
        if len(handler.calls) == 5:
            all_handled.set()
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(n) for n in range(5)])
    async with _running(queues, handler):
        await all_handled.wait()
    assert sorted(handler.calls) == [(f"item_{n}", 1) for n in range(5)]
    assert await _left(queues) == (0, 0)


async def test_the_log_context_of_a_handler_is_its_own_item(queues: LocalQueues) -> None:
    contexts: dict[str, dict[str, object]] = {}
    both, both_noted = asyncio.Barrier(2), asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        await both.wait()
        contexts[message.item_id] = dict(structlog.contextvars.get_contextvars())
        if len(contexts) == 2:
            both_noted.set()
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(n) for n in range(2)])
    async with _running(queues, handler):
        await both_noted.wait()
    for number in range(2):
        context = contexts[f"item_{number}"]
        assert context["item_id"] == f"item_{number}"
        assert context["correlation_id"] == f"corr-{number}"
        assert (context["tenant_id"], context["job_id"], context["queue"]) == ("acme", "job_1", "jobs")
    assert "item_id" not in structlog.contextvars.get_contextvars()


async def test_no_more_messages_are_in_hand_than_allowed(queues: LocalQueues) -> None:
    in_hand = most = 0
    all_handled = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        nonlocal in_hand, most
        in_hand += 1
        most = max(most, in_hand)
        await queues.depth("jobs")
        in_hand -= 1
        if len(handler.calls) == 12:
            all_handled.set()
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(n) for n in range(12)])
    async with _running(queues, handler):
        await all_handled.wait()
    assert most == 2


async def test_a_message_that_nobody_can_read_becomes_a_dead_letter_and_holds_nobody_up(
    queues: LocalQueues,
) -> None:
    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [Outgoing("a", b"\xff no json"), Outgoing("b", b'{"version": 1}'), _message(1)])
    async with _running(queues, handler):
        await handler.called.wait()
    assert handler.calls == [("item_1", 1)]
    assert await _left(queues) == (0, 2)
    dead = await queues.peek("jobs", dead=True)
    assert [(one.message_id, one.dead_letter_reason) for one in dead] == [
        ("a", "InvalidMessage"),
        ("b", "InvalidMessage"),
    ]
    assert all(one.dead_letter_description for one in dead)


@pytest.mark.parametrize("error", [RuntimeError("a bug"), ScoringBusy(), KeyError("x")], ids=type)
async def test_a_handler_that_raises_is_called_again_after_a_while(
    queues: LocalQueues, error: Exception
) -> None:
    failed_at = 0.0
    again = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        nonlocal failed_at
        if delivery.count == 1:
            failed_at = time.monotonic()
            raise error
        again.set()
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1)])
    async with _running(queues, handler):
        await again.wait()
        assert time.monotonic() - failed_at >= 0.8 * SETTINGS.retry_base_s
    assert handler.calls == [("item_1", 1), ("item_1", 2)]
    assert await _left(queues) == (0, 0)


async def test_a_handler_can_ask_for_later_and_for_an_operator(queues: LocalQueues) -> None:
    asked_at = 0.0
    ended = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        nonlocal asked_at
        if delivery.count == 1:
            asked_at = time.monotonic()
            return Later(timedelta(seconds=0.4), "somebody else works on it")
        ended.set()
        return Dead("Hopeless", "tried everything")

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1)])
    async with _running(queues, handler):
        await ended.wait()
        assert time.monotonic() - asked_at >= 0.39
    (dead,) = await queues.peek("jobs", dead=True)
    assert (dead.dead_letter_reason, dead.dead_letter_description) == ("Hopeless", "tried everything")


async def test_a_message_stays_locked_while_its_handler_works(queues: LocalQueues) -> None:
    other = queues.receiver("jobs")

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        assert await other.receive(1, QUEUE_SETTINGS.lock_s * 3) == []
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1)])
    async with _running(queues, handler):
        await handler.called.wait()
    assert handler.calls == [("item_1", 1)]
    assert await _left(queues) == (0, 0)
    await other.close()


async def test_a_lost_lock_brings_the_message_back_and_harms_nothing(queues: LocalQueues) -> None:
    again = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        if delivery.count == 1:
            # The whole process stands still past the end of the lock, as under SIGSTOP.
            time.sleep(QUEUE_SETTINGS.lock_s * 1.5)  # noqa: ASYNC251
            await queues.depth("jobs")
        else:
            again.set()
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1)])
    async with _running(queues, handler):
        await again.wait()
    assert handler.calls == [("item_1", 1), ("item_1", 2)]
    assert await _left(queues) == (0, 0)


async def test_work_whose_lock_is_lost_is_cancelled_and_nothing_is_settled_for_it(
    queues: LocalQueues,
) -> None:
    ended: list[str] = []
    again = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        if delivery.count > 1:
            again.set()
            return Done()
        time.sleep(QUEUE_SETTINGS.lock_s * 1.5)  # noqa: ASYNC251 - as above
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            ended.append(message.item_id)
            raise
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1)])
    with structlog.testing.capture_logs() as logs:
        async with _running(queues, handler):
            await again.wait()
    assert ended == ["item_1"]
    # By its own number: a copy, or a give-back of a message that is no longer ours, would be another.
    assert handler.calls == [("item_1", 1), ("item_1", 2)]
    assert await _left(queues) == (0, 0)
    actions = [entry["action"] for entry in logs]
    assert actions.count("message.lock_lost") == 1
    assert "message.later" not in actions


async def test_a_stopped_worker_finishes_what_is_in_hand_and_takes_nothing_new(queues: LocalQueues) -> None:
    finish = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        await finish.wait()
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1)])
    async with _running(queues, handler) as stop:
        await handler.called.wait()
        stop.set()
        await queues.send("jobs", [_message(2)])
        await queues.depth("jobs")
        finish.set()
    assert handler.calls == [("item_1", 1)]
    (left,) = await queues.peek("jobs")
    assert (left.message_id, left.delivery_count) == ("item_2:0", 0)


async def test_work_past_the_grace_is_interrupted_and_its_message_given_back(queues: LocalQueues) -> None:
    let_go: list[str] = []
    both_in_hand = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        if len(handler.calls) == 2:
            both_in_hand.set()
        try:
            await asyncio.Event().wait()
        finally:
            let_go.append(message.item_id)
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1), _message(2)])
    started = time.monotonic()
    async with _running(queues, handler, SETTINGS.model_copy(update={"grace_s": 0.2})) as stop:
        await both_in_hand.wait()
        stop.set()
    assert time.monotonic() - started < PROMPT_S / 2
    assert sorted(let_go) == ["item_1", "item_2"]
    receiver = queues.receiver("jobs")
    assert len(await receiver.receive(2, 0)) == 2
    await receiver.close()


async def test_a_worker_whose_queue_is_away_works_when_it_comes(queues: LocalQueues, tmp_path: Path) -> None:
    in_the_way = tmp_path / "data"
    in_the_way.write_bytes(b"a file where the folder should be")

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        return Done()

    handler = Recorder(handle)
    async with _running(queues, handler):
        for _ in range(3):
            with pytest.raises(QueueUnavailable):
                await queues.check()
        in_the_way.unlink()
        await queues.send("jobs", [_message(1)])
        await handler.called.wait()
    assert await _left(queues) == (0, 0)


def _lead(link: Path, target: Path) -> None:
    """At once, so that a worker which asks meanwhile cannot put a new file into the gap."""
    new = link.with_suffix(".new")
    new.symlink_to(target)
    new.replace(link)


async def test_work_done_while_the_queue_is_away_is_settled_when_it_comes_back(tmp_path: Path) -> None:
    # A lock that outlives the outage, so that the settlement itself has to get through.
    folder, home = tmp_path / "data", tmp_path / "home"
    home.mkdir()
    folder.symlink_to(home)
    settings = QUEUE_SETTINGS.model_copy(update={"lock_s": 60.0})
    queues = LocalQueues(folder / "queues.sqlite", tmp_path / "run", settings)
    finish = asyncio.Event()

    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        await finish.wait()
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1)])
    async with _running(queues, handler):
        await handler.called.wait()
        _lead(folder, tmp_path / "nowhere")
        finish.set()
        for _ in range(3):
            with pytest.raises(QueueUnavailable):
                await queues.check()
        _lead(folder, home)
    assert handler.calls == [("item_1", 1)]
    assert await _left(queues) == (0, 0)
    await queues.close()


async def test_a_handler_that_will_not_let_go_cannot_hold_a_stopped_worker_up(queues: LocalQueues) -> None:
    async def handle(message: JobMessage, delivery: Delivery) -> Outcome:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()
        return Done()

    handler = Recorder(handle)
    await queues.send("jobs", [_message(1)])
    started = time.monotonic()
    async with _running(queues, handler, SETTINGS.model_copy(update={"grace_s": 0.1})) as stop:
        await handler.called.wait()
        stop.set()
    assert time.monotonic() - started < UNWIND_S + 5
    # It was not settled; it comes back by itself when its lock ends.
    receiver = queues.receiver("jobs")
    assert len(await receiver.receive(1, 10)) == 1
    await receiver.close()

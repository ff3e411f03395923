"""What an error does to its message, and how long a message stays away."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import cast

import pytest

from opal.errors import (
    DependencyError,
    Interrupted,
    InvalidMessage,
    LeaseLost,
    NoProductFound,
    OpalError,
    QueueUnavailable,
    ScoringBusy,
    walk,
)
from opal.queues.interface import Received, Receiver
from opal.settings import WorkerSettings
from opal.worker.settlement import Dead, Later, LockRenewal, outcome_of, retry_delay

SETTINGS = WorkerSettings(retry_base_s=2.0, retry_max_s=120.0)


def test_a_message_that_nobody_can_read_goes_to_an_operator() -> None:
    assert outcome_of(InvalidMessage("no JSON"), 1, SETTINGS) == Dead("InvalidMessage", "no JSON")


@pytest.mark.parametrize("error", [LeaseLost(), Interrupted()], ids=type)
def test_interrupted_work_comes_back_soon_however_often(error: Exception) -> None:
    outcome = outcome_of(error, 20, SETTINGS)
    assert isinstance(outcome, Later)
    assert outcome.delay == timedelta(seconds=2)


@pytest.mark.parametrize(
    "error", [ScoringBusy(), QueueUnavailable(), NoProductFound(), ValueError("a bug")], ids=type
)
def test_failed_work_comes_back_after_a_growing_while(error: Exception) -> None:
    for count, seconds in ((1, 2), (2, 4), (3, 8), (7, 120), (500, 120)):
        outcome = outcome_of(error, count, SETTINGS)
        assert isinstance(outcome, Later)
        assert 0.8 * seconds <= outcome.delay.total_seconds() <= 1.2 * seconds


def test_every_error_has_a_rule_and_only_an_unreadable_message_is_put_aside() -> None:
    # PhotoRefused and the command line's RequestRefused take a code; every other error needs no arguments.
    for kind in walk():
        own_code = kind.__init__ is not OpalError.__init__
        error = kind("photo", "why") if own_code else kind()  # type: ignore[call-arg]
        outcome = outcome_of(error, 1, SETTINGS)
        assert isinstance(outcome, Dead) == issubclass(kind, InvalidMessage), kind
        assert issubclass(kind, Interrupted | DependencyError | InvalidMessage) or isinstance(outcome, Later)


def test_retries_are_spread() -> None:
    delays = {retry_delay(3, SETTINGS) for _ in range(50)}
    assert len(delays) > 40
    assert max(delays) - min(delays) > timedelta(seconds=1)


class DeafReceiver:
    """Overhears the first cancellation, as Service Bus' SDK does with one that meets an answer."""

    def __init__(self) -> None:
        self.asked = asyncio.Event()

    async def renew(self, _message: Received) -> datetime:
        if not self.asked.is_set():
            self.asked.set()
            with suppress(asyncio.CancelledError):
                await asyncio.Event().wait()
        return datetime.now(UTC) + timedelta(seconds=0.2)


async def test_a_renewal_that_will_not_be_cancelled_ends_with_its_block() -> None:
    now = datetime.now(UTC)
    message = Received("jobs", "item_1:0", b"", "", {}, 1, 1, now, now + timedelta(seconds=0.2), "token")
    receiver = DeafReceiver()
    async with asyncio.timeout(10):
        async with LockRenewal(cast(Receiver, receiver), message, on_lost=lambda: None) as renewal:
            await receiver.asked.wait()
        assert not renewal.lost

"""A lease is renewed while its work runs, and the work ends when the lease does."""

import asyncio
import time

import pytest

from opal.errors import LeaseLost
from opal.worker.lease import LeaseKeeper

LEASE_S = 0.3


class Renewals:
    """A lease in a database that answers each renewal with the next of ``answers``, the last for ever."""

    def __init__(self, *answers: bool | Exception) -> None:
        self._answers = list(answers)
        self.asked = 0
        self.enough = asyncio.Event()

    async def __call__(self) -> bool:
        answer = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        if self.asked == 5:
            self.enough.set()
        if isinstance(answer, Exception):
            raise answer
        return answer


async def test_a_lease_is_renewed_for_as_long_as_the_work_takes() -> None:
    renewals = Renewals(True)
    started = time.monotonic()
    async with LeaseKeeper(renewals, LEASE_S):
        await renewals.enough.wait()
    assert time.monotonic() - started >= 4.9 * LEASE_S / 3
    asked = renewals.asked
    await asyncio.sleep(LEASE_S)
    assert renewals.asked == asked


async def test_work_ends_when_the_lease_belongs_to_somebody_else() -> None:
    cleaned_up = False

    async def work() -> None:
        nonlocal cleaned_up
        try:
            await asyncio.Event().wait()
        finally:
            cleaned_up = True

    with pytest.raises(LeaseLost):
        async with LeaseKeeper(Renewals(True, False), LEASE_S):
            await work()
    assert cleaned_up
    task = asyncio.current_task()
    assert task is not None
    assert task.cancelling() == 0
    await asyncio.sleep(0)


async def test_a_result_does_not_count_when_the_lease_was_lost_at_the_last_moment() -> None:
    lost = asyncio.Event()

    async def renew() -> bool:
        lost.set()
        return False

    with pytest.raises(LeaseLost):
        async with LeaseKeeper(renew, LEASE_S):
            # The renewer answers first and cancels us while we are about to run, without another await.
            await lost.wait()


async def test_renewal_failures_are_survived_while_the_lease_lasts() -> None:
    renewals = Renewals(ConnectionError(), ConnectionError(), True)
    async with LeaseKeeper(renewals, LEASE_S):
        await renewals.enough.wait()


@pytest.mark.parametrize("hangs", [False, True])
async def test_a_lease_that_cannot_be_renewed_is_lost_at_its_end_and_not_before(hangs: bool) -> None:
    async def renew() -> bool:
        if hangs:
            await asyncio.Event().wait()
        raise ConnectionError

    started = time.monotonic()
    with pytest.raises(LeaseLost):
        async with LeaseKeeper(renew, LEASE_S):
            await asyncio.Event().wait()
    assert LEASE_S * 0.99 <= time.monotonic() - started < 10


async def test_the_works_own_error_comes_through() -> None:
    with pytest.raises(KeyError):
        async with LeaseKeeper(Renewals(True), LEASE_S):
            raise KeyError


async def test_an_error_raised_while_unwinding_a_lost_lease_comes_through() -> None:
    async def work() -> None:
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            raise KeyError from None

    with pytest.raises(KeyError):
        async with LeaseKeeper(Renewals(False), LEASE_S):
            await work()


async def test_a_cancellation_from_outside_stays_one() -> None:
    entered = asyncio.Event()

    async def work() -> None:
        async with LeaseKeeper(Renewals(True), LEASE_S):
            entered.set()
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await entered.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task


async def test_a_cancellation_from_outside_wins_over_a_lost_lease() -> None:
    cancelled = asyncio.Event()

    async def work() -> None:
        async with LeaseKeeper(Renewals(False), LEASE_S):
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                cancelled.set()
                await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await cancelled.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert task.cancelled()

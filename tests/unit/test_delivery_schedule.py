"""The schedule of deliveries, and how long a failing target is left alone."""

from datetime import timedelta

from opal.delivery_sender.schedule import SCHEDULE_S
from opal.outgoing.patience import pause_after, wait_after


def test_the_schedule_is_longer_than_a_day_and_ends() -> None:
    waits = [wait_after(SCHEDULE_S, tries, 0) for tries in range(1, len(SCHEDULE_S) + 1)]
    assert [wait and wait.total_seconds() for wait in waits] == list(SCHEDULE_S)
    assert sum(SCHEDULE_S) > 24 * 3600
    assert wait_after(SCHEDULE_S, len(SCHEDULE_S) + 1, 0) is None
    assert wait_after(SCHEDULE_S, 1, 1) == timedelta(seconds=5.5)
    assert [pause_after(tries).seconds for tries in (1, 2, 3, 100)] == [5, 10, 20, 300]

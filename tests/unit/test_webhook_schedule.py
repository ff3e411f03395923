"""When a webhook is tried again: the specification's table, jitter on top, and what an endpoint asks for."""

from datetime import UTC, datetime, timedelta

import pytest

from opal.outgoing.patience import pause_after, wait_after
from opal.webhook_sender.schedule import SCHEDULE_S, retry_after

NOW = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)


def test_ten_tries_within_the_specifications_time() -> None:
    waits = [wait_after(SCHEDULE_S, attempts, 0.0) for attempts in range(1, 10)]
    assert None not in waits
    assert sum((wait for wait in waits if wait), timedelta()) == timedelta(hours=75, minutes=35, seconds=5)
    assert wait_after(SCHEDULE_S, 10, 0.0) is None
    assert wait_after(SCHEDULE_S, 11, 0.0) is None


def test_jitter_only_ever_adds_a_tenth() -> None:
    for attempts, seconds in enumerate(SCHEDULE_S, 1):
        assert wait_after(SCHEDULE_S, attempts, 0.5) == timedelta(seconds=seconds * 1.05)
        assert wait_after(SCHEDULE_S, attempts, 1.0) == timedelta(seconds=seconds * 1.1)


def test_an_endpoint_is_left_alone_no_longer_than_a_delivery_waits_anyway() -> None:
    assert [pause_after(failures).total_seconds() for failures in (1, 2, 3, 7, 100, 10**6)] == [
        *(5, 10, 20, 300, 300, 300)
    ]
    assert all(pause_after(tries).total_seconds() <= wait for tries, wait in enumerate(SCHEDULE_S, 1))


@pytest.mark.parametrize(
    ("value", "seconds"),
    [
        ("0", 0),
        (" 120 ", 120),
        ("9" * 5000, 3600),
        ("Mon, 02 Mar 2026 12:10:00 GMT", 600),
        ("Mon, 02 Mar 2026 12:10:00 -0000", 600),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 3600),
        ("Mon, 02 Mar 2026 11:00:00 GMT", -3600),
        ("", None),
        ("soon", None),
        ("-5", None),
        ("١٢", None),
        ("Mon, 99 Mar 2026 12:10:00 GMT", None),
    ],
)
def test_retry_after(value: str, seconds: int | None) -> None:
    asked = retry_after({"retry-after": value}, NOW)
    assert asked == (None if seconds is None else NOW + timedelta(seconds=seconds))


def test_no_retry_after() -> None:
    assert retry_after({}, NOW) is None

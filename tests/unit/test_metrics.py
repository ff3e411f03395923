"""Who may read the figures, and that no label grows without bounds."""

import pytest
from prometheus_client import REGISTRY
from pydantic import SecretStr

from opal.errors import PhotoCorrupt
from opal.telemetry import metrics
from opal.telemetry.metrics_access import may_read_metrics


@pytest.mark.parametrize(
    ("client", "headers", "key", "allowed"),
    [
        ("127.0.0.1", {"host": "127.0.0.1:8080"}, None, True),
        ("::1", {"host": "127.0.0.1:8080"}, None, True),
        ("::ffff:127.0.0.1", {"host": "127.0.0.1:8080"}, None, True),
        *(("127.0.0.1", {"host": name}, None, True) for name in ("localhost", "LOCALHOST:1", "[::1]:80")),
        *(
            ("127.0.0.1", {"host": name}, None, False)
            for name in ("", "evil.test", "evil.test:80", "a@b", "[")
        ),
        *(("127.0.0.1", {"host": name}, None, False) for name in ("localhost.evil.test", "127.0.0.1.nip.io")),
        ("127.0.0.1", {}, None, False),
        ("10.0.0.7", {"host": "127.0.0.1"}, None, False),
        (None, {}, None, False),
        ("a.sock", {}, None, False),
        ("127.0.0.1", {"host": "localhost", "x-forwarded-for": "127.0.0.1"}, None, False),
        ("127.0.0.1", {"host": "localhost", "forwarded": "for=1.2.3.4"}, None, False),
        ("10.0.0.7", {"authorization": "Bearer right-right-right"}, "right-right-right", True),
        ("10.0.0.7", {"authorization": "bearer right-right-right"}, "right-right-right", True),
        ("10.0.0.7", {"authorization": "Basic right-right-right"}, "right-right-right", False),
        ("10.0.0.7", {"authorization": "Bearer wrong"}, "right-right-right", False),
        ("127.0.0.1", {}, "right-right-right", False),
    ],
)
def test_who_may_read_figures(
    client: str | None, headers: dict[str, str], key: str | None, allowed: bool
) -> None:
    assert may_read_metrics(client, headers, None if key is None else SecretStr(key)) is allowed


def test_what_strangers_send_becomes_no_label_of_its_own() -> None:
    assert metrics.method_label("GET") == "GET"
    assert metrics.method_label("BREW-7f3a") == metrics.OTHER
    assert metrics.code_label(PhotoCorrupt.code) == PhotoCorrupt.code
    assert metrics.code_label("a_code_of_another_endpoint") == metrics.OTHER


def test_a_step_that_fails_is_measured_too() -> None:
    labels = {"stage": "process", "step": "of_this_test"}
    with pytest.raises(ValueError, match="no"), metrics.timed_step(**labels):
        raise ValueError("no")
    assert REGISTRY.get_sample_value("opal_step_seconds_count", labels) == 1


def test_failures_are_counted_by_code() -> None:
    labels = {"stage": "of_this_test", "code": "image_corrupt", "final": "yes", "expected": "no"}
    metrics.count_failure("of_this_test", "image_corrupt", final=True, expected=False, times=3)
    assert REGISTRY.get_sample_value("opal_item_failures_total", labels) == 3

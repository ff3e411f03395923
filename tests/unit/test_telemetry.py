"""No secret may reach a log."""

import logging
from collections.abc import Iterator

import pytest
import structlog

from opal.settings import TelemetrySettings
from opal.telemetry import configure, redact


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (
            "PUT http://127.0.0.1:1/blobs/raw/a/b?sp=c&sig=SECRET failed",
            "PUT http://127.0.0.1:1/blobs/raw/a/b?[signature removed] failed",
        ),
        ("key opal_0a1b2c_deadbeefdeadbeef!", "key opal_0a1b2c_[secret removed]!"),
        ("Authorization: Bearer abc.def", "Authorization: Bearer [secret removed]"),
        ("secret whsec_MfKQ9r8GKYqr+wTwUPD8/ILPZIo2LaLaSw== made", "secret whsec_[secret removed] made"),
        ("nothing secret here?", "nothing secret here?"),
    ],
)
def test_redact(text: str, expected: str) -> None:
    assert redact(text) == expected


@pytest.fixture
def logging_restored() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers, root.level = handlers, level
    structlog.reset_defaults()


@pytest.mark.usefixtures("logging_restored")
@pytest.mark.parametrize("form", ["console", "json"])
def test_events_and_library_records_are_redacted(form: str, capsys: pytest.CaptureFixture[str]) -> None:
    configure(TelemetrySettings(format=form, level="DEBUG"), "web-api")
    structlog.get_logger().info("blob_written", url="http://x/y?sig=CANARY", item_id="item_1")
    structlog.get_logger().info("nested", urls=["http://x/y?sig=CANARY"], more={"header": ("Bearer CANARY",)})
    structlog.get_logger().info("relative", path="/blobs/raw/x?sp=r&sig=CANARY")
    logging.getLogger("some.library").warning("GET %s", "http://x/y?sig=CANARY")
    try:
        raise ValueError("http://x/y?sig=CANARY")
    except ValueError:
        structlog.get_logger().exception("failed")
    written = capsys.readouterr().err
    assert "CANARY" not in written
    assert "blob_written" in written
    assert "item_1" in written
    assert "some.library" in written or "GET" in written

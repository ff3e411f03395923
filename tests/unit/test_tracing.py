"""Spans: off they cost nothing, on they tell the truth, carry the trace over, and keep secrets."""

import asyncio
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest
import structlog
from pydantic import SecretStr
from tests.services.span_receiver import INSTRUMENTATION_KEY, SpanReceiver, span_receiver

from opal.errors import InvalidSettings, PhotoCorrupt, ScoringFailed
from opal.telemetry import tracing
from opal.telemetry.tracing import current_ids, span, span_after, traceparent
from opal.telemetry_settings import TelemetrySettings

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
CALLER = f"00-{TRACE}-00f067aa0ba902b7-01"


@pytest.fixture(scope="module")
def receiver() -> Iterator[SpanReceiver]:
    with span_receiver() as running:
        yield running


@pytest.fixture
def started(receiver: SpanReceiver) -> Iterator[SpanReceiver]:
    """Spans are made, and have all arrived once ``tracing.stop`` was called."""
    receiver.spans.clear()
    tracing.start(TelemetrySettings(otlp_endpoint=receiver.url), "web-api")
    yield receiver
    tracing.stop()


def test_off_nothing_is_imported_and_nothing_told() -> None:
    program = (
        "import sys\n"
        "from opal.telemetry import tracing\n"
        "from opal.settings import load_settings\n"
        "from opal import telemetry\n"
        "with telemetry.running(load_settings(), 'web-api'), tracing.span('x') as made:\n"
        "    made.note('a', 1), made.rename('y'), made.fail('z')\n"
        "    assert made.traceparent is None and tracing.traceparent() is None\n"
        "    assert tracing.current_ids() == {}\n"
        "assert not [name for name in sys.modules if name.startswith(('opentelemetry', 'azure'))]\n"
    )
    subprocess.run([sys.executable, "-c", program], check=True, timeout=60)


def test_spans_lie_below_each_other_and_carry_the_ids_of_the_log(started: SpanReceiver) -> None:
    with (
        structlog.contextvars.bound_contextvars(correlation_id="corr-1", item_id="item_1", other="no"),
        span_after(CALLER, "process jobs", "consumer", {"opal.item_id": "item_2"}) as outer,
        span("step", attributes={"left.out": None, "count": 3}),
    ):
        inner_ids = current_ids()
        assert inner_ids["trace_id"] == TRACE
        outer.rename("process exports")
        stored = traceparent()
    tracing.stop()
    inner, outer_seen = started.spans
    assert (outer_seen.name, outer_seen.kind, outer_seen.parent) == (
        "process exports",
        "consumer",
        "00f067aa0ba902b7",
    )
    assert (inner.name, inner.kind, inner.parent) == ("step", "internal", outer_seen.id)
    assert {inner.trace, outer_seen.trace} == {TRACE}
    assert stored == f"00-{TRACE}-{inner.id}-01"
    assert inner_ids["span_id"] == inner.id
    assert inner.attributes == {"count": 3, "opal.correlation_id": "corr-1", "opal.item_id": "item_1"}
    assert outer_seen.attributes == {"opal.correlation_id": "corr-1", "opal.item_id": "item_2"}
    assert inner.service == "web-api"


@pytest.mark.parametrize(
    ("error", "attributes", "failed"),
    [
        (PhotoCorrupt("secret-looking text"), {"opal.refused": "image_corrupt"}, False),
        (ScoringFailed("secret-looking text"), {"error.type": "scoring_failed"}, True),
        (ValueError("secret-looking text"), {"error.type": "ValueError"}, True),
    ],
)
def test_errors_are_noted_by_code_and_never_by_text(
    started: SpanReceiver, error: Exception, attributes: dict[str, str], failed: bool
) -> None:
    with pytest.raises(type(error)), span("step"):
        raise error
    tracing.stop()
    [seen] = started.spans
    assert (seen.attributes, seen.failed) == (attributes, failed)
    assert "secret-looking" not in started.raw[-1]


@pytest.mark.parametrize("parent", [None, "", "nonsense", "00-" + "0" * 32 + "-00f067aa0ba902b7-01"])
def test_what_is_no_trace_begins_a_new_one(started: SpanReceiver, parent: str | None) -> None:
    with span("around"), span_after(parent, "x", "server"):
        pass
    tracing.stop()
    inner, around = started.spans
    assert (inner.parent, around.parent) == ("", "")
    assert inner.trace != around.trace


def test_attributes_are_redacted(started: SpanReceiver) -> None:
    with span("x", attributes={"url": "http://x/y?sig=CANARY"}) as made:
        made.note("more", "Bearer CANARY-CANARY")
    tracing.stop()
    assert "signature removed" in started.raw[-1]
    assert "CANARY" not in started.raw[-1]


async def test_tasks_do_not_mix_their_spans(started: SpanReceiver) -> None:
    async def work(name: str) -> None:
        with span_after(None, name, "consumer"):
            await asyncio.sleep(0)
            with span(f"{name} step"):
                await asyncio.sleep(0)

    await asyncio.gather(*(work(f"task-{number}") for number in range(5)))
    tracing.stop()
    outer = {each.name: each for each in started.spans if each.kind == "consumer"}
    steps = [each for each in started.spans if each.kind == "internal"]
    assert len(outer) == len(steps) == 5
    assert all(step.parent == outer[step.name.removesuffix(" step")].id for step in steps)


def test_a_share_of_nothing_keeps_nothing_though_the_client_asks(receiver: SpanReceiver) -> None:
    receiver.spans.clear()
    tracing.start(TelemetrySettings(otlp_endpoint=receiver.url, sample_share=0), "web-api")
    with span_after(CALLER, "x", "server") as made:
        assert made.traceparent is not None
        assert made.traceparent.startswith(f"00-{TRACE}-")
        assert made.traceparent.endswith("-00")
    tracing.stop()
    assert not receiver.spans


def test_a_collector_that_is_silent_does_not_hold_up_the_end() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        tracing.start(TelemetrySettings(otlp_endpoint=url), "web-api")
        with span("x"):
            pass
        begun = time.monotonic()
        tracing.stop()
        # It waits for 3 s; what would be wrong is the exporter's own half a minute.
        assert time.monotonic() - begun < 15


@pytest.mark.parametrize(
    "given",
    [
        "",
        "InstrumentationKey=no-uuid",
        "IngestionEndpoint=http://127.0.0.1:1",
        f"InstrumentationKey={INSTRUMENTATION_KEY};IngestionEndpoint=banana",
        f"InstrumentationKey={INSTRUMENTATION_KEY};IngestionEndpoint=http://127.0.0.1:99999",
    ],
)
def test_a_wrong_connection_string_is_told_without_itself(given: str) -> None:
    settings = TelemetrySettings(azure_connection_string=SecretStr(given))
    with pytest.raises(InvalidSettings, match="OPAL_TELEMETRY_AZURE_CONNECTION_STRING") as told:
        tracing.start(settings, "web-api")
    assert not given or given not in str(told.value)


def test_azure_monitor_gets_the_same_spans(receiver: SpanReceiver) -> None:
    settings = TelemetrySettings(azure_connection_string=SecretStr(receiver.connection_string))
    tracing.start(settings, "web-api")
    with span_after(CALLER, "GET /v1/jobs", "server", {"http.request.method": "GET"}), span("ask", "client"):
        pass
    tracing.stop()
    asked, answered = receiver.azure
    assert (answered.kind, asked.kind) == ("request", "dependency")
    assert (answered.service, answered.trace) == ("opal.web-api", TRACE)
    assert answered.parent == "00f067aa0ba902b7"
    assert asked.parent == answered.id

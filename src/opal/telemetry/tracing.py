"""Spans: who waited for whom, from the first HTTP request to the last webhook, through both queues.

A trace travels as W3C's ``traceparent``: in HTTP headers, in outbox rows, and in the messages' properties.
Where the settings name nowhere to send spans, OpenTelemetry is not even imported and ``span`` does nothing.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

import structlog

from opal import __version__
from opal.errors import OpalError
from opal.telemetry.redaction import redact

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SpanExporter
    from opentelemetry.trace import Span as SdkSpan
    from opentelemetry.trace import Tracer

    from opal.telemetry_settings import TelemetrySettings

Kind = Literal["internal", "server", "client", "producer", "consumer"]
Value: TypeAlias = str | int | float | bool | None
Attributes: TypeAlias = Mapping[str, Value]

HEADER: Final = "traceparent"
"""The name of the HTTP header and of the messages' property (https://www.w3.org/TR/trace-context/)."""

_LAST_SPANS_S = 3.0
"""How long the end of a process waits for its last spans to be sent."""

_CONTEXT = ("correlation_id", "tenant_id", "job_id", "item_id", "queue", "message_id", "delivery")
"""Ids of the log context that every span carries as well."""


class Span:
    """One span under way; all of it does nothing where no spans are made."""

    def __init__(self, span: SdkSpan | None = None) -> None:
        self._span = span

    def note(self, name: str, value: Value) -> None:
        """Note an attribute; None is left out."""
        if self._span is not None and value is not None:
            self._span.set_attribute(name, redact(value) if isinstance(value, str) else value)

    def rename(self, name: str) -> None:
        """Give it the name that was not known in the beginning."""
        if self._span is not None:
            self._span.update_name(name)

    def fail(self, code: str) -> None:
        """Mark it as failed for a reason with this stable code."""
        if self._span is not None:
            from opentelemetry.trace import StatusCode  # noqa: PLC0415 - imported already where spans are made

            self._span.set_attribute("error.type", code)
            self._span.set_status(StatusCode.ERROR)

    @property
    def traceparent(self) -> str | None:
        """What a message or request carries, so that its receiver's spans come below this one."""
        if self._span is None:
            return None
        context = self._span.get_span_context()
        return f"00-{context.trace_id:032x}-{context.span_id:016x}-{int(context.trace_flags):02x}"


class _Tracing:
    """What this process makes spans with."""

    provider: TracerProvider | None = None
    tracer: Tracer | None = None


_NOTHING = Span()
_NONE: Attributes = {}


def start(settings: TelemetrySettings, service: str) -> None:
    """Make spans from now on, if the settings name somewhere to send them. Raises ``InvalidSettings``."""
    exporters: list[SpanExporter] = []
    # Imported here, as these packages take a second that no laptop should wait.
    if settings.otlp_endpoint is not None:
        from opal.telemetry.otlp import otlp_exporter  # noqa: PLC0415

        exporters.append(otlp_exporter(settings.otlp_endpoint))
    if settings.azure_connection_string is not None:
        from opal.telemetry.azure_monitor import azure_exporter  # noqa: PLC0415

        exporters.append(azure_exporter(settings.azure_connection_string.get_secret_value()))
    if not exporters:
        return
    from opentelemetry.sdk.resources import Resource  # noqa: PLC0415
    from opentelemetry.sdk.trace import TracerProvider  # noqa: PLC0415
    from opentelemetry.sdk.trace.export import BatchSpanProcessor  # noqa: PLC0415
    from opentelemetry.sdk.trace.sampling import TraceIdRatioBased  # noqa: PLC0415

    names = {"service.namespace": "opal", "service.name": service, "service.version": __version__}
    provider = TracerProvider(
        resource=Resource.create(names),
        # By the trace's id alone: every service decides alike, and no client decides for us.
        sampler=TraceIdRatioBased(settings.sample_share),
        shutdown_on_exit=False,
    )
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter, schedule_delay_millis=1000))
    _Tracing.provider = provider
    _Tracing.tracer = provider.get_tracer("opal", __version__)


def stop() -> None:
    """Send the last spans, for ``_LAST_SPANS_S`` at most, and make no more."""
    provider, _Tracing.provider, _Tracing.tracer = _Tracing.provider, None, None
    if provider is None:
        return
    # A collector that is away must not hold up the end of a service.
    sending = threading.Thread(target=provider.shutdown, name="last-spans", daemon=True)
    sending.start()
    sending.join(_LAST_SPANS_S)


@contextmanager
def span(name: str, kind: Kind = "internal", attributes: Attributes = _NONE) -> Iterator[Span]:
    """A span below the current one, around the block. An error that leaves the block is noted by its code."""
    tracer = _Tracing.tracer
    if tracer is None:
        yield _NOTHING
        return
    with _entered(tracer, name, kind, attributes, None) as entered:
        yield entered


@contextmanager
def span_after(parent: str | None, name: str, kind: Kind, attributes: Attributes = _NONE) -> Iterator[Span]:
    """A span below the one that ``parent``, a ``traceparent`` from elsewhere, names; else of a new trace."""
    tracer = _Tracing.tracer
    if tracer is None:
        yield _NOTHING
        return
    with _entered(tracer, name, kind, attributes, {HEADER: parent} if parent else {}) as entered:
        yield entered


def traceparent() -> str | None:
    """The current span's, for what is stored or sent from here; None where there is none."""
    current = _current()
    return None if current is None else Span(current).traceparent


def current_ids() -> dict[str, str]:
    """``trace_id`` and ``span_id`` of the current span, for logs; empty where there is none."""
    current = _current()
    if current is None:
        return {}
    context = current.get_span_context()
    return {"trace_id": f"{context.trace_id:032x}", "span_id": f"{context.span_id:016x}"}


def _current() -> SdkSpan | None:
    if _Tracing.tracer is None:
        return None
    from opentelemetry.trace import get_current_span  # noqa: PLC0415

    current = get_current_span()
    return current if current.get_span_context().is_valid else None


@contextmanager
def _entered(
    tracer: Tracer, name: str, kind: Kind, attributes: Attributes, carrier: Mapping[str, str] | None
) -> Iterator[Span]:
    from opentelemetry.context import Context  # noqa: PLC0415
    from opentelemetry.trace import SpanKind  # noqa: PLC0415
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator  # noqa: PLC0415

    # Without a carrier what is current is the parent; with one nothing here is.
    parent = None if carrier is None else TraceContextTextMapPropagator().extract(carrier, Context())
    with tracer.start_as_current_span(
        name,
        parent,
        SpanKind[kind.upper()],
        # An exception's text and traceback may quote secrets and photos' names.
        record_exception=False,
        set_status_on_exception=False,
    ) as started:
        entered = Span(started)
        for attribute, value in attributes.items():
            entered.note(attribute, value)
        try:
            yield entered
        except Exception as error:
            _note_error(entered, error)
            raise
        finally:
            _note_context(entered, started)


def _note_error(entered: Span, error: Exception) -> None:
    if isinstance(error, OpalError) and error.expected:
        entered.note("opal.refused", error.code)  # the client's own fault, or a part that is away for now
    else:
        entered.fail(str(getattr(error, "code", type(error).__name__)))


def _note_context(entered: Span, started: SdkSpan) -> None:
    """The ids of the log context, but for those that the span was told itself."""
    own: Mapping[str, object] = getattr(started, "attributes", None) or {}
    context = structlog.contextvars.get_contextvars()
    for name in _CONTEXT:
        if name in context and f"opal.{name}" not in own:
            entered.note(f"opal.{name}", context[name])

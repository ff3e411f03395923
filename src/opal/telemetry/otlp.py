"""Sends spans to any OpenTelemetry collector: OTLP over HTTP, protobuf. Imported only where one is named.

What a collector wants besides, as a header with a key, is read from OpenTelemetry's own variables
(``OTEL_EXPORTER_OTLP_HEADERS``).
"""

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

_TIMEOUT_S = 5


def otlp_exporter(endpoint: str) -> OTLPSpanExporter:
    """The exporter to the collector at the base URL ``endpoint``."""
    return OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces", timeout=_TIMEOUT_S)

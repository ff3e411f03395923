"""Both ends that spans are sent to, on one loopback port: an OpenTelemetry collector and Azure Monitor.

The collector speaks OTLP over HTTP (protobuf); Azure Monitor its ingestion protocol, JSON at ``/v2.1/track``.
"""

import gzip
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.common.v1.common_pb2 import AnyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span

INSTRUMENTATION_KEY = "00000000-0000-4000-8000-00000000cafe"


@dataclass(frozen=True, slots=True)
class Seen:
    """One span as it arrived; ids in hexadecimal, ``parent`` empty for the first of a trace."""

    service: str
    name: str
    kind: str
    trace: str
    id: str
    parent: str
    attributes: dict[str, Any]
    failed: bool = False


@dataclass(slots=True)
class SpanReceiver:
    """What has arrived at either end; ``raw`` are the bodies as text, to search."""

    url: str = ""
    spans: list[Seen] = field(default_factory=list)
    azure: list[Seen] = field(default_factory=list)
    raw: list[str] = field(default_factory=list)

    @property
    def connection_string(self) -> str:
        """What names the end that is Azure Monitor."""
        return f"InstrumentationKey={INSTRUMENTATION_KEY};IngestionEndpoint={self.url}/"

    def take(self, path: str, body: bytes) -> bytes:
        """Note what was sent; the answer to it."""
        if path == "/v1/traces":
            request = ExportTraceServiceRequest.FromString(body)
            self.raw.append(str(request))
            self.spans += _otlp_spans(request)
            return bytes(ExportTraceServiceResponse().SerializeToString())
        assert path.partition("?")[0] == "/v2.1/track", path
        envelopes = json.loads(body)
        self.raw.append(body.decode())
        self.azure += [_azure_span(each) for each in envelopes]
        return json.dumps(
            {"itemsReceived": len(envelopes), "itemsAccepted": len(envelopes), "errors": []}
        ).encode()

    def wait_for(self, seen: Callable[["SpanReceiver"], bool], timeout_s: float = 60.0) -> None:
        """Return once ``seen`` says that what was waited for is there."""
        give_up_at = time.monotonic() + timeout_s
        while not seen(self):
            assert time.monotonic() < give_up_at, sorted({each.name for each in self.spans})
            time.sleep(0.05)


@contextmanager
def span_receiver() -> Iterator[SpanReceiver]:
    """Both ends, while the block runs."""
    receiver = SpanReceiver()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            answer = receiver.take(self.path, body)
            self.send_response(200)
            self.send_header("Content-Type", self.headers["Content-Type"])
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver.url = f"http://127.0.0.1:{server.server_port}"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield receiver
        server.shutdown()


def _otlp_spans(request: ExportTraceServiceRequest) -> Iterator[Seen]:
    for resource in request.resource_spans:
        names = {each.key: _plain(each.value) for each in resource.resource.attributes}
        for scope in resource.scope_spans:
            for span in scope.spans:
                yield Seen(
                    service=names["service.name"],
                    name=span.name,
                    kind=Span.SpanKind.Name(span.kind).removeprefix("SPAN_KIND_").lower(),
                    trace=span.trace_id.hex(),
                    id=span.span_id.hex(),
                    parent=span.parent_span_id.hex(),
                    attributes={each.key: _plain(each.value) for each in span.attributes},
                    failed=span.status.code == 2,
                )


def _plain(value: AnyValue) -> Any:
    which = value.WhichOneof("value")
    return getattr(value, which) if which else None


def _azure_span(envelope: dict[str, Any]) -> Seen:
    """Azure Monitor knows requests, which a service answers, and dependencies, which it waits for."""
    assert envelope["iKey"] == INSTRUMENTATION_KEY
    data, tags = envelope["data"]["baseData"], envelope["tags"]
    return Seen(
        service=tags["ai.cloud.role"],
        name=data["name"],
        kind={"RequestData": "request", "RemoteDependencyData": "dependency"}[envelope["data"]["baseType"]],
        trace=tags["ai.operation.id"],
        id=data["id"],
        parent=tags.get("ai.operation.parentId", ""),
        attributes=data.get("properties") or {},
        failed=not data["success"],
    )

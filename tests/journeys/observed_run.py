"""Opal's five services as processes at DEBUG, every secret known, all that they tell collected.

PostgreSQL, signed pictures, a webhook, a delivery to S3; spans to a collector and to Azure Monitor at once.
"""

import secrets
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx
from cryptography.fernet import Fernet
from tests.journeys.opal_process import environment
from tests.services.delivery_places import BUCKET, s3_server
from tests.services.http_services import NO_CERTIFICATES
from tests.services.span_receiver import INSTRUMENTATION_KEY, SpanReceiver, span_receiver
from tests.unit.signing_chain import signing_files

from opal.cli.ports import free_ports

SERVICES = ("scoring", "web-api", "billing-service", "orchestrator", "export-worker")
TRACE = "0af7651916cd43dd8448eb211c80319c"
CALLER = "b7ad6b7169203331"
CORRELATION_ID = "corr-journey"
_READY_S = 90.0


@dataclass(slots=True)
class WebhookCatcher:
    """Where webhooks go; ``ids`` are the items and jobs that they told of, by the event's type."""

    url: str = ""
    told: list[str] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Service:
    """One process; its output goes to a file."""

    name: str
    log: Path
    process: subprocess.Popen[bytes]

    @classmethod
    def started(cls, name: str, log: Path, settings: dict[str, str]) -> "Service":
        """Start it."""
        command = (sys.executable, "-m", "opal", name)
        with log.open("wb") as output:
            process = subprocess.Popen(
                command, stdout=output, stderr=subprocess.STDOUT, env=environment(settings)
            )
        return cls(name, log, process)


@dataclass(slots=True)
class ObservedRun:
    """The running services and what was seen of them so far."""

    urls: dict[str, str]
    services: list[Service]
    spans: SpanReceiver
    webhooks: WebhookCatcher
    s3: str
    key: str
    canaries: dict[str, str]
    problems: list[str] = field(default_factory=list)

    def ask(self, method: str, path: str, *, to: str = "web-api", **request: Any) -> httpx.Response:
        """One request; the answer's text is kept where it is no success."""
        headers = {
            "X-API-Key": self.key,
            "X-Correlation-Id": CORRELATION_ID,
            **request.pop("headers", {}),
        }
        url = path if "://" in path else self.urls[to] + path
        answer = httpx.request(
            method, url, headers=headers, timeout=60, trust_env=False, verify=NO_CERTIFICATES, **request
        )
        if not answer.is_success:
            self.problems.append(f"{answer.status_code} {answer.headers} {answer.text}")
        return answer

    def told(self, method: str, path: str, **request: Any) -> dict[str, Any]:
        """The JSON of a success."""
        answer = self.ask(method, path, **request)
        assert answer.is_success, answer.text
        return dict(answer.json())

    def figures(self) -> dict[str, str]:
        """Every service's ``/metrics``."""
        headers = {"Authorization": f"Bearer {self.canaries['metrics key']}"}
        return {name: self.ask("GET", "/metrics", to=name, headers=headers).text for name in SERVICES}

    def logs(self) -> dict[str, str]:
        """What each service wrote."""
        return {service.name: service.log.read_text(errors="replace") for service in self.services}

    def wait_for(self, done: Any, what: str) -> None:
        """Return once ``done()`` holds."""
        give_up_at = time.monotonic() + _READY_S
        while not done():
            assert time.monotonic() < give_up_at, f"{what}\n{self.tail()}"
            time.sleep(0.1)

    def tail(self) -> str:
        """The end of every log."""
        return "\n".join(f"--- {name}\n{text[-3000:]}" for name, text in self.logs().items())

    def stop(self) -> None:
        """End the services, which then send their last spans."""
        for service in self.services:
            service.process.terminate()
        for service in self.services:
            try:
                service.process.wait(30)
            except subprocess.TimeoutExpired:
                service.process.kill()
                service.process.wait()


def make_canaries(folder: Path) -> tuple[dict[str, str], dict[str, str]]:
    """Secrets by name, and the settings that hold them."""
    signing = signing_files(folder)
    assert signing.certificate is not None
    assert signing.key is not None
    canaries = {
        "scoring key, as Azure ML's": secrets.token_urlsafe(32),
        "metrics key": secrets.token_urlsafe(32),
        "sealing key": Fernet.generate_key().decode(),
        "signing key": signing.key.read_text().splitlines()[1],
        "S3 secret": secrets.token_urlsafe(30),
        "bad API key": secrets.token_hex(24),
        "bad key without a shape": secrets.token_hex(24),
        "bad scoring key": secrets.token_urlsafe(32),
        "SAS of another": secrets.token_urlsafe(32),
        "instrumentation key": INSTRUMENTATION_KEY,
    }
    settings = {
        "OPAL_SCORING_KEY": canaries["scoring key, as Azure ML's"],
        "OPAL_TELEMETRY_METRICS_KEY": canaries["metrics key"],
        "OPAL_DELIVERY_KEY": canaries["sealing key"],
        "OPAL_SIGNING_CERTIFICATE": str(signing.certificate),
        "OPAL_SIGNING_KEY": str(signing.key),
    }
    return canaries, settings


@contextmanager
def observed_run(folder: Path, database_url: str, password: str, key: str) -> Iterator[ObservedRun]:
    """The services, ready; ``key`` is an API key of a tenant with credits in the database."""
    canaries, settings = make_canaries(folder)
    canaries |= {"database password": password, "API key": key.rpartition("_")[2]}
    ports = dict(zip(SERVICES, free_ports(len(SERVICES)), strict=True))
    urls = {name: f"http://127.0.0.1:{port}" for name, port in ports.items()}
    with ExitStack() as stack:
        spans = stack.enter_context(span_receiver())
        webhooks = stack.enter_context(_webhook_catcher())
        common = {
            **settings,
            "OPAL_DATA_DIR": str(folder / "data"),
            "OPAL_DATABASE_URL": database_url,
            "OPAL_LOG_LEVEL": "DEBUG",
            "OPAL_LOG_FORMAT": "json",
            "OPAL_OUTGOING_PRIVATE_ADDRESSES": "allow",
            "OPAL_SCORING_PORT": str(ports["scoring"]),
            "OPAL_SCORING_URL": f"{urls['scoring']}/score",
            "OPAL_TELEMETRY_AZURE_CONNECTION_STRING": spans.connection_string,
            "OPAL_TELEMETRY_OTLP_ENDPOINT": spans.url,
            "OPAL_WEB_BILLING_PORT": str(ports["billing-service"]),
            "OPAL_WEB_PORT": str(ports["web-api"]),
            "OPAL_WEBHOOK_POLL_S": "0.1",
            "OPAL_DELIVERY_POLL_S": "0.1",
        }
        run = ObservedRun(urls, [], spans, webhooks, s3_server(), key, canaries)
        stack.callback(run.stop)
        for name in SERVICES:
            own = {**common, "OPAL_WORKER_HEALTH_PORT": str(ports[name])}
            run.services.append(Service.started(name, folder / f"{name}.log", own))
        for name in SERVICES:
            run.wait_for(lambda name=name: _ready(urls[name]), f"{name} is not ready")
        yield run


def _ready(url: str) -> bool:
    try:
        return httpx.get(f"{url}/readyz", timeout=5, trust_env=False, verify=NO_CERTIFICATES).is_success
    except httpx.TransportError:
        return False


@contextmanager
def _webhook_catcher() -> Iterator[WebhookCatcher]:
    catcher = WebhookCatcher()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            catcher.told.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_arguments: Any) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        catcher.url = f"http://127.0.0.1:{server.server_port}/hook"
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield catcher
        server.shutdown()


def s3_place(run: ObservedRun) -> dict[str, Any]:
    """A bucket with the known secret."""
    return {
        "kind": "s3",
        "bucket": BUCKET,
        "endpoint": run.s3,
        "access_key_id": "AKIAEXAMPLE",
        "secret_access_key": run.canaries["S3 secret"],
    }

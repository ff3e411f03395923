"""A worker's health page: ``/healthz`` (its loop turns), ``/readyz`` (its parts answer), ``/metrics``.

Opened by both workers for the supervisor and Prometheus. Plain asyncio, because an HTTP server that
wakes up ten times a second would cost an idle worker more than all of its own work.
"""

import asyncio
import json
import time
from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from types import TracebackType

import structlog
from pydantic import SecretStr

from opal.errors import OpalError
from opal.telemetry.metrics import CONTENT_TYPE, exposition
from opal.telemetry.metrics_access import may_read_metrics

_log = structlog.get_logger(__name__)

Check = Callable[[], Awaitable[None]]

STALE_S = 30.0
"""Age of the last tick after which the loop counts as stuck; it ticks every 5 s."""

_REQUEST_S = 5.0
_CHECK_S = 3.0
_LARGEST_HEAD = 8192


class Heartbeat:
    """When the worker's loop last turned."""

    def __init__(self) -> None:
        self._ticked_at = time.monotonic()

    def tick(self) -> None:
        """The loop turns."""
        self._ticked_at = time.monotonic()

    def age_s(self) -> float:
        """Seconds since the last tick."""
        return time.monotonic() - self._ticked_at


class HealthPage:
    """Serves the three pages while its ``async with`` block runs; ``port`` 0 picks a free one."""

    def __init__(
        self,
        heartbeat: Heartbeat,
        checks: Mapping[str, Check],
        *,
        host: str = "127.0.0.1",
        port: int = 0,
        stale_s: float = STALE_S,
        metrics_key: SecretStr | None = None,
    ) -> None:
        self._heartbeat = heartbeat
        self._checks = checks
        self._host = host
        self._port = port
        self._stale_s = stale_s
        self._metrics_key = metrics_key
        self._server: asyncio.Server | None = None

    @property
    def address(self) -> tuple[str, int] | None:
        """Host and port that are listened on, None while closed."""
        if self._server is None:
            return None
        host, port = self._server.sockets[0].getsockname()[:2]
        return str(host), int(port)

    async def __aenter__(self) -> "HealthPage":
        self._server = await asyncio.start_server(self._answer, self._host, self._port, limit=_LARGEST_HEAD)
        _log.info("health page opened", action="health.listening", address=self.address)
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._server is not None:
            self._server.close()
            await self._server.wait_closed()
            self._server = None

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            async with asyncio.timeout(_REQUEST_S):
                head = await reader.readuntil(b"\r\n\r\n")
                client = writer.get_extra_info("peername")
                status, content_type, body = await self._page(head, client[0] if client else None)
                writer.write(_response(status, content_type, body, head.startswith(b"HEAD ")))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError) as error:
            _log.debug("health request not answered", action="health.dropped", error=str(error))
        finally:
            writer.close()

    async def _page(self, head: bytes, client: str | None) -> tuple[HTTPStatus, str, bytes]:
        method, _, rest = head.partition(b"\r\n")[0].decode("latin-1").partition(" ")
        target = rest.partition(" ")[0].partition("?")[0]
        if method not in ("GET", "HEAD"):
            return _json(HTTPStatus.METHOD_NOT_ALLOWED, {"status": "only GET and HEAD"})
        match target:
            case "/healthz":
                alive = self._heartbeat.age_s() < self._stale_s
                status = HTTPStatus.OK if alive else HTTPStatus.SERVICE_UNAVAILABLE
                return _json(status, {"status": "alive" if alive else "stuck"})
            case "/readyz":
                results = await asyncio.gather(*map(_fault, self._checks.values()))
                faults = {name: code for name, code in zip(self._checks, results, strict=True) if code}
                if faults:
                    return _json(HTTPStatus.SERVICE_UNAVAILABLE, {"status": "not ready", "faults": faults})
                return _json(HTTPStatus.OK, {"status": "ready", "checks": list(self._checks)})
            case "/metrics":
                return self._figures(head, client)
            case _:
                return _json(HTTPStatus.NOT_FOUND, {"status": "no such page"})

    def _figures(self, head: bytes, client: str | None) -> tuple[HTTPStatus, str, bytes]:
        if not may_read_metrics(client, _headers(head), self._metrics_key):
            return _json(HTTPStatus.FORBIDDEN, {"status": "needs the key of OPAL_TELEMETRY_METRICS_KEY"})
        return HTTPStatus.OK, CONTENT_TYPE, exposition()


async def _fault(check: Check) -> str | None:
    try:
        async with asyncio.timeout(_CHECK_S):
            await check()
    except OpalError as error:
        return error.code
    except Exception as error:  # whatever it is, the worker is not ready
        _log.warning("check failed", action="health.check_failed", error=repr(error))
        return OpalError.code
    return None


def _headers(head: bytes) -> dict[str, str]:
    """Names in small letters; a line that is none is left out."""
    lines = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, colon, value in lines if colon}


def _json(status: HTTPStatus, content: Mapping[str, object]) -> tuple[HTTPStatus, str, bytes]:
    return status, "application/json", json.dumps(content).encode()


def _response(status: HTTPStatus, content_type: str, body: bytes, head_only: bool) -> bytes:
    head = (
        f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {content_type}\r\n"
        f"Content-Length: {len(body)}\r\nCache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode("latin-1") + (b"" if head_only else body)

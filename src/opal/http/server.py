"""Runs an HTTP service until SIGTERM or SIGINT, and ends within seconds even with open streams."""

import asyncio
import contextlib
import signal
import socket
from collections.abc import Callable, Iterator
from typing import Final

import structlog
import uvicorn
from starlette.types import ASGIApp

from opal.http.connections import ConnectionLimits, OpenConnections
from opal.http.protocol import ProblemProtocol
from opal.settings import WebSettings

# Streams are told to end at once; this bounds a client that does not take its bytes.
_GRACE_S: Final = 2
_KEEP_ALIVE_S: Final = 5
"""Between two requests of a connection."""
_ACCEPTED_AT_ONCE: Final = 128
"""Connections that are accepted before the first of them is looked at; each has a file by then."""
_LOOKS_EVERY_S: Final = 1.0

_log = structlog.get_logger(__name__)


class HttpServer(uvicorn.Server):
    """uvicorn that tells the application to end its streams before it waits for them.

    uvicorn itself waits for open connections first and runs the lifespan's end after that, so an event
    stream would hold it up; and it raises the signal again when done, which would end the process with
    an error status.
    """

    def __init__(
        self,
        app: ASGIApp,
        host: str,
        port: int,
        on_stop: Callable[[], None] | None = None,
        limits: ConnectionLimits | None = None,
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                host=host,
                port=port,
                http=ProblemProtocol,
                ws="none",
                lifespan="on",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_graceful_shutdown=_GRACE_S,
                timeout_keep_alive=_KEEP_ALIVE_S,
                backlog=_ACCEPTED_AT_ONCE,
            )
        )
        self.server_state: OpenConnections = OpenConnections(limits or ConnectionLimits.of(WebSettings()))
        self._looked_at: float | None = None
        self._on_stop = on_stop
        self.listening = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening and say where."""
        await super().startup(sockets)
        if self.started:
            host, port = self.servers[0].sockets[0].getsockname()[:2]
            self.listening.set()
            _log.info("listening", action="http.listening", host=host, port=port)

    async def on_tick(self, counter: int) -> bool:
        """Look after the connections once a second. Called by uvicorn ten times a second."""
        now = asyncio.get_running_loop().time()
        since = now - (self._looked_at if self._looked_at is not None else now)
        if self._looked_at is None or since >= _LOOKS_EVERY_S:
            self._looked_at = now
            # What held this process up is not the clients' fault.
            self.server_state.look(min(since, 2 * _LOOKS_EVERY_S))
        return await super().on_tick(counter)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End the streams, then everything else."""
        if self._on_stop is not None:
            self._on_stop()
        await super().shutdown(sockets)

    def stop_on_failure(self, failure: Exception | None) -> None:
        """Stop serving when there is a failure; for what runs beside the server and must not die alone."""
        if failure is not None:
            self.should_exit = True

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Stop on SIGTERM and SIGINT; a second SIGINT stops at once."""
        loop = asyncio.get_running_loop()
        for number in uvicorn.server.HANDLED_SIGNALS:
            loop.add_signal_handler(number, self.handle_exit, number, None)
        try:
            yield
        finally:
            for number in uvicorn.server.HANDLED_SIGNALS:
                loop.remove_signal_handler(signal.Signals(number))


async def run_server(
    app: ASGIApp, settings: WebSettings, port: int, on_stop: Callable[[], None] | None = None
) -> None:
    """Serve ``app`` until the process is told to stop."""
    await HttpServer(app, settings.host, port, on_stop, ConnectionLimits.of(settings)).serve()

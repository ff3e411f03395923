"""Opal's services as real processes on a data folder of their own, for the fault tests and the benchmark."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx

HERE = Path(__file__).parent


@dataclass(slots=True)
class Service:
    """One process that can be killed and started again; its output goes to a file in the data folder."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    log: Path
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    def start(self) -> None:
        """Start it; it ends by itself should this process die."""
        self.starts += 1
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                self.command,
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                env={**os.environ, **self._compiled_once(), **self.environment},
            )

    def end(self, how: signal.Signals) -> None:
        """Send a signal and wait for the end; SIGKILL when a polite one is ignored for 30 s."""
        if self.process is None:
            return
        if self.process.poll() is None:
            self.process.send_signal(how)
        try:
            self.process.wait(30.0)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        assert self.process.stdin is not None
        self.process.stdin.close()
        self.process = None

    def _compiled_once(self) -> dict[str, str]:
        # A worker that is started again and again must not compile every library again.
        return {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(self.log.parent / "pycache")}

    @property
    def running(self) -> bool:
        """Whether the process is there."""
        return self.process is not None and self.process.poll() is None


@dataclass(slots=True)
class InstantEndpoint:
    """The process of ``instant_endpoint.py``."""

    process: subprocess.Popen[bytes]
    url: str

    @classmethod
    def start(cls) -> "InstantEndpoint":
        """Start it; ready when it has told its port."""
        command = [sys.executable, str(HERE / "instant_endpoint.py")]
        process = subprocess.Popen(command, stdout=subprocess.PIPE)
        assert process.stdout is not None
        port = int(process.stdout.readline())
        return cls(process, f"http://127.0.0.1:{port}/score")

    def end(self) -> None:
        """Stop it."""
        assert self.process.stdout is not None
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()


@dataclass(slots=True)
class RunningServices:
    """web-api, orchestrator and export-worker, by name; ``environment`` is common to all."""

    data_dir: Path
    port: int
    environment: Mapping[str, str]
    services: dict[str, Service] = field(default_factory=dict)

    def start(self, *names: str) -> None:
        """Start the named services."""
        for name in names:
            command = (sys.executable, "-m", "opal", name, "--supervised")
            log = self.data_dir / f"{name}.log"
            self.services[name] = Service(name, command, self.environment, log)
            self.services[name].start()

    def wait_ready(self, timeout_s: float = 60.0) -> None:
        """Return when web-api can work."""
        url = f"http://127.0.0.1:{self.port}/readyz"
        give_up_at = time.monotonic() + timeout_s
        while True:
            assert self.services["web-api"].running, self.tail("web-api")
            try:
                if httpx.get(url, timeout=5.0, trust_env=False).is_success:
                    return
            except httpx.TransportError:
                pass
            assert time.monotonic() < give_up_at, self.tail("web-api")
            time.sleep(0.05)

    def tail(self, name: str, lines: int = 40) -> str:
        """The last lines that a service wrote."""
        return "\n".join(self.services[name].log.read_text(errors="replace").splitlines()[-lines:])

    def stop(self) -> None:
        """Ask every service to end; kill the ones that will not."""
        for service in self.services.values():
            service.end(signal.SIGTERM)

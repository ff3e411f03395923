"""Two servers that cut out over HTTP with the same weights: `opal up` and `rembg s`.

rembg has an environment of its own, as it asks for other versions of the same packages.

A server is started once, and idle while it is not asked.
"""

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlencode

import httpx
import psutil

from opal.cli.ports import free_ports

ROOT = Path(__file__).resolve().parents[2]
_START_S = 180.0


@dataclass(frozen=True, slots=True)
class Server:
    """A running server, and how one asks it for a cut-out in PNG at the photo's own size."""

    name: str
    url: str
    file_field: str
    form: Mapping[str, str]
    headers: Mapping[str, str]
    leader: psutil.Process

    def memory_mib(self) -> float:
        """What all its processes hold together, MiB: their proportional set sizes (Linux; else resident)."""
        held = 0
        for process in self._processes():
            with suppress(psutil.Error):
                told = process.memory_full_info()
                held += getattr(told, "pss", told.rss)
        return held / 1024**2

    def cpu_s(self) -> float:
        """Seconds of CPU that its processes have had so far."""
        total = 0.0
        for process in self._processes():
            with suppress(psutil.Error):
                told = process.cpu_times()
                total += told.user + told.system
        return total

    def _processes(self) -> list[psutil.Process]:
        return [self.leader, *self.leader.children(recursive=True)]


@contextmanager
def opal_server(folder: Path) -> Iterator[Server]:
    """`opal up` on an empty folder: all five services, though only two are asked."""
    [port] = free_ports(1)
    environment = {"OPAL_LOG_LEVEL": "WARNING", "OPAL_REMOVEBG_RATE_LIMIT": "1000000"}
    command = [sys.executable, "-m", "opal", "up", "--port", str(port), "--data", str(folder)]
    url = f"http://127.0.0.1:{port}"
    with _running(command, environment, folder.parent / "opal.log") as leader:
        _wait(f"{url}/readyz", leader)
        key = (folder / "development-key").read_text("utf-8").strip()
        form = {"size": "full", "format": "png"}
        yield Server("opal", f"{url}/v1.0/removebg", "image_file", form, {"X-Api-Key": key}, leader)


@contextmanager
def rembg_server(program: Path, weights: Path, folder: Path) -> Iterator[Server]:
    """`rembg s` as it comes, without its page; its session class for IS-Net takes the file `weights`."""
    [port] = free_ports(1)
    # It opens a browser at its start, and takes a file of one's own only from its own folder.
    environment = {"BROWSER": "true", "REMBG_HOME": str(weights.parent)}
    command = [str(program), "s", "--host", "127.0.0.1", "--port", str(port), "--no-ui", "-l", "warning"]
    url = f"http://127.0.0.1:{port}"
    with _running(command, environment, folder / "rembg.log") as leader:
        _wait(f"{url}/openapi.json", leader)
        extras = {"model_path": str(weights), "providers": ["CPUExecutionProvider"]}
        asked = f"{url}/api/remove?{urlencode({'extras': json.dumps(extras)})}"
        yield Server("rembg", asked, "file", {"model": "dis_custom"}, {}, leader)


@contextmanager
def _running(command: list[str], environment: Mapping[str, str], log: Path) -> Iterator[psutil.Process]:
    with (
        log.open("wb") as told,
        subprocess.Popen(
            command, cwd=ROOT, env={**os.environ, **environment}, stdout=told, stderr=told
        ) as process,
    ):
        try:
            yield psutil.Process(process.pid)
        finally:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(20.0)
            except subprocess.TimeoutExpired:
                process.kill()


def _wait(url: str, leader: psutil.Process) -> None:
    """Until it answers; for `opal up` that is web-api, which is ready when the endpoint behind it is."""
    ends = time.monotonic() + _START_S
    while time.monotonic() < ends:
        if not leader.is_running() or leader.status() == psutil.STATUS_ZOMBIE:
            raise RuntimeError(f"{' '.join(leader.cmdline()[:3])} ended at its start")
        with suppress(httpx.HTTPError):
            if httpx.get(url, timeout=5.0, trust_env=False).status_code == httpx.codes.OK:
                return
        time.sleep(0.2)
    raise RuntimeError(f"{url} did not answer within {_START_S:.0f} s")

"""Azure ML's inference server with our entry script, as the image `scoring` starts it, but on loopback.

Its pins differ from ours: those of `requirements/azureml.txt` that this environment does not have are
installed once into a folder of the user's cache, by their hashes, and come first on the path of the server's
process alone.
"""

import hashlib
import importlib.metadata
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import httpx
from tests.dockerfile import environment

ROOT = Path(__file__).parents[2]
_LOCK = ROOT / "requirements" / "azureml.txt"
_PIN = re.compile(r"(?P<name>[A-Za-z0-9._-]+)==(?P<version>\S+) \\\n(?:    --hash=\S+(?: \\)?\n)+")
_STARTS_WITHIN_S = 60.0

# `azmlinfsrv` listens on every address of the machine; that is the one thing changed.
_PROGRAM = """
from azureml_inference_server_http import amlserver
amlserver.DEFAULT_HOST = "127.0.0.1"
amlserver.run()
"""


@dataclass(slots=True)
class InferenceServer:
    """The server's process, which can be killed and started again at the same address."""

    log: Path
    settings: Mapping[str, str]
    port: int
    process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Its address, without a path."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it; returns when it answers, its models loaded."""
        script = ROOT / "azureml" / "score.py"
        command = [sys.executable, "-P", "-c", _PROGRAM, "--entry_script", str(script)]
        command += ["--port", str(self.port)]
        with self.log.open("ab") as output:
            self.process = subprocess.Popen(
                command,
                env=_environment(self.settings),
                cwd=self.log.parent,
                stdout=output,
                stderr=subprocess.STDOUT,
                process_group=0,
            )
        self._wait()

    def kill(self) -> None:
        """SIGKILL, for the process and the worker that it has made, as when the machine goes."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(20)

    def stop(self) -> None:
        """Ask it to end, if it has not."""
        if self.process is not None and self.process.poll() is None:
            self.process.terminate()
            self.process.wait(20)

    def processor_s(self) -> float:
        """Seconds of processor time that the process and its worker have used."""
        assert self.process is not None
        ticks = 0
        for stat in Path("/proc").glob("[0-9]*/stat"):
            with suppress(FileNotFoundError, ProcessLookupError):
                fields = stat.read_text().rpartition(") ")[2].split()
                if int(fields[2]) == self.process.pid:
                    ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def _wait(self) -> None:
        assert self.process is not None
        ends = time.monotonic() + _STARTS_WITHIN_S
        while time.monotonic() < ends:
            assert self.process.poll() is None, self.log.read_text("utf-8", "replace")
            try:
                httpx.get(f"{self.url}/", trust_env=False, verify=False, timeout=2)
            except httpx.TransportError:
                time.sleep(0.05)
            else:
                return
        raise AssertionError(f"The server did not start: {self.log.read_text('utf-8', 'replace')}")


@contextmanager
def inference_server(folder: Path, **settings: str) -> Iterator[InferenceServer]:
    """One that runs until the block ends; ``folder`` gets its log, ``azureml.log``."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    server = InferenceServer(folder / "azureml.log", settings, port)
    try:
        server.start()
        yield server
    finally:
        server.stop()


def _environment(settings: Mapping[str, str]) -> dict[str, str]:
    """Ours, the image's choice of how the server works, and the test's settings."""
    image = environment(ROOT / "Dockerfile", "scoring")
    path = os.pathsep.join((str(_installed()), str(ROOT / "src")))
    server = {name: value for name, value in image.items() if name.startswith("GUNICORN")}
    return {**os.environ, **server, "AML_APP_ROOT": str(ROOT / "azureml"), "PYTHONPATH": path, **settings}


def _installed() -> Path:
    """The folder in the user's cache; made whole, or not at all."""
    pins = "".join(pin[0] for pin in _PIN.finditer(_LOCK.read_text("utf-8")) if not _present(pin))
    key = hashlib.sha256(f"{sys.version}\n{pins}".encode()).hexdigest()[:12]
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opal"
    folder = cache / f"azureml-{key}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=cache, prefix=".azureml-") as text:
            made = Path(text) / "packages"
            lock = Path(text) / "lock.txt"
            lock.write_text(pins)
            pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "install", "--quiet"]
            pip += ["--no-deps", "--no-compile", "--require-hashes", "--target", str(made), "-r", str(lock)]
            subprocess.run(pip, check=True)
            made.rename(folder)
    return folder


def _present(pin: re.Match[str]) -> bool:
    try:
        return importlib.metadata.version(pin["name"]) == pin["version"]
    except importlib.metadata.PackageNotFoundError:
        return False

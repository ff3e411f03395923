"""Forks Opal's services from a process that has imported everything, so that a start costs milliseconds.

A worker that is killed every two seconds would spend them importing. What is forked is a process of its own
that runs the service's own main. `ProcessServer` is the tests' end; run as a program this is the other one:
a JSON object per line on stdin, an answer per line on stdout.
"""

import asyncio
import ctypes
import faulthandler
import json
import os
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any, Self

import numpy as np

from opal.images.erode import eroded
from opal.settings import Settings, load_settings

ROOT = Path(__file__).resolve().parents[2]
_PR_SET_PDEATHSIG = 1
_SHOW_STACKS = signal.SIGUSR1
"""Has a forked process write the stacks of its threads to its log."""

Entry = Callable[[Settings], None]
"""Runs a service until it ends; a function of a module, as it is named to another process."""


@dataclass(slots=True)
class Process:
    """A forked service, the first of a process group of its own."""

    server: "ProcessServer"
    pid: int
    log: Path
    _exit_code: int | None = None

    def heeds(self, number: signal.Signals) -> bool:
        """Whether it has a handler for the signal by now."""
        status = Path(f"/proc/{self.pid}/status").read_text()
        [caught] = [line.split()[1] for line in status.splitlines() if line.startswith("SigCgt:")]
        return bool(int(caught, 16) >> (number - 1) & 1)

    def signal(self, number: signal.Signals, *, group: bool = False) -> None:
        """Send a signal to the process, or to its whole group."""
        (os.killpg if group else os.kill)(self.pid, number)

    def exit_code(self) -> int | None:
        """None while it runs; negative for the signal that ended it. The number stays its own until asked."""
        if self._exit_code is None:
            self._exit_code = self.server.ask({"poll": self.pid})
        return self._exit_code

    async def ended(self, limit_s: float) -> int:
        """Wait for the end; raises TimeoutError, which says where the process is."""
        give_up_at = time.monotonic() + limit_s
        while (code := self.exit_code()) is None:
            if time.monotonic() > give_up_at:
                self.signal(_SHOW_STACKS)
                await asyncio.sleep(1.0)
                raise TimeoutError(f"process {self.pid} still runs: {self.tail(80)}")
            await asyncio.sleep(0.01)
        return code

    async def kill(self) -> None:
        """End it at once, with all that it started."""
        if self.exit_code() is None:
            self.signal(signal.SIGKILL, group=True)
            await self.ended(30.0)

    def tail(self, lines: int = 40) -> str:
        """The last lines that it wrote."""
        return "\n".join(self.log.read_text(errors="replace").splitlines()[-lines:])


class ProcessServer:
    """Starts services; they end when it is closed, and when this process dies."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.process_server"],
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert self._answer() == "ready"

    def start(self, entry: Entry, environment: Mapping[str, str], log: Path) -> Process:
        """Fork a process that runs ``entry`` with the settings of this environment and ``environment``."""
        name = f"{entry.__module__}:{entry.__qualname__}"
        asked = {"start": name, "environment": {**os.environ, **environment}, "log": str(log)}
        return Process(self, int(self.ask(asked)), log)

    def close(self) -> None:
        """End every process."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(30.0)
        self._process.stdout.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self.close()

    def ask(self, question: Mapping[str, object]) -> Any:
        """Of the other end, which answers each question in turn."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(question) + "\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> Any:
        assert self._process.stdout is not None
        return json.loads(self._process.stdout.readline())


def serve() -> None:
    """Answer until stdin ends, then kill what still runs."""
    # What services import, and what they import late.
    for module in ("orchestrator.app", "export_worker.app", "web_api.app", "queues.servicebus"):
        import_module(f"opal.{module}")
    for module in ("opal.blobs.azure_blob", "aiosqlite", "asyncpg"):
        import_module(module)
    for module in ("crash_entries", "database_writers", "poisoned_workers", "wrong_designs"):
        import_module(f"tests.faults.{module}")
    # Loads what runs machine code; of what a first picture needs, this alone starts no thread.
    eroded(np.ones((8, 8), np.bool_), 1)
    # A terminal's Ctrl-C is for pytest, which then closes this one's stdin.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    running: set[int] = set()
    _reply("ready")
    for line in sys.stdin:
        asked = json.loads(line)
        if "start" in asked:
            pid = os.fork()
            if pid == 0:
                _become(asked["start"], asked["environment"], asked["log"])
            running.add(pid)
            _reply(pid)
        else:
            pid, status = os.waitpid(asked["poll"], os.WNOHANG)
            running.discard(pid)
            _reply(os.waitstatus_to_exitcode(status) if pid else None)
    for pid in running:
        with suppress(ProcessLookupError):
            os.killpg(pid, signal.SIGKILL)


def _become(entry: str, environment: dict[str, str], log: str) -> None:
    """Be the service; never returns."""
    code = 1
    try:
        os.setsid()
        signal.signal(signal.SIGINT, signal.SIG_DFL)
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
        nothing = os.open(os.devnull, os.O_RDONLY)
        output = os.open(log, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        for source, target in ((nothing, 0), (output, 1), (output, 2)):
            os.dup2(source, target)
        faulthandler.register(_SHOW_STACKS)
        os.environ.clear()
        os.environ.update(environment)
        module, _, function = entry.partition(":")
        getattr(import_module(module), function)(load_settings())
        code = 0
    except BaseException:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)


def _reply(answer: object) -> None:
    sys.stdout.write(json.dumps(answer) + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    serve()

"""One side of a comparison in a process of its own: a line of JSON in, a line of JSON out.

Used by `cutouts/makers.py` and `variants.py`. A process of its own keeps its memory apart.
"""

import json
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from benchmarks.peers.memory import ProcessMemory

ROOT = Path(__file__).resolve().parents[2]


class Side:
    """A running side; a context that ends it."""

    def __init__(self, name: str, command: Sequence[str]) -> None:
        """`command` answers one line once it is ready, then one line per task until its stdin ends."""
        self.name = name
        self._command = list(command)

    def __enter__(self) -> Self:
        """Start it and wait until it is ready."""
        self._process = subprocess.Popen(
            self._command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        try:
            self._read()
        except RuntimeError:
            self._process.communicate()  # closes its pipes
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """End it: it stops when its stdin does."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.stdout.close()
        try:
            self._process.wait(10.0)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def ask(self, task: Mapping[str, Any]) -> dict[str, Any]:
        """Its answer to one task. Raises RuntimeError when the process dies."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(task) + "\n")
        self._process.stdin.flush()
        return self._read()

    def peak_mib(self) -> float:
        """Its largest resident memory since `forget_peak`, MiB (Linux; elsewhere 0)."""
        return ProcessMemory(self._process.pid).peak_mib()

    def forget_peak(self) -> None:
        """Start a new peak."""
        ProcessMemory(self._process.pid).forget_peak()

    def _read(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"{self.name} ended with exit code {self._process.wait()}; see above")
        told: dict[str, Any] = json.loads(line)
        return told

"""What another process holds in memory, as Linux tells it. Used by `process.py` and `worker_memory.py`."""

from contextlib import suppress
from pathlib import Path


class ProcessMemory:
    """A process's resident memory, MiB; 0 where there is no `/proc`, or the process has gone."""

    def __init__(self, pid: int) -> None:
        self._folder = Path(f"/proc/{pid}")

    def held_mib(self) -> float:
        """Resident now."""
        return self._told("VmRSS:")

    def peak_mib(self) -> float:
        """The most since `forget_peak`."""
        return self._told("VmHWM:")

    def forget_peak(self) -> None:
        """Start a new peak."""
        with suppress(OSError):
            (self._folder / "clear_refs").write_text("5", "ascii")

    def _told(self, name: str) -> float:
        with suppress(OSError):
            for line in (self._folder / "status").read_text("ascii").splitlines():
                if line.startswith(name):
                    return int(line.split()[1]) / 1024
        return 0.0

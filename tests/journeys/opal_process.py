"""Starting the installed `opal` as a user does, and looking at what it leaves behind."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import psutil

OPAL = Path(sys.executable).with_name("opal")


def environment(changes: Mapping[str, str] | None = None) -> dict[str, str]:
    """Ours, without settings of the person who runs the tests (the weights' folder is kept)."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("OPAL_") or name == "OPAL_MODELS_DIR"
    }
    return {**kept, "PYTHONWARNINGS": "default", **(changes or {})}


def opal(
    *arguments: str, cwd: Path, changes: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run one command to its end."""
    return subprocess.run(
        [OPAL, *arguments],
        cwd=cwd,
        env=environment(changes),
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )


@contextmanager
def running(
    *arguments: str, cwd: Path, changes: Mapping[str, str] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """A command that keeps running; told to stop, then killed, at the end of the block."""
    process = subprocess.Popen(
        [OPAL, *arguments],
        cwd=cwd,
        env=environment(changes),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.send_signal(signal.SIGTERM)
            try:
                process.wait(10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        if process.stdout is not None:
            process.stdout.close()


def lines_until(process: subprocess.Popen[str], words: str) -> list[str]:
    """The command's output up to and including the first line with ``words``."""
    assert process.stdout is not None
    seen = []
    for line in process.stdout:
        seen.append(line.rstrip())
        if words in line:
            return seen
    raise AssertionError(f"ended without {words!r}:\n" + "\n".join(seen))


def family(pid: int) -> list[psutil.Process]:
    """The process and everything it started."""
    leader = psutil.Process(pid)
    return [leader, *leader.children(recursive=True)]


def alive(processes: list[psutil.Process]) -> list[psutil.Process]:
    """Those that still run (a zombie does not)."""
    return [each for each in processes if each.is_running() and each.status() != psutil.STATUS_ZOMBIE]

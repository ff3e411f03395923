"""The process that has libvips loaded and nothing else: it forks one child per picture and waits for its end.

Started by ``client.py`` as `python -m opal.decoder.zygote DESCRIPTOR`, without the service's environment. It
runs no thread and looks at no picture, so that a fork of it is whole. It ends when the service does.
"""

import codecs
import contextlib
import gc
import os
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import pyvips

from opal.decoder.jobs import JOBS, Job, work
from opal.decoder.wire import accept_picture, line_of
from opal.images.loaders import LOADERS

OPERATIONS = (
    *LOADERS.values(),
    *("autorot", "black", "cast", "colourspace", "copy", "extract_band", "hist_find", "icc_import"),
    *("icc_transform", "linear", "rawsave_target", "round", "shrink"),
)
"""What decoding calls."""

Work: TypeAlias = Callable[[socket.socket, Mapping[str, Job]], None]
"""What a child does: take its task, and answer."""


@dataclass(slots=True)
class _Child:
    """One picture under way."""

    picture: socket.socket
    deadline: float
    late: bool = False


@dataclass(slots=True)
class _Zygote:
    control: socket.socket
    jobs: Mapping[str, Job]
    work: Work
    null: int
    wakeups: tuple[int, int]
    children: dict[int, _Child] = field(default_factory=dict)

    def run(self) -> None:
        """Serve until the service's end of `control` is closed."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.wakeups[0], select.POLLIN)
        while True:
            for descriptor, _ in poll.poll(self._patience_ms()):
                if descriptor == self.wakeups[0]:
                    os.read(descriptor, 4096)
                    continue
                asked = accept_picture(self.control)
                if asked is None:
                    return
                self._begin(*asked)
            self._end_late()
            self._reap()

    def end_all(self) -> None:
        """Nobody waits for these any more."""
        for pid in self.children:
            os.kill(pid, signal.SIGKILL)

    def _patience_ms(self) -> float | None:
        if not self.children:
            return None
        first = min(child.deadline for child in self.children.values())
        return max(0.0, first - time.monotonic()) * 1000 + 1

    def _begin(self, picture: socket.socket, wall_s: float) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            # No memory or no processes left on this machine.
            _tell(picture, {"refused": os.strerror(error.errno or 0)})
            return
        if pid == 0:
            self._be_child(picture)
        self.children[pid] = _Child(picture, time.monotonic() + wall_s)

    def _be_child(self, picture: socket.socket) -> None:
        """Never returns."""
        code = 1
        try:
            signal.set_wakeup_fd(-1)
            # Python would carry on after having written too much.
            for number in (signal.SIGCHLD, signal.SIGXFSZ):
                signal.signal(number, signal.SIG_DFL)
            # A group of its own, so that whatever it might start ends with it.
            os.setpgid(0, 0)
            for descriptor in (0, 1, 2):
                os.dup2(self.null, descriptor)
            self.control.close()
            for other in self.children.values():
                other.picture.close()
            self.work(picture, self.jobs)
            code = 0
        finally:
            os._exit(code)

    def _end_late(self) -> None:
        now = time.monotonic()
        for pid, child in self.children.items():
            if now >= child.deadline:
                child.late = True
                child.deadline = now + 1
                _end_group(pid)

    def _reap(self) -> None:
        for pid, child in list(self.children.items()):
            if os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
                continue
            # Whatever it started ends with it, before its number can be another's.
            _end_group(pid)
            _, status, used = os.wait4(pid, 0)
            del self.children[pid]
            # macOS counts bytes, Linux kilobytes.
            unit = 1 if sys.platform == "darwin" else 1024
            _tell(
                child.picture,
                {
                    "signal": os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
                    "late": child.late,
                    "cpu_s": used.ru_utime + used.ru_stime,
                    "memory": used.ru_maxrss * unit,
                },
            )


def _end_group(pid: int) -> None:
    """End a child with all that it started; it may be gone, or not yet have a group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _tell(picture: socket.socket, verdict: dict[str, object]) -> None:
    """The zygote's own word, always the last. Never waits: the service may have given up."""
    with contextlib.suppress(OSError):
        picture.send(line_of({"verdict": verdict}), socket.MSG_DONTWAIT)
    picture.close()


def serve(control: socket.socket, jobs: Mapping[str, Job], do: Work) -> None:
    """Fork children for `jobs` until the service is gone."""
    # A platform that stops a container tells every process; this one lives as long as its service.
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing)
    # What a child would look up by name must be here before files are out of its reach.
    for name in ("ascii", "utf-8", "utf-16-be"):
        codecs.lookup(name)
    # pyvips asks libvips what an operation takes when it is first called: here once for all children.
    for name in OPERATIONS:
        pyvips.Introspect.get(name)
    # What is here now is shared with every child; collecting garbage would copy it.
    gc.collect()
    gc.freeze()
    zygote = _Zygote(control, jobs, do, os.open(os.devnull, os.O_RDWR), (reading, writing))
    try:
        zygote.run()
    finally:
        zygote.end_all()


def main(jobs: Mapping[str, Job] = JOBS, do: Work = work) -> None:
    """Serve the socket whose descriptor is this process' last argument."""
    serve(socket.socket(fileno=int(sys.argv[-1])), jobs, do)


if __name__ == "__main__":
    main()

"""The process that has libvips loaded and nothing else: it forks one child per picture and waits for its end.

Started by ``client.py`` as `python -m opal.decoder.zygote DESCRIPTOR`, without the service's environment. It
runs no thread and looks at no picture, so that a fork of it is whole. It ends when the service does.
"""

import codecs
import contextlib
import errno
import gc
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

import pyvips

from opal.decoder.confine import landlock_version
from opal.decoder.jobs import JOBS, Job, work
from opal.decoder.system_calls import LIBRARY
from opal.decoder.wire import Asked, Verdict, accept_picture, tell
from opal.images.loaders import LOADERS

OPERATIONS = (
    *LOADERS.values(),
    *("autorot", "black", "cast", "colourspace", "copy", "extract_band", "hist_find", "icc_import"),
    *("icc_transform", "linear", "rawsave_target", "round", "shrink"),
)
"""What decoding calls."""

Work: TypeAlias = Callable[[socket.socket, Mapping[str, Job]], None]
"""What a child does: take its task, and answer."""

_OPEN_FILES = 1024
"""One for each picture under way, and a handful."""
_LAST_PATIENCE_S = 2.0
_BETWEEN_LOOKS_S = 0.05
_SET_CHILD_SUBREAPER = 36  # prctl(2)
_CHILDREN = "/proc/thread-self/children"  # proc_tid_children(5); the zygote runs one thread


@dataclass(slots=True)
class _Child:
    """One picture under way."""

    verdict: int
    """The pipe for the word on its end."""
    deadline: float
    late: bool = False


@dataclass(slots=True)
class _Zygote:
    control: socket.socket
    jobs: Mapping[str, Job]
    work: Work
    wakeups: int
    children: dict[int, _Child] = field(default_factory=dict)
    strangers: bool = False
    """Whether somebody whom a child left behind was seen."""

    def run(self) -> None:
        """Serve until the service's end of `control` is closed."""
        poll = select.poll()
        poll.register(self.control, select.POLLIN)
        poll.register(self.wakeups, select.POLLIN)
        while True:
            for descriptor, _ in poll.poll(self._patience_ms()):
                if descriptor == self.wakeups:
                    with contextlib.suppress(BlockingIOError):
                        os.read(descriptor, 4096)
                    continue
                asked = accept_picture(self.control)
                if asked is None:
                    return
                self._begin(asked)
            self._end_late()
            self._reap()

    def end_all(self) -> None:
        """Nobody waits for these any more, nor for whom they left behind."""
        for pid in self.children:
            _end_group(pid)
        self.children.clear()
        give_up_at = time.monotonic() + _LAST_PATIENCE_S
        with contextlib.suppress(ChildProcessError):
            while time.monotonic() < give_up_at:
                self._end_strangers()
                if os.waitpid(-1, os.WNOHANG)[0] == 0:
                    time.sleep(0.001)

    def _patience_ms(self) -> float | None:
        deadlines = [child.deadline for child in self.children.values()]
        if self.strangers:
            # Whoever was started meanwhile is not the child of this process before its parent has ended.
            deadlines.append(time.monotonic() + _BETWEEN_LOOKS_S)
        if not deadlines:
            return None
        return max(0.0, min(deadlines) - time.monotonic()) * 1000 + 1

    def _begin(self, asked: Asked) -> None:
        try:
            pid = os.fork()
        except OSError as error:
            # No memory or no processes left on this machine.
            tell(asked.verdict, Verdict(refused=error.errno or errno.EAGAIN))
        else:
            if pid == 0:
                self._be_child(asked.picture)
            self.children[pid] = _Child(asked.verdict, time.monotonic() + asked.wall_s)
        asked.picture.close()

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
            os.dup2(0, 2)
            # The rest is the zygote's: with its wake-ups or a verdict it could speak for others.
            own = picture.fileno()
            os.closerange(3, own)
            os.closerange(own + 1, _OPEN_FILES)
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
        """Take note of all that has ended; what a child left behind has ended before its end is told."""
        with contextlib.suppress(ChildProcessError):
            while ended := os.waitid(os.P_ALL, 0, os.WEXITED | os.WNOHANG | os.WNOWAIT):
                pid = ended.si_pid
                if pid not in self.children:
                    os.waitpid(pid, 0)
                    continue
                # Whatever it started ends with it, before its number can be another's.
                _end_group(pid)
                _, status, used = os.wait4(pid, 0)
                child = self.children.pop(pid)
                self._end_strangers()
                tell(child.verdict, _verdict(status, used, late=child.late))
        if self.strangers:
            self._end_strangers()

    def _end_strangers(self) -> None:
        """End every process that is this one's by inheritance: one that a child started and left behind."""
        strangers = _children_by_the_system() - set(self.children)
        for pid in strangers:
            # Not collected yet, so its number cannot be another's.
            os.kill(pid, signal.SIGKILL)
        self.strangers = bool(strangers)


def _verdict(status: int, used: "resource.struct_rusage", *, late: bool) -> Verdict:
    # macOS counts bytes, Linux kilobytes.
    unit = 1 if sys.platform == "darwin" else 1024
    return Verdict(
        signal=os.WTERMSIG(status) if os.WIFSIGNALED(status) else 0,
        late=late,
        cpu_s=used.ru_utime + used.ru_stime,
        memory=used.ru_maxrss * unit,
    )


def _end_group(pid: int) -> None:
    """End a child with all that it started; it may be gone, or not yet have a group of its own."""
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)
        return
    with contextlib.suppress(ProcessLookupError):
        os.kill(pid, signal.SIGKILL)


def _adopt_orphans() -> None:
    """Become the parent of whoever a child leaves behind, so that it can be ended. Linux only."""
    if sys.platform == "linux":
        LIBRARY.prctl(_SET_CHILD_SUBREAPER, 1, None, None, None)


def _children_by_the_system() -> set[int]:
    """Every process whose parent is this one; none where the system has no such list."""
    try:
        listed = os.open(_CHILDREN, os.O_RDONLY)
    except OSError:
        return set()
    pids = b""
    while more := os.read(listed, 65_536):
        pids += more
    os.close(listed)
    return set(map(int, pids.split()))


def serve(control: socket.socket, jobs: Mapping[str, Job], do: Work) -> None:
    """Fork children for `jobs` until the service is gone."""
    # A platform that stops a container tells every process; this one lives as long as its service.
    for ignored in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(ignored, signal.SIG_IGN)
    _adopt_orphans()
    _, ceiling = resource.getrlimit(resource.RLIMIT_NOFILE)
    files = _OPEN_FILES if ceiling == resource.RLIM_INFINITY else min(_OPEN_FILES, ceiling)
    resource.setrlimit(resource.RLIMIT_NOFILE, (files, files))
    reading, writing = os.pipe()
    for end in (reading, writing):
        os.set_blocking(end, False)
    signal.signal(signal.SIGCHLD, lambda _number, _frame: None)
    signal.set_wakeup_fd(writing)
    # What every child wants to know.
    landlock_version()
    # What a child would look up by name must be here before files are out of its reach.
    for name in ("ascii", "utf-8", "utf-16-be"):
        codecs.lookup(name)
    # pyvips asks libvips what an operation takes when it is first called: here once for all children.
    for name in OPERATIONS:
        pyvips.Introspect.get(name)
    # What is here now is shared with every child; collecting garbage would copy it.
    gc.collect()
    gc.freeze()
    zygote = _Zygote(control, jobs, do, reading)
    try:
        zygote.run()
    finally:
        zygote.end_all()


def main(jobs: Mapping[str, Job] = JOBS, do: Work = work) -> None:
    """Serve the socket whose descriptor is this process' last argument."""
    serve(socket.socket(fileno=int(sys.argv[-1])), jobs, do)


if __name__ == "__main__":
    main()

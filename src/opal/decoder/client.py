"""A service's side of the decoder: starts the zygote, hands it pictures, and says what became of them.

Called by ``pictures.py`` from any thread. Nothing that comes back is believed before it is checked: a child
that a picture has taken over may answer anything.
"""

import atexit
import contextlib
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from threading import Lock
from typing import Any, Self

import structlog

from opal import errors
from opal.decoder import anonymous_file
from opal.decoder.bounds import Bounds
from opal.decoder.confine import missing
from opal.decoder.wire import Verdict, ask_for_child, hear, send
from opal.errors import DecoderInterrupted, DecoderUnavailable, InvalidPhoto, PhotoUndecodable
from opal.images.limits import Limits

PROGRAM: tuple[str, ...] = ("-m", "opal.decoder.zygote")
"""What Python runs as the zygote."""
THREADS = 2
"""libvips' threads per picture; decoders themselves use one or two."""
_SOURCE = Path(__file__).resolve().parents[2]
_BY_CODE = {kind.code: kind for kind in reversed(errors.walk(InvalidPhoto))}
# Ends a child that is the picture's doing; SIGKILL is ours, or that of a machine out of memory.
_CRASHES: Mapping[int, str] = {
    signal.SIGXCPU: "took too much processor time",
    signal.SIGXFSZ: "wrote too much",
    signal.SIGSEGV: "crashed",
    signal.SIGABRT: "crashed",
    signal.SIGBUS: "crashed",
    signal.SIGFPE: "crashed",
    signal.SIGILL: "crashed",
    signal.SIGTRAP: "crashed",
    signal.SIGSYS: "crashed",
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Outcome:
    """What a child said, {} where that was no answer, and how it ended by the zygote's word."""

    told: Mapping[str, Any]
    verdict: Verdict


@dataclass(slots=True)
class _Zygote:
    process: "subprocess.Popen[bytes]"
    control: socket.socket

    def end(self) -> None:
        """It ends when its socket is closed; whatever it is doing, within seconds."""
        self.control.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


@dataclass(slots=True)
class Decoder:
    """One zygote, started when it is first needed and again when it is gone. Safe for many threads."""

    program: Sequence[str] = PROGRAM
    wall_s: float | None = None
    """Seconds that a picture may take; None: by its size (`bounds.py`)."""
    _turn: Lock = field(default_factory=Lock)
    _zygote: _Zygote | None = None

    @property
    def pid(self) -> int | None:
        """The zygote's process, None while there is none."""
        return None if self._zygote is None else self._zygote.process.pid

    def start(self) -> None:
        """Start the zygote without waiting for it, so that the first picture need not."""
        with self._turn:
            self._ready()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the zygote and all its children; a later picture starts another."""
        with self._turn:
            if self._zygote is not None:
                self._zygote.end()
                self._zygote = None

    def ask(
        self,
        job: str,
        data: bytes,
        limits: Limits,
        options: Mapping[str, Any] | None = None,
        outputs: Sequence[int] = (),
    ) -> Mapping[str, Any]:
        """Have a child do `job` with `data`, which must not be empty; what it answers.

        Raises the InvalidPhoto that the child found, PhotoUndecodable where the picture ended its child,
        DecoderInterrupted where somebody else may have, and DecoderUnavailable where there was no child.
        """
        return _judged(job, self.run(job, data, limits, options, outputs))

    def run(
        self,
        job: str,
        data: bytes,
        limits: Limits,
        options: Mapping[str, Any] | None = None,
        outputs: Sequence[int] = (),
    ) -> Outcome:
        """As `ask`, for those who want to know what it took; raises only DecoderUnavailable."""
        wall_s = self.wall_s or Bounds.of_pixels(len(data), limits.most_pixels).wall_s
        task = {"job": job, "size": len(data), "limits": asdict(limits), "options": dict(options or {})}
        source = anonymous_file.create_with(data)
        try:
            files = [source, *outputs]
            outcome = self._converse(task, files, wall_s)
            if outcome is None:
                # The zygote itself was ended, by an operator or for want of memory: the next may live.
                outcome = self._converse(task, files, wall_s)
        finally:
            os.close(source)
        if outcome is None:
            raise DecoderUnavailable
        if outcome.verdict.refused:
            reason = os.strerror(outcome.verdict.refused)
            raise DecoderUnavailable(f"The decoder cannot start a process: {reason}.")
        return outcome

    def _converse(self, task: Mapping[str, Any], files: Sequence[int], wall_s: float) -> Outcome | None:
        """What child and zygote say; None where the zygote is gone."""
        ours, theirs = socket.socketpair()
        verdict, its_end = os.pipe()
        with ours, _closing(verdict):
            with theirs, _closing(its_end), self._turn:
                zygote = self._ready()
                with contextlib.suppress(OSError):
                    ask_for_child(zygote.control, theirs, its_end, wall_s)
            # The zygote ends a child that is late; this is for a zygote that is not there to do it.
            patience_s = 2 * wall_s
            ours.settimeout(patience_s)
            # There may be no child, or none any more: the zygote will say so.
            with contextlib.suppress(OSError):
                send(ours, dict(task), files)
            try:
                return Outcome(*hear(ours, verdict, patience_s))
            except (EOFError, TimeoutError):
                self._forget(zygote)
                return None

    def _forget(self, zygote: _Zygote) -> None:
        with self._turn:
            if self._zygote is zygote:
                zygote.end()
                self._zygote = None
                _log.warning("decoder was ended", action="decoder.ended", status=zygote.process.returncode)

    def _ready(self) -> _Zygote:
        if self._zygote is None:
            self._zygote = _started(self.program)
        return self._zygote


def _started(program: Sequence[str]) -> _Zygote:
    ours, theirs = socket.socketpair()
    with theirs:
        try:
            process = subprocess.Popen(  # noqa: S603 - this Python and a program of ours
                [sys.executable, "-P", "-s", *program, str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=(theirs.fileno(),),
                start_new_session=True,
                cwd="/",
                # Nothing of the service's own environment, which may hold keys.
                env={
                    "PYTHONPATH": str(_SOURCE),
                    "VIPS_BLOCK_UNTRUSTED": "1",
                    "VIPS_CONCURRENCY": str(THREADS),
                    # Its threads would not survive a fork, and each has a heap that counts as memory.
                    "OPENBLAS_NUM_THREADS": "1",
                    "MALLOC_ARENA_MAX": "1",
                },
            )
        except OSError as error:
            ours.close()
            raise DecoderUnavailable(f"The decoder cannot be started: {error.strerror}.") from error
    if sys.platform == "linux" and (lacking := missing()):
        _log.warning("decoders are less confined", action="decoder.less_confined", missing=lacking)
    return _Zygote(process, ours)


@contextlib.contextmanager
def _closing(descriptor: int) -> Iterator[None]:
    try:
        yield
    finally:
        os.close(descriptor)


def _judged(job: str, outcome: Outcome) -> Mapping[str, Any]:
    told, done, verdict = outcome.told, outcome.told.get("done"), outcome.verdict
    took = {name: getattr(verdict, name) for name in ("signal", "late", "cpu_s", "memory")}
    reason = "took too much memory" if "exhausted" in told else _CRASHES.get(verdict.signal)
    if reason is not None and not verdict.late:
        _log.warning(
            "a picture stopped its decoder", action="decoder.stopped", job=job, reason=reason, **took
        )
        raise PhotoUndecodable(f"Decoding the photo was stopped: it {reason}.")
    if "error" in told:
        raise _BY_CODE.get(str(told["error"]), PhotoUndecodable)(str(told.get("message"))[:500])
    if "fault" in told:
        raise RuntimeError(f"decoder, {job}: {told['fault']}")
    if verdict.late or verdict.signal or not isinstance(done, dict):
        _log.warning("a decoder was ended", action="decoder.interrupted", job=job, **took)
        raise DecoderInterrupted
    return done


_shared = Decoder()


def shared() -> Decoder:
    """This process' decoder."""
    return _shared


def start_decoder() -> None:
    """Start this process' decoder, as a service does when it starts, so that no picture waits for it."""
    _shared.start()


@atexit.register
def _at_exit() -> None:
    with contextlib.suppress(OSError):
        _shared.close()

"""Keeps a set of child processes running: starts, restarts with backoff, gathers logs, stops them all.

Used by `opal up` and `opal demo`. Children run `--supervised`, see `parentage.py`.
"""

import asyncio
import os
import signal
import ssl
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import ClassVar

import httpx

from opal.errors import OpalError
from opal.settings import child_environment

Say = Callable[[str, str], None]
"""Receives (child's name, one line of its output or of our own remarks)."""

_LONGEST_LINE = 1 << 20
_FIRST_DELAY_S = 1.0
_LONGEST_DELAY_S = 30.0
_STEADY_AFTER_S = 60.0
_STARTS_BEFORE_GIVING_UP = 3
_READY_POLL_S = 0.1


class ServicesNotReady(OpalError):
    """The services did not become ready.

    The last lines of the service named say why.
    """

    code: ClassVar[str] = "services_not_ready"
    title: ClassVar[str] = "Services not ready"
    expected: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class ChildSpec:
    """One process to keep: what to run, with which changes to our environment, how it shows readiness."""

    name: str
    command: tuple[str, ...]
    environment: Mapping[str, str]
    ready_url: str


@dataclass(slots=True)
class _Child:
    spec: ChildSpec
    process: asyncio.subprocess.Process | None = None
    starts: int = 0
    was_ready: bool = False


@dataclass(slots=True)
class Supervisor:
    """Use: ``start()``, ``wait_ready()``, ``wait_failed()`` for as long as wanted, ``stop()``."""

    specs: Sequence[ChildSpec]
    say: Say
    _children: list[_Child] = field(default_factory=list)
    _keepers: list[asyncio.Task[None]] = field(default_factory=list)
    _stopping: asyncio.Event = field(default_factory=asyncio.Event)
    _failure: asyncio.Future[str] | None = None

    async def start(self) -> None:
        """Start every child; each is watched by its own task until ``stop``."""
        self._failure = asyncio.get_running_loop().create_future()
        self._children = [_Child(spec) for spec in self.specs]
        self._keepers = [asyncio.create_task(self._keep(child)) for child in self._children]

    def pids(self) -> dict[str, int]:
        """Process ids of the children that run now, by name."""
        return {
            child.spec.name: child.process.pid
            for child in self._children
            if child.process is not None and child.process.returncode is None
        }

    async def wait_ready(self, timeout_s: float = 90.0) -> None:
        """Return when every child answers 200 on its ready URL. Raises ``ServicesNotReady``."""
        assert self._failure is not None, "start() comes first"
        probing = asyncio.create_task(self._probe_all())
        try:
            done, _ = await asyncio.wait(
                (probing, self._failure), timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED
            )
        finally:
            probing.cancel()
        if probing in done:
            probing.result()
            return
        if self._failure in done:
            raise ServicesNotReady(self._failure.result())
        late = ", ".join(child.spec.name for child in self._children if not child.was_ready)
        raise ServicesNotReady(f"Not ready after {timeout_s:.0f} s: {late}.")

    async def stop(self, grace_s: float = 3.5) -> None:
        """End every child: ask, wait ``grace_s``, then kill what is left of each process group."""
        self._stopping.set()
        for child in self._children:
            _signal_process(child, signal.SIGTERM)
        if self._keepers:
            await asyncio.wait(self._keepers, timeout=grace_s)
        for child in self._children:
            _kill_group(child)
        await asyncio.gather(*self._keepers, return_exceptions=True)

    def kill(self) -> None:
        """End every child at once (the second Ctrl-C)."""
        self._stopping.set()
        for child in self._children:
            _kill_group(child)

    async def _keep(self, child: _Child) -> None:
        delay = _FIRST_DELAY_S
        while not self._stopping.is_set():
            started = time.monotonic()
            code = await self._run_once(child)
            if self._stopping.is_set():
                return
            ended = f"ended by signal {-code}" if code < 0 else f"ended with code {code}"
            if not child.was_ready and child.starts >= _STARTS_BEFORE_GIVING_UP:
                self._give_up(f"{child.spec.name} {ended}, {child.starts} times; see its last lines above.")
                return
            if time.monotonic() - started > _STEADY_AFTER_S:
                delay = _FIRST_DELAY_S
            self.say(child.spec.name, f"{ended}; starting again in {delay:.0f} s")
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)
            delay = min(delay * 2, _LONGEST_DELAY_S)

    async def _run_once(self, child: _Child) -> int:
        process = await asyncio.create_subprocess_exec(
            *child.spec.command,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env=child_environment(child.spec.environment),
            limit=_LONGEST_LINE,
            # Its own group: Ctrl-C in the terminal reaches only us, and its helpers can be ended with it.
            process_group=0,
        )
        child.process = process
        child.starts += 1
        if self._stopping.is_set():
            _signal_process(child, signal.SIGTERM)
        gathering = asyncio.create_task(self._gather_lines(child.spec.name, process))
        code = await process.wait()
        _kill_group(child)
        # Forgotten at once: the kernel may give the number to somebody else.
        child.process = None
        await gathering
        return code

    async def _gather_lines(self, name: str, process: asyncio.subprocess.Process) -> None:
        assert process.stdout is not None
        while True:
            try:
                line = await process.stdout.readline()
            except ValueError:
                self.say(name, "(a line longer than 1 MiB was dropped)")
                continue
            if not line:
                return
            self.say(name, line.decode("utf-8", "replace").rstrip())

    async def _probe_all(self) -> None:
        # Loopback and plain HTTP: no certificates are needed, and reading them takes time.
        bare = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        async with (
            httpx.AsyncClient(timeout=2.0, trust_env=False, verify=bare) as client,
            asyncio.TaskGroup() as group,
        ):
            for child in self._children:
                group.create_task(_probe(client, child))

    async def wait_failed(self) -> str:
        """Wait until a child has been given up; returns the sentence that says so."""
        assert self._failure is not None, "start() comes first"
        return await asyncio.shield(self._failure)

    def _give_up(self, reason: str) -> None:
        if self._failure is not None and not self._failure.done():
            self._failure.set_result(reason)


async def _probe(client: httpx.AsyncClient, child: _Child) -> None:
    while True:
        with suppress(httpx.HTTPError):
            answer = await client.get(child.spec.ready_url)
            if answer.status_code == httpx.codes.OK:
                child.was_ready = True
                return
        await asyncio.sleep(_READY_POLL_S)


def _signal_process(child: _Child, number: signal.Signals) -> None:
    if child.process is not None and child.process.returncode is None:
        with suppress(ProcessLookupError):
            child.process.send_signal(number)


def _kill_group(child: _Child) -> None:
    # The child leads its own group, so the group's id is the child's even after the child is gone.
    if child.process is not None:
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(child.process.pid, signal.SIGKILL)

"""The supervisor with real, small children: restarts, giving up, and leaving nothing behind."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest

from opal.cli.ports import free_ports
from opal.cli.supervisor import ChildSpec, ServicesNotReady, Supervisor

# A child as the services are: supervised, with a readiness page. It writes its pid, and may have a helper
# process of its own and a deaf ear for SIGTERM.
_CHILD = """
import http.server, pathlib, signal, subprocess, sys
from opal.cli.parentage import end_with_parent
port, folder, manner = int(sys.argv[1]), pathlib.Path(sys.argv[2]), sys.argv[3]
end_with_parent()
if manner == "stubborn":
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    grandchild = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    (folder / "grandchild").write_text(str(grandchild.pid))
class Page(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200); self.end_headers()
    def log_message(self, *_):
        pass
print("hello from", manner, flush=True)
http.server.HTTPServer(("127.0.0.1", port), Page).serve_forever()
"""

# A supervisor in a process of its own, so that it can be killed.
_SUPERVISOR = """
import asyncio, sys, pathlib
sys.path.insert(0, sys.argv[1])
from tests.journeys.test_supervisor import spec
from opal.cli.supervisor import Supervisor
async def main():
    supervisor = Supervisor([spec(pathlib.Path(sys.argv[2]), "plain")], lambda *_: None)
    await supervisor.start()
    await supervisor.wait_ready()
    print(*supervisor.pids().values(), flush=True)
    await asyncio.sleep(600)
asyncio.run(main())
"""


def spec(folder: Path, manner: str) -> ChildSpec:
    port = free_ports(1)[0]
    return ChildSpec(
        name=manner,
        command=(sys.executable, "-c", _CHILD, str(port), str(folder), manner),
        environment={},
        ready_url=f"http://127.0.0.1:{port}/readyz",
    )


async def test_a_killed_child_is_started_again(tmp_path: Path) -> None:
    said: list[tuple[str, str]] = []
    back = asyncio.Event()

    def say(name: str, line: str) -> None:
        said.append((name, line))
        if said.count(("plain", "hello from plain")) == 2:
            back.set()

    supervisor = Supervisor([spec(tmp_path, "plain")], say)
    await supervisor.start()
    try:
        await supervisor.wait_ready()
        first = supervisor.pids()["plain"]
        os.kill(first, signal.SIGKILL)
        async with asyncio.timeout(30):
            await back.wait()
        await supervisor.wait_ready()
        assert supervisor.pids()["plain"] != first
    finally:
        await supervisor.stop()
    assert ("plain", "ended by signal 9; starting again in 1 s") in said


async def test_a_child_that_never_gets_ready_is_given_up(tmp_path: Path) -> None:
    broken = ChildSpec("broken", (sys.executable, "-c", "raise SystemExit(3)"), {}, "http://127.0.0.1:9/")
    supervisor = Supervisor([broken], lambda *_: None)
    await supervisor.start()
    try:
        with pytest.raises(ServicesNotReady, match="broken ended with code 3, 3 times"):
            await supervisor.wait_ready()
    finally:
        await supervisor.stop()


async def test_stop_leaves_neither_a_stubborn_child_nor_its_own_children(tmp_path: Path) -> None:
    supervisor = Supervisor([spec(tmp_path, "stubborn"), spec(tmp_path, "plain")], lambda *_: None)
    await supervisor.start()
    await supervisor.wait_ready()
    pids = [*supervisor.pids().values(), int((tmp_path / "grandchild").read_text())]
    async with asyncio.timeout(5):
        await supervisor.stop(grace_s=0.5)
    assert len(pids) == 3
    assert not [pid for pid in pids if _runs(pid)]


def test_children_end_when_the_supervisor_is_killed(tmp_path: Path) -> None:
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-c", _SUPERVISOR, str(root), str(tmp_path)], stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    child = psutil.Process(int(process.stdout.readline()))
    process.kill()
    process.wait()
    process.stdout.close()
    psutil.wait_procs([child], timeout=10)
    assert not _runs(child.pid)


def _runs(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False

"""A zygote whose children do what a picture that has taken over its decoder might do.

Run in place of `opal.decoder.zygote`; with `unbounded` as first argument nothing is taken from its children.
"""

import ctypes
import json
import mmap
import os
import resource
import signal
import socket
import stat
import sys
import time
from collections.abc import Mapping
from typing import Any

from opal.decoder import zygote
from opal.decoder.bounds import Bounds
from opal.decoder.confine import raise_bounds
from opal.decoder.jobs import JOBS, Job, Task, answer, read_task, work
from opal.decoder.wire import send
from opal.errors import PhotoAnimated


def tell(_task: Task) -> dict[str, Any]:
    return {"environment": sorted(os.environ)}


def _open(path: str) -> bool:
    try:
        os.close(os.open(path, os.O_RDONLY))
    except OSError:
        return False
    return True


def allocate(task: Task) -> dict[str, Any]:
    return {"bytes": len(bytes(int(task.options["bytes"])))}


def allocate_in_c(task: Task) -> dict[str, Any]:
    """As a library in C++ does that does not expect to be refused: it ends the process."""
    try:
        mmap.mmap(-1, int(task.options["bytes"]))
    except OSError:
        os.abort()
    return {}


def compute(_task: Task) -> dict[str, Any]:
    while True:
        pass


def sleep(_task: Task) -> dict[str, Any]:
    time.sleep(600)
    return {}


def nap(task: Task) -> dict[str, Any]:
    time.sleep(task.options["seconds"])
    return {}


def write(task: Task) -> dict[str, Any]:
    os.write(task.outputs[0], bytes(1000))
    return {}


def end_by(task: Task) -> dict[str, Any]:
    os.kill(os.getpid(), int(task.options["signal"]))
    return {}


def abort(_task: Task) -> dict[str, Any]:
    os.abort()


def read_null(_task: Task) -> dict[str, Any]:
    ctypes.string_at(0)
    return {}


def reach_out(task: Task) -> dict[str, Any]:
    """What of the machine can be reached."""
    found = []
    for path in (f"/proc/{os.getppid()}/environ", "/etc/passwd", "/proc/self/environ", "/tmp"):
        if _open(path):
            found.append(path)
    try:
        socket.create_connection(("127.0.0.1", int(task.options["port"])), 5).close()
        found.append("network")
    except OSError:
        pass
    try:
        os.kill(os.getppid(), 0)
        found.append("signals")
    except OSError:
        pass
    try:
        resource.setrlimit(resource.RLIMIT_CORE, (1, 1))
        found.append("core dumps")
    except (OSError, ValueError):
        pass
    try:
        if os.fork() == 0:
            os._exit(0)
        found.append("processes")
    except OSError:
        pass
    try:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sending:
            sending.sendto(b"x", ("127.0.0.1", int(task.options["port"])))
        found.append("datagrams")
    except OSError:
        pass
    return {"found": found}


def list_descriptors(_task: Task) -> dict[str, Any]:
    """What kinds of file this process holds beyond the first three."""
    return {"kinds": [stat.S_IFMT(os.fstat(each).st_mode) for each in _descriptors()]}


def _descriptors() -> list[int]:
    there = []
    for descriptor in range(3, 1024):
        try:
            os.fstat(descriptor)
        except OSError:
            continue
        there.append(descriptor)
    return there


def forge(task: Task) -> dict[str, Any]:
    """An answer, somebody else's word after it, and a line without an end; then a crash."""
    [answering] = [each for each in _descriptors() if stat.S_ISSOCK(os.fstat(each).st_mode)]
    answer, verdict = json.dumps({"done": {}}), json.dumps({"verdict": task.options["verdict"]})
    os.write(answering, f"{answer}\n{verdict}\nx".encode())
    return read_null(task)


def go_into_hiding(task: Task) -> dict[str, Any]:
    """A grandchild of its own session, which keeps the picture's socket and tells its number."""
    reading, writing = os.pipe()
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            os.write(writing, str(os.getpid()).encode())
            time.sleep(600)
        os._exit(0)
    return {"pid": int(os.read(reading, 20))}


def hide_and_wait(task: Task) -> dict[str, Any]:
    """As above, the grandchild's number in the output; done at once when it is asked again."""
    if not os.pread(task.outputs[0], 1, 0):
        os.write(task.outputs[0], str(go_into_hiding(task)["pid"]).encode())
        time.sleep(600)
    return {}


def leave_somebody(task: Task) -> dict[str, Any]:
    """A process of its own that would change the picture once it is believed."""
    if os.fork() == 0:
        time.sleep(1)
        os.ftruncate(task.outputs[0], 0)
        os._exit(0)
    os.write(task.outputs[0], bytes(12))
    return _photo(2, 2)


def claim_more(task: Task) -> dict[str, Any]:
    os.write(task.outputs[0], bytes(12))
    return _photo(2000, 2000)


def claim_nonsense(_task: Task) -> dict[str, Any]:
    return {"planes": {"pixels": {"width": "../..", "format": "uchar"}}, "source": []}


def flood(_task: Task) -> dict[str, Any]:
    return {"x": "x" * 1_000_000}


def refuse(_task: Task) -> dict[str, Any]:
    raise PhotoAnimated("as a picture may be refused")


def err(_task: Task) -> dict[str, Any]:
    raise ZeroDivisionError("a bug")


def end_the_zygote(_task: Task) -> dict[str, Any]:
    os.kill(os.getppid(), signal.SIGKILL)
    time.sleep(600)
    return {}


def _photo(width: int, height: int) -> dict[str, Any]:
    plane = {"width": width, "height": height, "bands": 3, "format": "uchar", "interpretation": "srgb"}
    source = {
        "format": "png",
        "bytes": 1,
        "width": width,
        "height": height,
        "orientation": 1,
        "profile": None,
    }
    return {
        "planes": {"pixels": {**plane, "xres": 1.0, "yres": 1.0}},
        "source": {**source, "bits": 8, "sha256": "0" * 64},
    }


MISDEEDS = (
    tell,
    allocate,
    allocate_in_c,
    compute,
    sleep,
    nap,
    write,
    end_by,
    abort,
    read_null,
    reach_out,
    list_descriptors,
    forge,
    go_into_hiding,
    hide_and_wait,
    leave_somebody,
    claim_more,
    claim_nonsense,
    flood,
    refuse,
    err,
    end_the_zygote,
)


def instead_of_a_photo(task: Task) -> dict[str, Any]:
    """The misdeed that the file names."""
    name = os.pread(task.source, task.size, 0).decode("ascii")
    raise_bounds(Bounds.of_pixels(task.size, 1_000_000), task.size)
    return BY_NAME[name](task)


def unbounded(picture: socket.socket, jobs: Mapping[str, Job]) -> None:
    """The control: what the tests look for must be seen where nothing is done about it."""
    job, task = read_task(picture)
    send(picture, answer(jobs[job], task))


BY_NAME: dict[str, Job] = {deed.__name__: deed for deed in MISDEEDS}

if __name__ == "__main__":
    jobs = {**JOBS, **BY_NAME, "photo": instead_of_a_photo}
    zygote.main(jobs, unbounded if sys.argv[1] == "unbounded" else work)

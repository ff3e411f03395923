"""How service, zygote and child speak about one picture, over a pair of sockets and a pipe.

The service writes the task to its socket, a line of JSON with descriptors beside it; the child, which has the
other socket, writes its answer, a line as well. Into the pipe, which no child has, the zygote writes how the
child ended: what a child claims can never be taken for that. Called by all three.
"""

import contextlib
import json
import os
import select
import socket
import struct
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

MOST_BYTES = 65_536
"""Longest line that is read; names and numbers of one picture."""
MOST_FILES = 3

_START = struct.Struct("d")
_VERDICT = struct.Struct("=ii?dq")


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a child ended, by the zygote's word."""

    refused: int = 0
    """The system's error number, where there never was a child."""
    signal: int = 0
    """What ended it; 0: it ended by itself."""
    late: bool = False
    """It had to be ended, as it was still there after its time."""
    cpu_s: float = 0.0
    memory: int = 0
    """The most that was resident, bytes, with what it shares with the zygote."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A child that a service asks for."""

    picture: socket.socket
    """Its own."""
    verdict: int
    """Where its end is told: the writing end of a pipe."""
    wall_s: float


def ask_for_child(control: socket.socket, picture: socket.socket, verdict: int, wall_s: float) -> None:
    """Hand the zygote a socket for a child, which will have `wall_s` seconds, and a pipe for its own word."""
    socket.send_fds(control, [_START.pack(wall_s)], [picture.fileno(), verdict])


def accept_picture(control: socket.socket) -> Asked | None:
    """What `ask_for_child` sent; None when the service is gone."""
    data, descriptors, _, _ = socket.recv_fds(control, _START.size, 2)
    if len(data) < _START.size or len(descriptors) < 2:
        return None
    return Asked(socket.socket(fileno=descriptors[0]), descriptors[1], _START.unpack(data)[0])


def tell(pipe: int, verdict: Verdict) -> None:
    """Write the verdict and close the pipe. Never waits: there is room for one, and one is all that comes."""
    # The service may have given up.
    with contextlib.suppress(OSError):
        os.write(
            pipe,
            _VERDICT.pack(verdict.refused, verdict.signal, verdict.late, verdict.cpu_s, verdict.memory),
        )
    os.close(pipe)


def send(picture: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Write one message."""
    line = json.dumps(message).encode() + b"\n"
    if files:
        # A stream may take less at once than the whole; the descriptors go with its first byte.
        sent = socket.send_fds(picture, [line], files)
        line = line[sent:]
    picture.sendall(line)


def receive(picture: socket.socket) -> tuple[dict[str, Any], list[int]]:
    """Read one message and the files that came with it; EOFError where there is none."""
    data, files, _, _ = socket.recv_fds(picture, MOST_BYTES, MOST_FILES)
    while data and not data.endswith(b"\n") and len(data) < MOST_BYTES:
        more = picture.recv(MOST_BYTES - len(data))
        if not more:
            break
        data += more
    if not data.endswith(b"\n"):
        raise EOFError
    return json.loads(data), files


def hear(picture: socket.socket, pipe: int, patience_s: float) -> tuple[dict[str, Any], Verdict]:
    """What the child answered, {} where that is no message, and how it ended.

    It is over with the verdict, whoever may still hold the child's socket. Raises EOFError where the zygote
    is gone, TimeoutError where it says nothing for `patience_s` seconds.
    """
    give_up_at = time.monotonic() + patience_s
    # Else it would be waited for after it has been polled.
    picture.setblocking(False)
    told = bytearray()
    poll = select.poll()
    poll.register(pipe, select.POLLIN)
    poll.register(picture, select.POLLIN)
    while (left := give_up_at - time.monotonic()) > 0:
        ready = [descriptor for descriptor, _ in poll.poll(left * 1000)]
        if pipe in ready:
            told_last = os.read(pipe, _VERDICT.size)
            if len(told_last) < _VERDICT.size:
                raise EOFError
            # What a child wrote before its end is here by now.
            while _take(picture, told):
                pass
            return _message(told), Verdict(*_VERDICT.unpack(told_last))
        if ready and not _take(picture, told):
            poll.unregister(picture)
    raise TimeoutError


def _take(picture: socket.socket, told: bytearray) -> bool:
    """Add what has come to `told`; False where there is no more to be had."""
    try:
        more = picture.recv(MOST_BYTES)
    except OSError:
        # Nothing now; or it ended without reading its task.
        return False
    told += more
    if len(told) <= MOST_BYTES:
        return bool(more)
    # Nobody waits for somebody who never stops.
    with contextlib.suppress(OSError):
        picture.shutdown(socket.SHUT_RD)
    return False


def _message(told: bytearray) -> dict[str, Any]:
    line, end, _ = told.partition(b"\n")
    try:
        message = json.loads(line) if end else None
    except (ValueError, RecursionError):
        return {}
    return message if isinstance(message, dict) else {}

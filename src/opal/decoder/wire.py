"""How service, zygote and child speak: a line of JSON each, descriptors beside the first.

One socket pair per picture. The service writes the task with its files; the child, which inherits the other
end, writes its answer; the zygote, when the child has ended, writes how it ended. Called by all three.
"""

import json
import socket
import struct
from collections.abc import Sequence
from typing import Any

MOST_BYTES = 65_536
"""Longest line that is read; names and numbers of one picture."""
MOST_FILES = 3

_START = struct.Struct("d")


def ask_for_child(control: socket.socket, picture: socket.socket, wall_s: float) -> None:
    """Hand the zygote the end of a socket pair; its child will have `wall_s` seconds."""
    socket.send_fds(control, [_START.pack(wall_s)], [picture.fileno()])


def accept_picture(control: socket.socket) -> tuple[socket.socket, float] | None:
    """What `ask_for_child` sent; None when the service is gone."""
    data, descriptors, _, _ = socket.recv_fds(control, _START.size, 1)
    if len(data) < _START.size or not descriptors:
        return None
    return socket.socket(fileno=descriptors[0]), _START.unpack(data)[0]


def line_of(message: dict[str, Any]) -> bytes:
    """One message."""
    return json.dumps(message).encode() + b"\n"


def send(picture: socket.socket, message: dict[str, Any], files: Sequence[int] = ()) -> None:
    """Write one message."""
    line = line_of(message)
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


def receive_all(picture: socket.socket) -> list[dict[str, Any]]:
    """Every message until the other side closes; what follows a line that is no message is left.

    Raises EOFError where nothing came at all.
    """
    data = b""
    while len(data) <= MOST_BYTES and (more := picture.recv(MOST_BYTES)):
        data += more
    if not data:
        raise EOFError
    messages: list[dict[str, Any]] = []
    for line in data.splitlines():
        try:
            message = json.loads(line)
        except (ValueError, RecursionError):
            break
        if not isinstance(message, dict):
            break
        messages.append(message)
    return messages

"""Picking ports on loopback for `opal up` and `opal demo`."""

import socket
from contextlib import ExitStack
from typing import ClassVar

from opal.errors import OpalError

LOOPBACK = "127.0.0.1"


class PortTaken(OpalError):
    """The port is in use.

    Choose another with `--port`; 0 picks a free one.
    """

    code: ClassVar[str] = "port_taken"
    title: ClassVar[str] = "Port in use"
    expected: ClassVar[bool] = True


def is_free(port: int) -> bool:
    """Whether a server could listen on ``port`` on loopback now."""
    with socket.socket() as probe:
        # As uvicorn does: a port in TIME_WAIT is free for a new listener.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def free_ports(count: int) -> list[int]:
    """``count`` different ports that nobody listens on now."""
    with ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for each in sockets:
            each.bind((LOOPBACK, 0))
        return [int(each.getsockname()[1]) for each in sockets]


def require_free(port: int) -> int:
    """``port`` itself. Raises ``PortTaken`` when somebody listens on it."""
    if not is_free(port):
        raise PortTaken(f"Port {port} is in use; choose another with --port (0 picks a free one).")
    return port

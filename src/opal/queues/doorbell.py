"""Wakes the receivers of the embedded queue across processes; called by ``local.py``.

Each receiver binds a Unix datagram socket in the runtime folder; after its commit a sender sends one
byte to every socket of that queue. A lost ring costs one safety poll, never a message.
"""

import asyncio
import errno
import os
import secrets
import socket
import stat
from contextlib import suppress
from pathlib import Path

import structlog

_log = structlog.get_logger(__name__)


def private_folder(folder: Path) -> bool:
    """Make ``folder`` for this user only; False when the name is taken by somebody else's.

    It lies in the shared temporary folder, where another user could have made it first.
    """
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        found = folder.lstat()
        ours = stat.S_ISDIR(found.st_mode) and found.st_uid == os.getuid()
        if ours and found.st_mode & 0o077:
            folder.chmod(0o700)
    except OSError:
        return False
    return ours


class Doorbell:
    """The receiving end: waits for a ring on one queue. Use from one event loop, close when done."""

    def __init__(self, folder: Path, queue: str) -> None:
        self._folder = folder
        # Short, since a socket's path ends at 108 bytes (104 on macOS).
        self._path = folder / f"{queue}.{os.getpid()}.{secrets.token_hex(4)}"
        self._socket: socket.socket | None = None
        self._rung = asyncio.Event()

    def reset(self) -> None:
        """Forget past rings, and bind again when a cleaner of temporary files removed the socket.

        Call before looking into the queue, then ``wait``: a ring in between is not lost.
        """
        self._rung.clear()
        if self._socket is None or not self._path.exists():
            self._bind()

    async def wait(self, seconds: float) -> None:
        """Return when the bell rings, at the latest after ``seconds``."""
        try:
            async with asyncio.timeout(max(seconds, 0)):
                await self._rung.wait()
        except TimeoutError:
            pass

    def wake(self) -> None:
        """Ring from inside this process's event loop."""
        self._rung.set()

    def close(self) -> None:
        """Take the socket away."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            self._path.unlink(missing_ok=True)
            # The last one out takes the folder along; whoever binds meanwhile makes it again.
            with suppress(OSError):
                self._folder.rmdir()

    def _bind(self) -> None:
        self.close()
        if not private_folder(self._folder):
            _log.warning(
                "doorbell unavailable",
                action="queue.no_doorbell",
                folder=str(self._folder),
                error="folder is not ours",
            )
            return
        bell = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        bell.setblocking(False)
        try:
            bell.bind(str(self._path))
        except OSError as error:
            bell.close()
            # Receiving still works, one safety poll slower.
            _log.warning(
                "doorbell unavailable", action="queue.no_doorbell", folder=str(self._folder), error=str(error)
            )
            return
        self._socket = bell
        asyncio.get_running_loop().add_reader(bell, self._on_ring, bell)

    def _on_ring(self, bell: socket.socket) -> None:
        try:
            while bell.recv(16):
                pass
        except OSError:  # nothing more to read
            pass
        self._rung.set()


def ring(folder: Path, queue: str) -> None:
    """Wake every receiver of ``queue`` on this machine; never blocks and never raises.

    Sockets whose process has died are removed on the way.
    """
    try:
        bells = list(folder.glob(f"{queue}.*"))
        if not bells:
            return
        sender = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    except OSError:
        return
    with sender:
        sender.setblocking(False)
        for path in bells:
            try:
                sender.sendto(b"\0", str(path))
            except OSError as error:
                # A full buffer means that rings are waiting already: as good as delivered.
                if error.errno == errno.ECONNREFUSED:
                    path.unlink(missing_ok=True)

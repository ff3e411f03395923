"""Delivers to a folder of this machine: a temporary name first, then renamed. Implements ``Destination``."""

import asyncio
import errno
import hashlib
import os
import secrets
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO, TypeVar

from opal.destinations.interface import Content
from opal.errors import DestinationFailed

_PIECE = 1 << 20
_FULL = (errno.ENOSPC, errno.EDQUOT)

T = TypeVar("T")


class FolderDestination:
    """Files below ``folder`` of ``tenant_id``, below the operator's ``root``, which must be there.

    Whatever symbolic links lie in there, nothing is written outside of the tenant's own folder.
    """

    def __init__(self, root: Path, tenant_id: str, folder: str) -> None:
        self._root = root
        self._own = root / tenant_id
        self._home = self._own / folder

    async def holds(self, path: str, content: Content) -> str | None:
        """The file's hash if this very content lies at ``path``."""

        def look() -> str | None:
            file = self._home / path
            if file.is_symlink() or not file.is_file() or file.stat().st_size != content.size:
                return None
            with file.open("rb") as opened:
                digest = hashlib.file_digest(opened, "sha256").hexdigest()
            return digest if digest == content.sha256 else None

        return await _off_loop(look)

    async def put(self, path: str, content: Content) -> str:
        """Write, sync, rename; the hash is the ETag."""
        file = self._home / path
        written = await _off_loop(lambda: self._begin(file))
        try:
            async for piece in content.checked():
                await _off_loop(lambda piece=piece: written.write(piece))  # type: ignore[misc]
            await _off_loop(lambda: _publish(written, file))
        finally:
            await _off_loop(lambda: _discard(written))
        return content.sha256

    async def close(self) -> None:
        """Nothing is held open."""

    def _begin(self, file: Path) -> BinaryIO:
        if not self._root.is_dir():
            raise DestinationFailed("The operator's folder for deliveries is not there.")
        # Before anything is made: a link among the folders must not be followed for that either.
        if not file.parent.resolve().is_relative_to(self._root.resolve() / self._own.name):
            raise DestinationFailed("A link leads out of the folder.")
        file.parent.mkdir(parents=True, exist_ok=True)
        if file.is_dir():
            raise DestinationFailed("There is a folder of that name.")
        mark = f".opal-{hashlib.sha256(file.name.encode()).hexdigest()[:24]}."
        # What a sender that was killed left of this file.
        for leftover in file.parent.glob(f"{mark}*.part"):
            leftover.unlink(missing_ok=True)
        temporary = file.parent / f"{mark}{secrets.token_hex(8)}.part"
        return temporary.open("xb")


def _publish(written: BinaryIO, file: Path) -> None:
    written.flush()
    os.fsync(written.fileno())
    Path(written.name).replace(file)
    descriptor = os.open(file.parent, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _discard(written: BinaryIO) -> None:
    # A full disk would have its say a second time.
    with suppress(OSError):
        written.close()
    Path(written.name).unlink(missing_ok=True)


async def _off_loop(work: Callable[[], T]) -> T:
    """Run ``work`` in a thread to its end, also when cancelled, as the file is closed next."""
    running = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(running)
    except OSError as error:
        reason = "The disk is full." if error.errno in _FULL else f"The folder failed: {error.strerror}."
        raise DestinationFailed(reason) from error
    except asyncio.CancelledError:
        await asyncio.wait([running])
        raise

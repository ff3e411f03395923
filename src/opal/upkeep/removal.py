"""Removes blobs, a few at a time. Used by retention, orphans and erasures."""

import asyncio
from collections.abc import Sequence
from typing import Final

from opal.blobs.interface import Blobs

AT_A_TIME: Final = 8


async def remove(blobs: Blobs, container: str, paths: Sequence[str]) -> None:
    """Remove them all; what is gone already is no error. Raises ``BlobStoreUnavailable``."""
    for start in range(0, len(paths), AT_A_TIME):
        batch = paths[start : start + AT_A_TIME]
        await asyncio.gather(*(blobs.delete(container, path) for path in batch))

"""What stands in front of a part and passes everything on that it does not do itself."""

import asyncio
from typing import Any


class Passing:
    """The part behind is ``inner``."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)


class SlowlyRead(Passing):
    """Blobs that keep who reads them waiting."""

    async def read(self, *path: str, **options: Any) -> bytes:
        """As the store's own, long enough for leases and locks to be renewed."""
        await asyncio.sleep(0.8)
        data: bytes = await self.inner.read(*path, **options)
        return data

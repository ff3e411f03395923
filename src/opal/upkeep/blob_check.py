"""Holds blobs against their rows: every one that an exported item or a backdrop names is there, as recorded.

Called by `opal doctor --invariants` and by fault tests. Pieces are hashed as they come, a few blobs at a
time, so that memory stays the same whatever lies in the store.
"""

import asyncio
import hashlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

from opal.blobs.interface import Blobs
from opal.database import recorded_blobs
from opal.database.engine import Database
from opal.database.invariants import Offender, Verdict
from opal.database.recorded_blobs import BlobScope, RecordedBlob
from opal.errors import BlobNotFound

PAGE: Final = 200
"""Items and backdrops read from the database at a time."""
AT_A_TIME: Final = 8
"""Blobs looked at side by side; each holds one piece in memory."""

RULE: Final = (
    "Every blob that a finished item or a backdrop names is there, unless its row says that it has expired."
)
HASH_RULE: Final = RULE + " It has the recorded size and sha256."


class Thoroughness(StrEnum):
    """How blobs are looked at: not at all, that they are there with their size, or every byte."""

    NONE = "none"
    LOOK = "look"
    HASH = "hash"


@dataclass(frozen=True, slots=True)
class BlobVerdict:
    """The verdict, and how much was looked at."""

    verdict: Verdict
    blobs: int
    bytes: int


async def check_blobs(
    database: Database, blobs: Blobs, scope: BlobScope, how: Thoroughness, *, most: int = 5
) -> BlobVerdict:
    """Look at what ``scope`` holds. Raises ``BlobStoreUnavailable`` where the store cannot be asked."""
    offenders: list[Offender] = []
    count = looked = size = 0
    async for page in _pages(database, scope):
        for start in range(0, len(page), AT_A_TIME):
            batch = page[start : start + AT_A_TIME]
            for blob, (found, length) in zip(
                batch, await asyncio.gather(*(_look(blobs, each, how) for each in batch)), strict=True
            ):
                looked += 1
                size += length
                if found is not None:
                    count += 1
                    if len(offenders) < most:
                        told = f"{blob.container}/{blob.path}: {found}"
                        offenders.append(Offender(blob.subject, blob.tenant_id, told))
    rule = HASH_RULE if how is Thoroughness.HASH else RULE
    return BlobVerdict(Verdict("blobs_as_recorded", rule, count, tuple(offenders)), looked, size)


async def _pages(database: Database, scope: BlobScope) -> AsyncIterator[list[RecordedBlob]]:
    after = ""
    while True:
        async with database.read() as connection:
            ids = await recorded_blobs.exported_items(connection, scope, after, PAGE)
            page = await recorded_blobs.blobs_of_items(connection, ids)
        yield page
        if scope.sample is not None or len(ids) < PAGE:
            break
        after = ids[-1]
    if scope.job_id is not None or scope.sample is not None:
        return
    after = ""
    while True:
        async with database.read() as connection:
            page = await recorded_blobs.blobs_of_backdrops(connection, scope.tenant_id, after, PAGE)
        yield page
        if len(page) < PAGE:
            return
        after = page[-1].subject


async def _look(blobs: Blobs, blob: RecordedBlob, how: Thoroughness) -> tuple[str | None, int]:
    """What is wrong with the blob, or None, and its size."""
    try:
        info = await blobs.info(blob.container, blob.path)
        if blob.bytes is not None and info.size != blob.bytes:
            return f"{info.size} bytes, recorded {blob.bytes}", info.size
        if info.size == 0:
            return "empty", 0
        if how is Thoroughness.HASH and blob.sha256 is not None:
            digest = hashlib.sha256()
            async for piece in blobs.stream(blob.container, blob.path):
                digest.update(piece)
            if digest.hexdigest() != blob.sha256:
                return f"sha256 {digest.hexdigest()}, recorded {blob.sha256}", info.size
    except BlobNotFound:
        return "missing", 0
    return None, info.size

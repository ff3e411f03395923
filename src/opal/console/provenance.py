"""What a finished picture says of its own making, read from its file: the item page shows nothing else.

Files never change, so each is read once.
"""

import asyncio
from collections import OrderedDict
from dataclasses import dataclass
from typing import Final, Literal

from opal.blobs.interface import Blobs
from opal.content_credentials.read import read_content_credentials
from opal.database.variants import VariantRow
from opal.errors import BlobNotFound, InvalidPhoto
from opal.images.metadata import read_digital_source_type

# A larger one is for print, and would hold a page up.
_LARGEST: Final = 64 << 20
_REMEMBERED: Final = 4096
# Of every C2PA manifest store, in whatever format it lies.
_MANIFEST: Final = b"c2pa"


@dataclass(frozen=True, slots=True)
class Provenance:
    """As the file has it."""

    source_type: str | None
    """Short name of IPTC's vocabulary; None: the file makes no statement."""
    signature: Literal["none", "valid", "broken"]
    """Of a C2PA manifest."""
    signer: str | None


_read: "OrderedDict[str, Provenance]" = OrderedDict()


async def read_provenance(blobs: Blobs, row: VariantRow) -> Provenance | None:
    """What the picture says; None where it is gone, too large to look at, or cannot be read."""
    known = _read.get(row.sha256)
    if known is not None:
        return known
    if row.bytes > _LARGEST:
        return None
    try:
        data = await blobs.read("exports", row.path)
        told = await asyncio.to_thread(_look, data, row.content_type)
    except (BlobNotFound, InvalidPhoto):
        return None
    _read[row.sha256] = told
    if len(_read) > _REMEMBERED:
        _read.popitem(last=False)
    return told


def _look(data: bytes, media_type: str) -> Provenance:
    source_type = read_digital_source_type(data)
    if _MANIFEST not in data:
        return Provenance(source_type, "none", None)
    credentials = read_content_credentials(data, media_type)
    if credentials is None:
        return Provenance(source_type, "none", None)
    return Provenance(source_type, "broken" if credentials.broken else "valid", credentials.signer)

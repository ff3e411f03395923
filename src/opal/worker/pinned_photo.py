"""A photo's blob is pinned to the version that was checked when its upload was completed.

Called by both workers. No signed URL can overwrite a blob, but an operator can, or a store that was restored.
"""

from opal.blobs.interface import Blobs
from opal.errors import BlobNotFound, PhotoChanged, StoredPictureUnusable
from opal.items.item import Item


async def require_pinned(blobs: Blobs, item: Item) -> None:
    """The item's photo must be the one that was uploaded; see ``require_version``."""
    assert item.raw_path is not None, "an item without a photo is never queued"
    await require_version(blobs, item.raw_path, item.photo.get("etag"))


async def require_version(blobs: Blobs, raw_path: str, etag: str | None) -> None:
    """The photo at ``raw_path`` must have this ETag; None, as very old items have it, is any.

    Raises ``PhotoChanged`` when another blob lies in its place, ``StoredPictureUnusable`` when none does.
    """
    try:
        info = await blobs.info("raw", raw_path)
    except BlobNotFound as error:
        raise StoredPictureUnusable("The stored photo is missing.") from error
    if etag is not None and info.etag != etag:
        raise PhotoChanged

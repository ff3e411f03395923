"""One photo to its matte while somebody waits: the placement endpoint's smaller kind of request.

Called by the remove.bg routes and by previews of scenes.
"""

import asyncio
import base64
from dataclasses import dataclass

from opal.decoder.pictures import decode_photo
from opal.errors import InvalidPhoto, ScoringFailed
from opal.images.limits import Limits
from opal.images.matte import Matte, read_matte
from opal.images.photo import Photo
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse, Region
from opal.scoring_client.client import ScoringClient


@dataclass(frozen=True, slots=True)
class BareCutout:
    """A photo and how much of each of its pixels is product."""

    photo: Photo
    matte: Matte
    """(H, W) at the photo's size."""
    confidence: float


async def bare_cutout(  # noqa: PLR0917 - who asks for what, and as part of which story
    scoring: ScoringClient,
    tenant_id: str,
    data: bytes,
    limits: Limits,
    region: Region | None,
    correlation_id: str,
) -> BareCutout:
    """Decode the photo and have it cut out. Raises ``InvalidPhoto`` and what ``ScoringClient`` raises."""
    # The endpoint decodes the photo as well; both at the same time.
    decoding = asyncio.create_task(asyncio.to_thread(decode_photo, data, limits))
    try:
        request = await asyncio.to_thread(_request, tenant_id, data, region)
        answer = await scoring.cut_out(request, correlation_id)
        matte = await asyncio.to_thread(_matte, answer)
        photo = await decoding
    finally:
        decoding.cancel()
    if matte.shape != (photo.height, photo.width):
        raise ScoringFailed("The matte is not of the photo's size.")
    return BareCutout(photo, matte, answer.confidence)


def _request(tenant_id: str, data: bytes, region: Region | None) -> CutoutRequest:
    letters = base64.b64encode(data).decode("ascii")
    return CutoutRequest(tenant_id=tenant_id, image_bytes_b64=letters, region=region)


def _matte(answer: CutoutResponse) -> Matte:
    try:
        return read_matte(base64.b64decode(answer.matte_bytes_b64))
    except (ValueError, InvalidPhoto) as error:
        raise ScoringFailed("The endpoint's matte cannot be read.") from error

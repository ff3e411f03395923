"""A bare cut-out: the photo comes inside the request and its matte goes back inside the answer.

Called by ``score.py``. Nothing is fetched, placed, measured or stored, which is what makes it quick.
"""

import base64
import binascii
import time

import numpy as np
import pyvips

from opal.cutout.interface import Cutout, CutoutEngine
from opal.decoder.pictures import decode_photo
from opal.errors import InvalidInput
from opal.images.geometry import Box
from opal.images.limits import Limits
from opal.images.matte import encode_matte
from opal.images.photo import Photo
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse, Region

SMALLEST_REGION = 8
"""Shortest side of a region, in pixels, that the engines are asked to look at."""


def cut_out(request: CutoutRequest, engine: CutoutEngine, limits: Limits) -> CutoutResponse:
    """The matte of the request's photo, nothing of the product outside its region.

    Raises InvalidInput for what the request or the photo is; NoProductFound also where the region holds none.
    """
    started = time.perf_counter()
    try:
        data = base64.b64decode(request.image_bytes_b64, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("image_bytes_b64: not base64.") from error
    photo = decode_photo(data, limits)
    decoded = time.perf_counter()
    cutout = _in_region(photo, request.region, engine)
    cut = time.perf_counter()
    matte = encode_matte(cutout.matte)
    timings = {"decode": decoded - started, "cut_out": cut - decoded, "encode": time.perf_counter() - cut}
    return CutoutResponse(
        matte_bytes_b64=base64.b64encode(matte).decode("ascii"),
        cutout_engine=None if photo.alpha is not None else engine.info.name,
        confidence=cutout.confidence,
        confidence_reasons=list(cutout.reasons),
        timings={step: round(seconds, 4) for step, seconds in timings.items()} | cutout.timings,
    )


def _in_region(photo: Photo, region: Region | None, engine: CutoutEngine) -> Cutout:
    if region is None:
        return engine.cut_out(photo)
    box = _on_photo(region, photo)

    def part(image: pyvips.Image) -> pyvips.Image:
        return image.crop(box.left, box.top, box.width, box.height).copy_memory()

    alpha = None if photo.alpha is None else part(photo.alpha)
    seen = engine.cut_out(Photo(part(photo.pixels), alpha, photo.source))
    whole = np.zeros((photo.height, photo.width), np.float32)
    whole[box.top : box.bottom, box.left : box.right] = seen.matte
    return Cutout(whole, seen.confidence, seen.reasons, seen.timings)


def _on_photo(region: Region, photo: Photo) -> Box:
    left, top = min(region.left, photo.width), min(region.top, photo.height)
    width, height = min(region.width, photo.width - left), min(region.height, photo.height - top)
    if min(width, height) < SMALLEST_REGION:
        raise InvalidInput(f"region: less than {SMALLEST_REGION} pixels of the photo lie in it.")
    return Box(left, top, width, height)

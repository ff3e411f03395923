"""From photo and matte to the file that was asked for. Pure, and slow: web-api calls it in a thread.

Read ``make_picture`` from top to bottom: it is a picture's way. Nothing but the edge of a subject that is
neither moved nor resized is touched.
"""

import io
import zipfile
from dataclasses import dataclass

import numpy as np
import pyvips
from numpy.typing import NDArray

from opal.cutout_pictures.layout import Layout, lay_out
from opal.cutout_pictures.wanted import Format, Wanted
from opal.errors import NoProductFound
from opal.images.contact import product_box
from opal.images.encode import MEDIA_TYPE, OutputFormat, encode
from opal.images.geometry import Box
from opal.images.matte import Matte, encode_matte
from opal.images.metadata import DigitalSourceType, PictureMetadata
from opal.images.native import lay_native
from opal.images.over_picture import Ground, over_picture, shade_under
from opal.images.photo import Photo
from opal.images.resample import OPAQUE
from opal.images.resize import resize_to, to_linear_light
from opal.images.spread import spread_colours
from opal.images.watermark import watermark
from opal.placement.casting import cast
from opal.placement.placement import Placement
from opal.placement.provenance import source_type_on
from opal.placement.scene import TransparentScene

JPEG_QUALITY = 92
WEBP_QUALITY = 90
_WHITE = (255, 255, 255)
Codes = NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class Picture:
    """A finished file, and what its headers tell."""

    data: bytes
    media_type: str
    width: int
    height: int
    foreground: Box
    """The subject on the upright photo."""


def make_picture(
    photo: Photo, matte: Matte, wanted: Wanted, background: Photo | None, *, sandbox: bool
) -> Picture:
    """Make the picture; raises NoProductFound for an empty matte."""
    subject = product_box(matte)
    if subject is None:
        raise NoProductFound
    target = result_format(wanted, has_background=wanted.bg_color is not None or background is not None)
    layout = lay_out(wanted, photo.width, photo.height, subject, wanted.limit(png=target == "png"))
    product, alpha = _product(photo, matte, subject, layout)
    if wanted.channels == "alpha" and target != "zip":
        pixels = np.repeat(product[..., 3:], 3, axis=2)
        data = _alpha_file(pixels, target, sandbox=sandbox)
    else:
        shade = _shade(alpha, layout, wanted)
        pixels = _on_ground(product, shade, wanted, background, layout, opaque=target == "jpg")
        metadata = PictureMetadata(digital_source_type=_source_type(background))
        data = _file(watermark(pixels) if sandbox else pixels, target, metadata)
    return Picture(data, media_type_of(target), layout.width, layout.height, subject)


def result_format(wanted: Wanted, *, has_background: bool) -> Format:
    """What ``auto`` means here: PNG where the result may be transparent, else JPEG."""
    if wanted.format != "auto":
        return wanted.format
    see_through = wanted.bg_color is not None and wanted.bg_color[3] < 255
    return "jpg" if has_background and not see_through and wanted.channels == "rgba" else "png"


def media_type_of(target: Format) -> str:
    """The answer's Content-Type."""
    return "application/zip" if target == "zip" else MEDIA_TYPE[_encoder(target)]


def _product(photo: Photo, matte: Matte, subject: Box, layout: Layout) -> tuple[Codes, NDArray[np.float32]]:
    """The subject at its size on transparent pixels, and its coverage over its own box."""
    box = layout.subject
    part = photo.pixels.crop(subject.left, subject.top, subject.width, subject.height)
    alpha: NDArray[np.float32] = matte[subject.top : subject.bottom, subject.left : subject.right]
    if (box.width, box.height) == (subject.width, subject.height):
        # 8 bits are what every result has.
        pixels = part if part.format == "uchar" else part.colourspace("srgb")
        alpha = alpha.copy()
    else:
        light = resize_to(to_linear_light(part), box.width, box.height, "lanczos2")
        pixels = light.copy(interpretation="scrgb").colourspace("srgb")
        share = pyvips.Image.new_from_array(np.ascontiguousarray(alpha))
        alpha = resize_to(share, box.width, box.height, "lanczos2").numpy().reshape(box.height, box.width)
        alpha = np.clip(alpha, 0.0, 1.0)
    alpha[alpha >= OPAQUE] = 1.0
    bare = Photo(pixels.copy_memory(), None, photo.source)
    whole = Box(0, 0, box.width, box.height)
    return lay_native(bare, alpha, whole, box, (layout.width, layout.height)), alpha


def _shade(alpha: NDArray[np.float32], layout: Layout, wanted: Wanted) -> NDArray[np.float32] | None:
    if wanted.shadow == "none" or wanted.shadow_opacity == 0.0:
        return None
    placement = Placement(shadow=wanted.shadow)
    if wanted.shadow_opacity is not None:
        placement = Placement(shadow=wanted.shadow, shadow_intensity=wanted.shadow_opacity)
    coverage = np.zeros((layout.height, layout.width), np.float32)
    box = layout.subject
    coverage[box.top : box.bottom, box.left : box.right] = alpha
    return cast(coverage, placement, TransparentScene(), 0.0)


def _on_ground(
    product: Codes,
    shade: NDArray[np.float32] | None,
    wanted: Wanted,
    background: Photo | None,
    layout: Layout,
    *,
    opaque: bool,
) -> Codes:
    ground = None
    if background is not None:
        ground = Ground(_covering(background, layout.width, layout.height))
    elif wanted.bg_color is not None and wanted.bg_color[3] > 0:
        colour = np.array(wanted.bg_color[:3], np.uint8).reshape(1, 1, 3)
        ground = Ground(colour, wanted.bg_color[3] / 255.0)
    if opaque and (ground is None or ground.opacity < 1.0):
        # JPEG has no alpha; white, as the contract has it, also below a colour that is see-through.
        ground = _on_white(ground)
    if ground is not None:
        return over_picture(product, ground, shade)
    return product if shade is None else shade_under(product, shade)


def _on_white(ground: Ground | None) -> Ground:
    white = Ground(np.array(_WHITE, np.uint8).reshape(1, 1, 3))
    if ground is None:
        return white
    alpha = np.full((1, 1, 1), round(ground.opacity * 255.0), np.uint8)
    return Ground(over_picture(np.concatenate([ground.codes, alpha], axis=2), white, None))


def _covering(background: Photo, width: int, height: int) -> Codes:
    """The background, centred, so large that it covers the canvas, resized in linear light: (H, W, 3)."""
    scale = max(width / background.width, height / background.height)
    across = max(1, min(background.width, round(width / scale)))
    down = max(1, min(background.height, round(height / scale)))
    left, top = (background.width - across) // 2, (background.height - down) // 2
    part = background.pixels.crop(left, top, across, down)
    if (across, down) == (width, height):
        resized = part if part.format == "uchar" else part.colourspace("srgb")
    else:
        light = resize_to(to_linear_light(part), width, height, "lanczos2")
        resized = light.copy(interpretation="scrgb").colourspace("srgb")
    codes: Codes = resized.numpy().reshape(height, width, 3)
    return codes


def _source_type(background: Photo | None) -> DigitalSourceType | None:
    return None if background is None else source_type_on(background.source.digital_source_type)


def _alpha_file(grey: Codes, target: Format, *, sandbox: bool) -> bytes:
    marked = watermark(grey) if sandbox else grey
    if target == "png":
        return encode_matte(marked[..., 0].astype(np.float32) / np.float32(255.0))
    return _file(marked, target, PictureMetadata())


def _file(pixels: Codes, target: Format, metadata: PictureMetadata) -> bytes:
    if target == "zip":
        return _archive(pixels, metadata)
    quality = WEBP_QUALITY if target == "webp" else JPEG_QUALITY
    return encode(pixels, _encoder(target), quality, metadata=metadata)


def _archive(pixels: Codes, metadata: PictureMetadata) -> bytes:
    """``color.jpg`` and ``alpha.png``, which together are the PNG in a fraction of its bytes."""
    if pixels.shape[2] == 4:
        colour, alpha = spread_colours(pixels), pixels[..., 3].astype(np.float32) / np.float32(255.0)
    else:
        colour, alpha = pixels, np.ones(pixels.shape[:2], np.float32)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_STORED) as archive:
        archive.writestr("color.jpg", encode(colour, "jpeg", JPEG_QUALITY, metadata=metadata))
        archive.writestr("alpha.png", encode_matte(alpha))
    return packed.getvalue()


def _encoder(target: Format) -> OutputFormat:
    match target:
        case "jpg":
            return "jpeg"
        case "webp":
            return "webp"
        case _:
            return "png"

"""Which decoders may touch a stranger's bytes; libvips' process-wide settings live here only.

Called once by `opal.images` on import. `read_header` is what sniffing, probing and decoding share.
"""

import pyvips

from opal.errors import UnsupportedFormat
from opal.images.damage import name_damage
from opal.images.sniff import ImageFormat, View

# Class names in libvips. Everything else (SVG, PDF, ImageMagick, Matlab, CSV, raw, ...) stays blocked
# even if a future wheel brings it.
_ALLOWED_LOADERS = (
    "VipsForeignLoadJpeg",
    "VipsForeignLoadPng",
    "VipsForeignLoadWebp",
    "VipsForeignLoadNsgif",
    "VipsForeignLoadTiff",
    "VipsForeignLoadHeif",
)

LOADERS: dict[ImageFormat, str] = {
    ImageFormat.JPEG: "jpegload_source",
    ImageFormat.PNG: "pngload_source",
    ImageFormat.WEBP: "webpload_source",
    ImageFormat.GIF: "gifload_source",
    ImageFormat.TIFF: "tiffload_source",
    ImageFormat.AVIF: "heifload_source",
    ImageFormat.HEIC: "heifload_source",
}
"""libvips' operation for each format."""


def harden_libvips() -> None:
    """Allow only the loaders above and switch off the operation cache.

    The cache keeps decoded pictures of one tenant alive while the next one is served, and grows a
    long-lived worker by hundreds of MB; no picture here is computed twice in the same way.
    """
    pyvips.block_untrusted_set(True)
    pyvips.operation_block_set("VipsForeignLoad", True)
    for loader in _ALLOWED_LOADERS:
        pyvips.operation_block_set(loader, False)
    pyvips.cache_set_max(0)
    _quieten()


def _quieten() -> None:
    """Keep libvips' notes to itself; its warnings go to the `pyvips` logger as before.

    pyvips has every note call Python, from libvips' own threads too, which takes a fifth of a small picture's
    time; and of many pictures at once one was seen to crash within an operation that makes notes.
    """
    levels = pyvips.GLogLevelFlags
    worth_telling = levels.LEVEL_WARNING | levels.LEVEL_CRITICAL | levels.LEVEL_ERROR
    told = worth_telling | levels.FLAG_FATAL | levels.FLAG_RECURSION
    pyvips._remove_log_handler()
    # Removed at exit by pyvips, as its own one would be.
    pyvips._log_handler_id = pyvips.glib_lib.g_log_set_handler(
        b"VIPS", told, pyvips._log_handler_cb, pyvips.ffi.NULL
    )


def read_header(
    data: View, image_format: ImageFormat, *, strict: bool, unblemished: bool = False
) -> pyvips.Image:
    """Open `data` with exactly the loader of `image_format`; pixels are decoded only when asked for.

    `strict` makes decoding fail on damaged or missing data instead of inventing grey pixels;
    `unblemished`, which is stricter, also where a JPEG's decoder only warns: it goes on after damage, with
    pixels that nobody photographed. (Other formats carry sums, or fail; their warnings tell of metadata.)
    Raises UnsupportedFormat (HEIC without a decoder in this build), PhotoTruncated or PhotoCorrupt.
    """
    operation = LOADERS[image_format]
    if unblemished and image_format is ImageFormat.JPEG:
        fail_on = "warning"
    else:
        fail_on = "error" if strict or unblemished else "none"
    try:
        source = pyvips.Source.new_from_memory(data)
        image: pyvips.Image = getattr(pyvips.Image, operation)(source, access="sequential", fail_on=fail_on)
        # As pyvips' own `new_from_source` does: the file is not copied, so it has to live as long.
        image._references.append(source)
    except pyvips.Error as error:
        if image_format is ImageFormat.HEIC:
            raise heic_unsupported() from error
        raise name_damage(data, image_format) from error
    return image


def heic_unsupported() -> UnsupportedFormat:
    """The sentence for HEIC photos, whose codec (HEVC) this build does not bring."""
    return UnsupportedFormat(
        "HEIC photos cannot be read by this build. On an iPhone choose Settings > Camera > Formats > "
        "Most Compatible, or export the photo as JPEG, PNG, WebP, TIFF or AVIF."
    )

"""What is wrong with a photo."""

from opal.errors.requests import InvalidInput


class InvalidPhoto(InvalidInput):
    """The photo cannot be used.

    The item has failed and its credit is released; send another photo in a new job.
    """

    code = "invalid_photo"
    title = "Photo cannot be used"


class PhotoEmpty(InvalidPhoto):
    """The photo has no bytes.

    The upload brought nothing; send the photo in a new job.
    """

    code = "image_empty"
    title = "Photo is empty"


class UnsupportedFormat(InvalidPhoto):
    """The file is not a picture of a supported format.

    JPEG, PNG, WebP, TIFF, AVIF and GIF can be read. The bytes count, not the file's extension.
    """

    code = "unsupported_format"
    title = "Unsupported picture format"


class PhotoTruncated(InvalidPhoto):
    """The photo ends before its pixels do.

    The upload or an earlier copy was cut short; send the whole file in a new job.
    """

    code = "image_truncated"
    title = "Photo is truncated"


class PhotoCorrupt(InvalidPhoto):
    """The photo's bytes are damaged.

    Export the photo again from its source and send it in a new job.
    """

    code = "image_corrupt"
    title = "Photo is damaged"


class PhotoTooLarge(InvalidPhoto):
    """The photo has more bytes than allowed.

    The limit is `OPAL_PHOTO_MAX_BYTES`; JPEG is smallest. When the upload itself was refused, the item still
    waits: ask for a new URL and send a smaller file, or cancel the job to have the credit back at once.
    """

    code = "upload_too_large"
    title = "Photo has too many bytes"


class TooManyPixels(InvalidPhoto):
    """The photo has more pixels than allowed.

    The limit is `OPAL_PHOTO_MAX_PIXELS`; send a smaller export, or set `OPAL_PHOTO_OVERSIZE` to `halve`.
    """

    code = "image_too_many_pixels"
    title = "Photo has too many pixels"


class SideTooLong(InvalidPhoto):
    """A side of the photo is longer than allowed.

    The limit is `OPAL_PHOTO_MAX_SIDE`; send a smaller export.
    """

    code = "image_side_too_long"
    title = "Photo is too long on one side"


class PhotoTooSmall(InvalidPhoto):
    """The photo is too small to be useful.

    The limit is `OPAL_PHOTO_MIN_SIDE`; send the original, not a preview.
    """

    code = "image_too_small"
    title = "Photo is too small"


class PhotoAnimated(InvalidPhoto):
    """The file holds several frames or pages; one photo is expected.

    Export the one frame or page that shows the product.
    """

    code = "image_animated"
    title = "Photo is animated"


class InterlacedTooLarge(InvalidPhoto):
    """An interlaced photo of this size needs too much memory to decode.

    Save the PNG without interlacing.
    """

    code = "image_interlaced_too_large"
    title = "Interlaced photo is too large"


class PhotoChanged(InvalidPhoto):
    """The stored photo is no longer the one whose upload was completed.

    The item has failed and its credit is back. Somebody who may write to the blob store replaced it; send the
    photo in a new job.
    """

    code = "photo_changed"
    title = "Photo was replaced"


class PhotoMetadataTooLarge(InvalidPhoto):
    """The file carries too much besides its pixels.

    Profiles, XMP, previews and comments may have 16 MB together, decompressed. Save the photo without them.
    """

    code = "image_metadata_too_large"
    title = "Photo has too much metadata"


class PhotoUndecodable(InvalidPhoto):
    """Decoding the photo was stopped.

    Its decoder crashed on it, or took more memory or time than any photo of its size. Export the photo again
    from its source and send it in a new job. The log has the reason under `decoder.stopped`.
    """

    code = "image_undecodable"
    title = "Photo cannot be decoded"


class NoProductFound(InvalidPhoto):
    """No product stands out from the background.

    Photograph the product larger, or on a ground that differs from it.
    """

    code = "no_product_found"
    title = "No product found"


class ProductTooSmall(InvalidPhoto):
    """The product has too few pixels to be placed.

    Photograph the product from closer by.
    """

    code = "product_too_small"
    title = "Product is too small"


class PhotoRefused(InvalidPhoto):
    """The placement endpoint refused the photo."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        # The endpoint's own stable code is the one the client should see.
        self.code = code  # type: ignore[misc]

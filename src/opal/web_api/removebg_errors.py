"""Errors as remove.bg's clients expect them: ``{"errors": [{"title", "code", "detail"}]}``.

Called by every module of the remove.bg routes. Opal's own errors are translated here, at the edge.
"""

from collections.abc import Mapping
from typing import Final

from starlette.responses import Response

from opal import errors
from opal.errors import OpalError
from opal.http.error_form import removebg_errors

TITLES: Final[dict[str, tuple[int, str]]] = {
    "missing_source": (400, "No image given"),
    "multiple_sources": (400, "Multiple image sources given"),
    "invalid_image_url": (400, "Invalid image URL"),
    "failed_image_download": (400, "Failed to download the image"),
    "failed_to_read_image": (400, "Failed to read the image"),
    "invalid_file_type": (400, "Invalid file type"),
    "file_too_large": (400, "File too large"),
    "resolution_too_high": (400, "Image resolution too high"),
    "invalid_dimensions": (400, "Invalid image dimensions"),
    "unknown_foreground": (400, "Could not identify foreground in image"),
    "invalid_size": (400, "Invalid size parameter"),
    "invalid_type": (400, "Invalid type parameter"),
    "invalid_type_level": (400, "Invalid type_level parameter"),
    "invalid_format": (400, "Invalid format parameter"),
    "invalid_channels": (400, "Invalid channels parameter"),
    "invalid_crop": (400, "Invalid crop parameter"),
    "invalid_crop_margin": (400, "Invalid crop_margin parameter"),
    "invalid_scale": (400, "Invalid scale parameter"),
    "invalid_position": (400, "Invalid position parameter"),
    "invalid_roi": (400, "Invalid roi parameter"),
    "roi_exceeds_bounds": (400, "Region of interest exceeds the image"),
    "roi_region_empty": (400, "Region of interest is empty"),
    "invalid_add_shadow": (400, "Invalid add_shadow parameter"),
    "invalid_shadow_type": (400, "Invalid shadow_type parameter"),
    "invalid_shadow_opacity": (400, "Invalid shadow_opacity parameter"),
    "invalid_semitransparency": (400, "Invalid semitransparency parameter"),
    "invalid_bg_color": (400, "Invalid bg_color parameter"),
    "invalid_bg_image_url": (400, "Invalid background image URL"),
    "failed_bg_download": (400, "Failed to download the background image"),
    "multiple_bg_sources": (400, "Multiple backgrounds given"),
    "invalid_tag": (400, "Invalid tag parameter"),
    "invalid_request": (400, "Request cannot be read"),
    "insufficient_credits": (402, "Insufficient credits"),
    "missing_api_key": (403, "Missing API Key"),
    "auth_failed": (403, "Invalid API Key"),
    "improve_disabled": (403, "Improvement program is switched off"),
    "not_found": (404, "Not found"),
    "method_not_allowed": (405, "Method not allowed"),
    "request_timeout": (408, "Request body took too long"),
    "rate_limit_exceeded": (429, "Rate limit exceeded"),
    "too_many_requests": (429, "Too many requests are waiting"),
    "internal_error": (500, "Internal error"),
    "service_unavailable": (503, "Service unavailable"),
}
"""Every code: its status and title."""


class Refused(Exception):
    """A request ends with this error; nothing is charged."""

    def __init__(self, code: str, detail: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail
        self.status, self.title = TITLES[code]
        self.headers = dict(headers or {})
        if self.status in {429, 503}:
            self.headers.setdefault("Retry-After", "5")


def answer_of(error: Refused) -> Response:
    """The answer that says so."""
    body = removebg_errors(error.title, error.code, error.detail)
    return Response(body, error.status, headers=error.headers, media_type="application/json")


# The nearest class in an error's own line of ancestors decides.
_CODES: Final[dict[type[OpalError], str]] = {
    errors.OpalError: "internal_error",
    errors.InvalidPhoto: "failed_to_read_image",
    errors.UnsupportedFormat: "invalid_file_type",
    errors.PhotoAnimated: "invalid_file_type",
    errors.PhotoTooLarge: "file_too_large",
    errors.TooManyPixels: "resolution_too_high",
    errors.SideTooLong: "resolution_too_high",
    errors.InterlacedTooLarge: "resolution_too_high",
    errors.PhotoTooSmall: "invalid_dimensions",
    errors.NoProductFound: "unknown_foreground",
    errors.ProductTooSmall: "unknown_foreground",
    errors.InvalidInput: "invalid_request",
    errors.InsufficientCredits: "insufficient_credits",
    errors.DependencyError: "service_unavailable",
    errors.Interrupted: "service_unavailable",
}
_BY_CODE: Final = {
    kind.code: kind for kind in errors.walk(errors.InvalidPhoto) if kind is not errors.PhotoRefused
}


def translate(error: OpalError) -> Refused:
    """One of Opal's errors in the contract's words; what an unexpected one says is left to the log."""
    kind = type(error)
    if isinstance(error, errors.PhotoRefused):
        # The placement endpoint's own verdict, of which only the code came across.
        kind = _BY_CODE.get(error.code, errors.InvalidPhoto)
    code = next(_CODES[base] for base in kind.__mro__ if base in _CODES)
    return Refused(code, error.message if error.expected else f"{TITLES[code][1]}.")

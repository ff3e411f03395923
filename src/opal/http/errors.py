"""Errors that only an HTTP edge can meet, and the one table from error class to HTTP status."""

from collections.abc import Mapping

from opal import errors
from opal.errors import InvalidInput, OpalError


class MethodNotAllowed(OpalError):
    """The address does not know this method; the Allow header lists those it does.

    /openapi.json lists every operation.
    """

    code = "method_not_allowed"
    title = "Method not allowed"
    expected = True


class MalformedRequest(InvalidInput):
    """What arrived is not an HTTP/1.1 request.

    Look for a proxy or a client between you and Opal that does not speak HTTP.
    """

    code = "malformed_http"
    title = "Not HTTP"


class AddressTooLong(InvalidInput):
    """The request's address is longer than allowed."""

    code = "address_too_long"
    title = "Address too long"


class HeadTooLarge(InvalidInput):
    """The request's address and headers together are larger than allowed."""

    code = "request_head_too_large"
    title = "Request head too large"


class RequestTimeout(OpalError):
    """The request did not arrive in time, or too slowly.

    The address and headers have 10 s, a body 10 s and then a second for each KiB, 16 minutes at most. Send it
    again, over a better line if it was a photo.
    """

    code = "request_timeout"
    title = "Request took too long"
    expected = True


class UnsupportedMediaType(InvalidInput):
    """The body must be JSON, sent with Content-Type: application/json."""

    code = "unsupported_media_type"
    title = "Body is not declared as JSON"


class BodyTooLarge(InvalidInput):
    """The request body is larger than allowed."""

    code = "body_too_large"
    title = "Body too large"


class TenantMismatch(OpalError):
    """The body's tenant_id is not the tenant of the API key.

    Leave `tenant_id` out, or use that tenant's key.
    """

    code = "tenant_mismatch"
    title = "Wrong tenant"
    expected = True


class MetricsClosed(OpalError):
    """Figures are told to this machine only, or to who has their key.

    Set `OPAL_TELEMETRY_METRICS_KEY` and send it as `Authorization: Bearer <key>`.
    """

    code = "metrics_closed"
    title = "Figures are closed"
    expected = True


class ScopeMissing(OpalError):
    """The API key is valid and may not do this.

    `opal keys list` shows what a key may do; make one with the scope that the answer names
    (`opal keys create --scope`).
    """

    code = "scope_missing"
    title = "Key lacks a scope"
    expected = True


class CrossSiteRequest(OpalError):
    """A request with a browser's session did not come from a page of ours.

    Reload the page. A program sends its key in `X-API-Key` instead of a cookie.
    """

    code = "cross_site_request"
    title = "Not from this page"
    expected = True


class TooManyRequests(OpalError):
    """As many requests as may be were sent within this minute.

    Wait as long as `Retry-After` says. The limits are `OPAL_WEB_REQUESTS_PER_KEY` and
    `OPAL_WEB_REQUESTS_PER_TENANT`.
    """

    code = "too_many_requests"
    title = "Too many requests"
    expected = True

    def __init__(
        self, message: str | None = None, retry_after_s: int = 1, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.headers = {**(headers or {}), "Retry-After": str(retry_after_s)}


class MissingHeader(InvalidInput):
    """The upload must carry the header x-ms-blob-type: BlockBlob."""

    code = "missing_required_header"
    title = "Header missing"


class RangeNotSatisfiable(InvalidInput):
    """The range begins behind the end of the blob."""

    code = "range_not_satisfiable"
    title = "Range not satisfiable"


class ItemFinished(errors.Conflict):
    """The item has failed or was cancelled; create a new job for the photo."""

    code = "item_finished"
    title = "Item is finished"


class NotReady(errors.DependencyError):
    """The service cannot work: something that it depends on is away."""

    code = "not_ready"
    title = "Not ready"


class DownloadsBusy(errors.DependencyError):
    """As many pictures as may be are being downloaded by public links.

    Come back in some seconds, or put a CDN before public links; `OPAL_WEB_PUBLIC_DOWNLOADS` is the number.
    """

    code = "downloads_busy"
    title = "Too many downloads at a time"


class PreviewsBusy(errors.DependencyError):
    """As many previews as may be are being made.

    Come back in some seconds. A preview costs nothing and holds nothing up: a job can be made without one.
    """

    code = "previews_busy"
    title = "Too many previews at a time"
    expected = True


class ConnectionsFull(errors.DependencyError):
    """As many connections as may be are open, and a request is on the way in each of them.

    Come back in some seconds; `OPAL_WEB_CONNECTIONS` and `OPAL_WEB_CONNECTIONS_PER_ADDRESS` are the numbers.
    """

    code = "too_many_connections"
    title = "Too many connections"


# The nearest class in an error's own line of ancestors decides; 500 is what nobody foresaw.
STATUS: dict[type[OpalError], int] = {
    OpalError: 500,
    errors.InvalidInput: 422,
    errors.InvalidJson: 400,
    errors.UnsupportedFormat: 415,
    errors.PhotoTooLarge: 413,
    MalformedRequest: 400,
    AddressTooLong: 414,
    HeadTooLarge: 431,
    BodyTooLarge: 413,
    UnsupportedMediaType: 415,
    MissingHeader: 400,
    RangeNotSatisfiable: 416,
    errors.Unauthorized: 401,
    errors.InsufficientCredits: 402,
    errors.SignatureInvalid: 403,
    TenantMismatch: 403,
    MetricsClosed: 403,
    ScopeMissing: 403,
    CrossSiteRequest: 403,
    errors.NotFound: 404,
    MethodNotAllowed: 405,
    RequestTimeout: 408,
    errors.Conflict: 409,
    errors.UploadExpired: 410,
    errors.PictureExpired: 410,
    errors.DataErased: 410,
    TooManyRequests: 429,
    errors.Interrupted: 503,
    errors.ModelMissing: 503,
    errors.ModelCorrupt: 503,
    errors.DependencyError: 503,
}


def status_of(error_class: type[OpalError]) -> int:
    """The HTTP status of an error class."""
    return next(STATUS[base] for base in error_class.__mro__ if base in STATUS)

"""Every error that may cross a module border, drawn as one tree.

``code`` is stable and public (problem+json, item rows, reports); ``retryable`` tells a worker to try
again; ``expected`` errors are the caller's or the photo's fault and are logged without a traceback.

OpalError
├── InvalidInput            what the caller sent
│   ├── InvalidPhoto        what the photo is
│   └── ...
├── NotFound, Conflict, Unauthorized, InsufficientCredits
├── LeaseLost, LockLost     somebody else owns the work now
└── DependencyError         a database, queue, blob store or endpoint failed (retryable)
"""

from typing import ClassVar


class OpalError(Exception):
    """Something went wrong inside Opal."""

    code: ClassVar[str] = "internal_error"
    title: ClassVar[str] = "Internal error"
    retryable: ClassVar[bool] = False
    expected: ClassVar[bool] = False

    def __init__(self, message: str | None = None) -> None:
        self.message = message or (self.__doc__ or "").strip().splitlines()[0]
        super().__init__(self.message)


class InvalidInput(OpalError):
    """The request is not valid."""

    code = "invalid_request"
    title = "Invalid request"
    expected = True


class InvalidJson(InvalidInput):
    """The request body is not valid JSON."""

    code = "invalid_json"
    title = "Body is not JSON"


class InvalidSettings(InvalidInput):
    """The settings are not valid."""

    code = "invalid_settings"
    title = "Invalid settings"


class UnknownScene(InvalidInput):
    """There is no scene of that name."""

    code = "unknown_scene"
    title = "Unknown scene"


class InvalidScene(InvalidInput):
    """The scene is not described correctly."""

    code = "invalid_scene"
    title = "Invalid scene"


class InvalidPlacement(InvalidInput):
    """The placement is not described correctly."""

    code = "invalid_placement"
    title = "Invalid placement"


class UnknownPreset(InvalidInput):
    """There is no preset of that name."""

    code = "unknown_preset"
    title = "Unknown preset"


class InvalidPreset(InvalidInput):
    """A preset file is not valid."""

    code = "invalid_preset"
    title = "Invalid preset"


class UnknownEngine(InvalidInput):
    """There is no engine of that name."""

    code = "unknown_engine"
    title = "Unknown engine"


class InvalidMessage(InvalidInput):
    """A queue message cannot be understood."""

    code = "invalid_message"
    title = "Invalid message"


class InvalidBlobPath(InvalidInput):
    """A blob's path is made of plain names only."""

    code = "invalid_blob_path"
    title = "Invalid blob path"


class InvalidPhoto(InvalidInput):
    """The photo cannot be used."""

    code = "invalid_photo"
    title = "Photo cannot be used"


class PhotoEmpty(InvalidPhoto):
    """The photo has no bytes."""

    code = "image_empty"
    title = "Photo is empty"


class UnsupportedFormat(InvalidPhoto):
    """The file is not a picture of a supported format."""

    code = "unsupported_format"
    title = "Unsupported picture format"


class PhotoTruncated(InvalidPhoto):
    """The photo ends before its pixels do."""

    code = "image_truncated"
    title = "Photo is truncated"


class PhotoCorrupt(InvalidPhoto):
    """The photo's bytes are damaged."""

    code = "image_corrupt"
    title = "Photo is damaged"


class PhotoTooLarge(InvalidPhoto):
    """The photo has more bytes than allowed."""

    code = "upload_too_large"
    title = "Photo has too many bytes"


class TooManyPixels(InvalidPhoto):
    """The photo has more pixels than allowed."""

    code = "image_too_many_pixels"
    title = "Photo has too many pixels"


class SideTooLong(InvalidPhoto):
    """A side of the photo is longer than allowed."""

    code = "image_side_too_long"
    title = "Photo is too long on one side"


class PhotoTooSmall(InvalidPhoto):
    """The photo is too small to be useful."""

    code = "image_too_small"
    title = "Photo is too small"


class PhotoAnimated(InvalidPhoto):
    """The file holds several frames or pages; one photo is expected."""

    code = "image_animated"
    title = "Photo is animated"


class InterlacedTooLarge(InvalidPhoto):
    """An interlaced photo of this size needs too much memory to decode."""

    code = "image_interlaced_too_large"
    title = "Interlaced photo is too large"


class NoProductFound(InvalidPhoto):
    """No product stands out from the background."""

    code = "no_product_found"
    title = "No product found"


class ProductTooSmall(InvalidPhoto):
    """The product has too few pixels to be placed."""

    code = "product_too_small"
    title = "Product is too small"


class ModelMissing(OpalError):
    """The model's weights are not on this machine; run `opal models pull`."""

    code = "model_missing"
    title = "Model weights missing"
    expected = True


class ModelCorrupt(OpalError):
    """The model's weights do not have the pinned hash."""

    code = "model_corrupt"
    title = "Model weights damaged"
    expected = True


class Unauthorized(OpalError):
    """A valid API key is required in the X-API-Key header."""

    code = "unauthorized"
    title = "API key missing or invalid"
    expected = True


class SignatureInvalid(OpalError):
    """The signed URL is wrong, expired, or for something else."""

    code = "signature_invalid"
    title = "Signed URL refused"
    expected = True


class NotFound(OpalError):
    """There is nothing here under that id."""

    code = "not_found"
    title = "Not found"
    expected = True


class BlobNotFound(NotFound):
    """The blob does not exist."""

    code = "blob_not_found"
    title = "Blob not found"


class Conflict(OpalError):
    """The request does not fit the present state."""

    code = "conflict"
    title = "Conflict"
    expected = True


class BlobExists(Conflict):
    """The blob already exists; the URL can write it only once."""

    code = "blob_already_exists"
    title = "Blob already exists"


class UploadMissing(Conflict):
    """No photo has been uploaded to this item's URL yet."""

    code = "upload_missing"
    title = "Nothing was uploaded"


class AlreadyUploaded(Conflict):
    """This item's upload has already been completed."""

    code = "already_uploaded"
    title = "Upload already completed"


class IllegalMove(Conflict):
    """The item cannot move from its present state to that one."""

    code = "illegal_state_change"
    title = "Illegal state change"


class JobFinished(Conflict):
    """The job is finished or cancelled."""

    code = "job_finished"
    title = "Job is finished"


class JobNotReady(Conflict):
    """The job has no finished pictures yet."""

    code = "job_not_ready"
    title = "Nothing to download yet"


class IdempotencyKeyReused(InvalidInput):
    """The idempotency key was used before with another request."""

    code = "idempotency_key_reused"
    title = "Idempotency key reused"


class IdempotencyKeyInFlight(Conflict):
    """A request with this idempotency key is still being answered."""

    code = "idempotency_key_in_flight"
    title = "Request in progress"
    retryable = True


class InsufficientCredits(OpalError):
    """The balance does not allow this job."""

    code = "insufficient_credits"
    title = "Not enough credits"
    expected = True


class Interrupted(OpalError):
    """The work was stopped before it was done; it will be done again."""

    code = "interrupted"
    title = "Interrupted"
    retryable = True
    expected = True


class LeaseLost(Interrupted):
    """The item's lease went to another worker; this worker's result does not count."""

    code = "lease_lost"
    title = "Lease lost"


class LockLost(Interrupted):
    """The queue message's lock expired before it was settled."""

    code = "lock_lost"
    title = "Message lock lost"


class TooManyInterruptions(OpalError):
    """The item was interrupted too often; something about it stops its workers."""

    code = "too_many_interruptions"
    title = "Interrupted too often"


class DeadLettered(OpalError):
    """The queue gave the item's message up."""

    code = "dead_lettered"
    title = "Given up by the queue"


class UploadExpired(OpalError):
    """No photo was uploaded in time."""

    code = "upload_expired"
    title = "Upload expired"
    expected = True


class DependencyError(OpalError):
    """A part that Opal depends on failed."""

    code = "dependency_failed"
    title = "Dependency failed"
    retryable = True


class QueueUnavailable(DependencyError):
    """The queue cannot be reached."""

    code = "queue_unavailable"
    title = "Queue unavailable"


class BlobStoreUnavailable(DependencyError):
    """The blob store cannot be reached."""

    code = "blob_store_unavailable"
    title = "Blob store unavailable"


class StoredPictureUnusable(DependencyError):
    """A picture that Opal stored is missing or damaged."""

    code = "stored_picture_unusable"
    title = "Stored picture unusable"


class ScoringUnavailable(DependencyError):
    """The placement endpoint did not answer."""

    code = "scoring_unavailable"
    title = "Placement endpoint unavailable"


class ScoringBusy(DependencyError):
    """The placement endpoint has too many requests waiting."""

    code = "scoring_busy"
    title = "Placement endpoint busy"


class ScoringFailed(DependencyError):
    """The placement endpoint answered with an error of its own."""

    code = "scoring_failed"
    title = "Placement endpoint failed"


class PhotoRefused(InvalidPhoto):
    """The placement endpoint refused the photo."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        # The endpoint's own stable code is the one the client should see.
        self.code = code  # type: ignore[misc]


def walk(root: type[OpalError] = OpalError) -> list[type[OpalError]]:
    """Every error class under ``root``, parents before children, for docs and tests."""
    found = [root]
    for child in root.__subclasses__():
        found.extend(walk(child))
    return found

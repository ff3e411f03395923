"""What does not fit the present state: missing things, conflicts, work that was taken away or given up."""

from opal.errors.base import OpalError


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


class IdempotencyKeyInFlight(Conflict):
    """A request with this idempotency key is still being answered."""

    code = "idempotency_key_in_flight"
    title = "Request in progress"
    retryable = True


class UploadExpired(OpalError):
    """No photo was uploaded in time."""

    code = "upload_expired"
    title = "Upload expired"
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

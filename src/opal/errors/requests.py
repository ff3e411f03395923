"""What is wrong with a request, a setting, a name, or the right to ask."""

from opal.errors.base import OpalError


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


class IdempotencyKeyReused(InvalidInput):
    """The idempotency key was used before with another request."""

    code = "idempotency_key_reused"
    title = "Idempotency key reused"


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


class InsufficientCredits(OpalError):
    """The balance does not allow this job."""

    code = "insufficient_credits"
    title = "Not enough credits"
    expected = True

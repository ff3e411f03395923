"""What is wrong with a request, a setting, a name, or the right to ask."""

from opal.errors.base import OpalError


class InvalidInput(OpalError):
    """The request is not valid.

    Correct what the message names and send it again.
    """

    code = "invalid_request"
    title = "Invalid request"
    expected = True


class InvalidJson(InvalidInput):
    """The request body is not valid JSON.

    Send one JSON document in UTF-8.
    """

    code = "invalid_json"
    title = "Body is not JSON"


class InvalidSettings(InvalidInput):
    """The settings are not valid.

    The message names every faulty variable; docs/settings.md has their ranges.
    """

    code = "invalid_settings"
    title = "Invalid settings"


class UnknownScene(InvalidInput):
    """There is no scene of that name.

    `opal scenes` and `GET /v1/scenes` list the names.
    """

    code = "unknown_scene"
    title = "Unknown scene"


class InvalidScene(InvalidInput):
    """The scene is not described correctly.

    docs/scenes.md describes every field.
    """

    code = "invalid_scene"
    title = "Invalid scene"


class BackdropUnusable(InvalidScene):
    """The backdrop's picture cannot be used.

    The message says what is wrong with it; docs/scenes.md says what a backdrop has to be.
    """

    code = "backdrop_unusable"
    title = "Backdrop cannot be used"


class BackdropTooSmall(InvalidScene):
    """The backdrop has too few pixels for the picture asked for.

    Give a larger export of it; docs/scenes.md says how far a backdrop may be enlarged.
    """

    code = "backdrop_too_small"
    title = "Backdrop is too small"


class InvalidPlacement(InvalidInput):
    """The placement is not described correctly.

    docs/scenes.md describes every field.
    """

    code = "invalid_placement"
    title = "Invalid placement"


class MatteUnusable(InvalidInput):
    """The uploaded matte cannot be used.

    A matte is one 8-bit grey PNG, 255 where the product is, of exactly the size of `GET …/matte`; ask for
    another URL (`POST /v1/jobs/{job_id}/items/{item_id}/mattes`) and upload it there.
    """

    code = "matte_unusable"
    title = "Matte cannot be used"


class UnknownPreset(InvalidInput):
    """There is no preset of that name.

    `opal presets` and `GET /v1/presets` list the names.
    """

    code = "unknown_preset"
    title = "Unknown preset"


class InvalidPreset(InvalidInput):
    """A preset file is not valid.

    The message names file, key and reason; docs/presets.md says what a preset may hold.
    """

    code = "invalid_preset"
    title = "Invalid preset"


class UnknownEngine(InvalidInput):
    """There is no engine of that name.

    The message names the ones there are; `GET /v1/engines` lists those of revisions, `opal models list` their
    weights.
    """

    code = "unknown_engine"
    title = "Unknown engine"


class InvalidMessage(InvalidInput):
    """A queue message cannot be understood.

    It was put aside: `opal queues peek QUEUE --dead` shows it. A newer Opal may have sent it.
    """

    code = "invalid_message"
    title = "Invalid message"


class InvalidBlobPath(InvalidInput):
    """A blob's path is made of plain names only.

    Opal makes all paths itself; use its URLs as they are.
    """

    code = "invalid_blob_path"
    title = "Invalid blob path"


class AddressRefused(InvalidInput):
    """The URL may not be called.

    Give an https:// address that everybody can reach. `OPAL_OUTGOING_PRIVATE_ADDRESSES` opens one's own
    network.
    """

    code = "address_refused"
    title = "Address refused"


class InvalidDeliveryTarget(InvalidInput):
    """The delivery target is not described correctly.

    docs/delivery.md describes every field. `OPAL_DELIVERY_FOLDER_ROOT` allows folders.
    """

    code = "invalid_delivery_target"
    title = "Invalid delivery target"


class IdempotencyKeyReused(InvalidInput):
    """The idempotency key was used before with another request.

    Use a new key for a new request.
    """

    code = "idempotency_key_reused"
    title = "Idempotency key reused"


class Unauthorized(OpalError):
    """A valid API key is required in the X-API-Key header.

    `opal keys create` makes a key; one that was revoked stays refused.
    """

    code = "unauthorized"
    title = "API key missing or invalid"
    expected = True


class SignatureInvalid(OpalError):
    """The signed URL is wrong, expired, or for something else.

    Ask for a new URL and use it unchanged, with its own method and headers, before it expires.
    """

    code = "signature_invalid"
    title = "Signed URL refused"
    expected = True


class InsufficientCredits(OpalError):
    """The balance does not allow this job.

    Nothing was created. `GET /v1/credits` shows the balance, `opal credits grant` adds to it.
    """

    code = "insufficient_credits"
    title = "Not enough credits"
    expected = True

"""What every server of the placement endpoint shares: who may ask, what was asked, how no is said.

Called by ``app.py``, which serves the endpoint itself, and by ``threads.py``, which Azure ML's server calls.
"""

import hmac
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

import structlog
from pydantic import BaseModel, ValidationError

from opal.errors import (
    DecoderUnavailable,
    InvalidInput,
    InvalidJson,
    NotFound,
    OpalError,
    ScoringBusy,
    Unauthorized,
)
from opal.faults import first_fault
from opal.http.errors import BodyTooLarge, MethodNotAllowed, MetricsClosed
from opal.messages.cutout_contract import CutoutRequest
from opal.messages.scoring_contract import ScoreError, ScoreErrorBody, ScoreRequest
from opal.scoring.model_slots import ModelsLoading

JSON: Final = "application/json"

# Ids, two or three signed URLs, a scene and a prompt.
MAX_BODY_BYTES: Final = 262_144

# Azure ML answers 424 for an error of the model's own and 429 when its queue is full; ours do the same.
_STATUS: dict[type[OpalError], int] = {
    OpalError: 424,
    InvalidInput: 422,
    InvalidJson: 400,
    BodyTooLarge: 413,
    Unauthorized: 401,
    NotFound: 404,
    MethodNotAllowed: 405,
    MetricsClosed: 403,
    ScoringBusy: 429,
    # Nobody looked at the photo.
    DecoderUnavailable: 503,
    ModelsLoading: 503,
}

_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Answer:
    """What goes back to the client; ``body`` is JSON."""

    status: int
    body: str
    headers: dict[str, str] = field(default_factory=dict)


def largest_body(max_photo_bytes: int) -> int:
    """Bytes of the largest request, whose photo may be inside."""
    # Base64 is a third larger.
    return MAX_BODY_BYTES + 4 * -(-max_photo_bytes // 3)


def authorize(header: str, key: str) -> None:
    """Raise Unauthorized unless the ``Authorization`` header presents ``key``; an empty key lets all in."""
    scheme, _, presented = header.partition(" ")
    genuine = hmac.compare_digest(presented.strip().encode("utf-8", "surrogateescape"), key.encode())
    if key and not (genuine and scheme.lower() == "bearer"):
        raise Unauthorized("A valid key is required: Authorization: Bearer <key>.")


def read_request(body: bytes) -> ScoreRequest | CutoutRequest:
    """The request that ``body`` is; raises InvalidJson and InvalidInput."""
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJson from error
    kind = CutoutRequest if isinstance(document, dict) and "task" in document else ScoreRequest
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise InvalidInput(first_fault(error, "body")) from error


def success(answer: BaseModel) -> Answer:
    """The answer that a request hoped for."""
    return Answer(200, answer.model_dump_json(exclude_none=True))


def refusal(
    error: OpalError, *, retryable: bool | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """What a client is told of ``error``, which is logged; ``headers`` go with it."""
    status = next(_STATUS[base] for base in type(error).__mro__ if base in _STATUS)
    body = ScoreErrorBody(
        code=error.code,
        message=error.message,
        retryable=error.retryable if retryable is None else retryable,
    )
    # Whoever waits for the models asks several times a second; that is no news.
    if not isinstance(error, ModelsLoading):
        _log.info("scoring refused", action="scoring.refused", code=error.code, status=status)
    told = dict(headers or {})
    if body.retryable:
        told["Retry-After"] = "1"
    if isinstance(error, Unauthorized):
        told["WWW-Authenticate"] = "Bearer"
    return Answer(status, ScoreError(error=body).model_dump_json(exclude_none=True), told)


def breakdown() -> Answer:
    """What a client is told of a fault of our own; called where it was caught, so that the log has it all."""
    _log.exception("scoring failed", action="scoring.failed")
    return refusal(OpalError(), retryable=True)

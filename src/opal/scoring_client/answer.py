"""What an answer of the placement endpoint means: a result, try again, or never.

Called by ``client.py``. Azure ML answers 424 for an error of the model's own, whose status a header tells;
408 when it ran out of time, 429 above its queue limit, 500 and 502 to 504 for trouble of the platform.
"""

from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import TypeVar

import httpx
from pydantic import BaseModel, ValidationError

from opal.errors import (
    NotFound,
    OpalError,
    PhotoRefused,
    ScoringBusy,
    ScoringFailed,
    ScoringUnavailable,
    Unauthorized,
)
from opal.faults import first_fault
from opal.http.errors import MethodNotAllowed
from opal.messages.scoring_contract import ScoreError, ScoreErrorBody
from opal.numerals import natural

_Result = TypeVar("_Result", bound=BaseModel)

AWAY: dict[int, type[OpalError]] = {429: ScoringBusy, 502: ScoringUnavailable, 503: ScoringUnavailable}
"""The endpoint or the gateway before it had no room or no instance: nobody looked at the photo."""

TRIED_AND_FAILED = frozenset({408, 424, 500, 504})
"""Worth another try, but the photo itself may be the reason."""

MISCONFIGURED = frozenset({401, 403, 404, 405})
"""The key or the address is wrong, as with a redirection, which is not followed: the key is for this address
alone. No fault of the photo, and asking again at once is no use."""

MODEL_STATUS = "ms-azureml-model-error-statuscode"
"""Where Azure ML says what the model's own status was, having made a 424 of it."""

_TURNED_AWAY = frozenset({Unauthorized.code, NotFound.code, MethodNotAllowed.code})
"""The same in the endpoint's own words; any other code with such a status is a verdict on the request."""


class TryAgain(Exception):
    """Raised inside this package only: ``error`` is what to raise when the tries are used up."""

    def __init__(self, error: OpalError, retry_after_s: float | None = None) -> None:
        super().__init__(str(error))
        self.error = error
        self.code = error.code
        self.retry_after_s = retry_after_s


def read_answer(answer: httpx.Response, body: bytearray, kind: type[_Result]) -> _Result:
    """The result of that kind that ``answer`` carries in its ``body``.

    Raises ``TryAgain``, ``PhotoRefused`` (final, with the endpoint's code) or ``ScoringUnavailable``.
    """
    if answer.is_success:
        try:
            return kind.model_validate_json(body)
        except ValidationError as error:
            message = f"The endpoint's answer cannot be read: {first_fault(error, 'body')}"
            raise TryAgain(ScoringFailed(message)) from error
    status = _status(answer)
    own = _own_error(body)
    reason = own.message if own is not None else f"The endpoint answered HTTP {status}."
    if status in AWAY:
        raise TryAgain(AWAY[status](reason), _retry_after_s(answer))
    if (status in MISCONFIGURED or httpx.codes.is_redirect(status)) and (
        own is None or own.code in _TURNED_AWAY
    ):
        raise ScoringUnavailable(f"{reason} Check the endpoint's address and key (HTTP {status}).")
    # The endpoint's own verdict outranks the status: Azure ML wraps a refused photo in a 424, and a photo
    # that is gone from its URL is a 404 of ours.
    if own is not None and not own.retryable:
        raise PhotoRefused(own.code, own.message)
    if status in TRIED_AND_FAILED or own is not None:
        raise TryAgain(ScoringFailed(reason), _retry_after_s(answer))
    raise PhotoRefused(ScoringFailed.code, reason)


def _status(answer: httpx.Response) -> int:
    """The answer's own status, unwrapped: a full endpoint must not be held against the photo."""
    said = natural(answer.headers.get(MODEL_STATUS, ""), digits=3)
    if answer.status_code != httpx.codes.FAILED_DEPENDENCY or said is None:
        return answer.status_code
    return said


def _own_error(body: bytearray) -> ScoreErrorBody | None:
    try:
        return ScoreError.model_validate_json(body).error
    except ValidationError:
        return None


def _retry_after_s(answer: httpx.Response) -> float | None:
    """Seconds to wait as the ``Retry-After`` header says, in either of its forms (RFC 9110 §10.2.3)."""
    value = answer.headers.get("Retry-After", "").strip()
    if (seconds := natural(value)) is not None:
        return float(seconds)
    try:
        moment = parsedate_to_datetime(value)
    except ValueError:
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return max(0.0, (moment - datetime.now(UTC)).total_seconds())

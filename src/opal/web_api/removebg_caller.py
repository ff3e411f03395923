"""Who asks for a picture, what of the minute is left for them, and what they can pay.

Called by ``removebg.py``: all that the database is asked for a picture stands here.
"""

import math
from dataclasses import dataclass, field

from fastapi import Request

from opal.database import picture_charges, rate_limit
from opal.database.engine import Database
from opal.database.keys import Scope
from opal.errors import InsufficientCredits
from opal.http.authentication import known_key
from opal.http.errors import TooManyRequests
from opal.web_api.removebg_errors import Refused


@dataclass(frozen=True, slots=True)
class Caller:
    """A tenant, and whether its key makes watermarked pictures for nothing."""

    tenant_id: str
    sandbox: bool
    funds: int
    """Quarters of credits."""


@dataclass(slots=True)
class Told:
    """Headers that every answer carries from the moment they are known, refusals too."""

    headers: dict[str, str] = field(default_factory=dict)


async def identify(request: Request, database: Database, needed: Scope = Scope.JOBS) -> Caller:
    """The caller by ``X-Api-Key`` or a bearer token. Raises ``Refused`` with a 403, not a 401."""
    presented = request.headers.get("X-Api-Key") or _bearer(request)
    if not presented:
        raise Refused("missing_api_key", "Send your API key in the X-Api-Key header.")
    try:
        key = await known_key(request, presented)
    except TooManyRequests as error:
        raise Refused("rate_limit_exceeded", error.message, error.headers) from error
    if key is None:
        raise Refused("auth_failed", "The API key is not valid.")
    if needed not in key.scopes:
        raise Refused("auth_failed", f"This needs a key with the scope {needed}.")
    async with database.for_tenant(key.tenant_id).read() as connection:
        return Caller(key.tenant_id, key.sandbox, await picture_charges.funds(connection, key.tenant_id))


async def admit(
    database: Database, caller: Caller, request_hash: str, *, quarters: int, megapixels: int, limit: int
) -> dict[str, str]:
    """Count one picture of so many megapixels, and see that it can be paid; returns rate-limit headers.

    Raises ``Refused`` with a 429 or a 402. A request that was paid a moment ago costs nothing more.
    """
    async with database.for_tenant(caller.tenant_id).transaction() as connection:
        allowance = await rate_limit.take(connection, caller.tenant_id, megapixels, limit)
        paid = caller.sandbox or await picture_charges.is_paid(connection, caller.tenant_id, request_hash)
        funds = await picture_charges.funds(connection, caller.tenant_id)
    headers = {
        "X-RateLimit-Limit": str(allowance.limit),
        "X-RateLimit-Remaining": str(allowance.remaining),
        "X-RateLimit-Reset": str(math.ceil(allowance.resets_at.timestamp())),
    }
    if not allowance.granted:
        wait = {"Retry-After": str(allowance.resets_in_s)}
        raise Refused(
            "rate_limit_exceeded",
            f"The rate limit is {limit} megapixels per minute; this image counts {megapixels}.",
            {**headers, **wait},
        )
    if not paid and funds < quarters:
        raise Refused(
            "insufficient_credits", f"It costs {quarters / 4:g} credits; {funds / 4:g} are left.", headers
        )
    return headers


async def pay(database: Database, caller: Caller, request_hash: str, quarters: int, size: str) -> float:
    """Charge the picture that is made; returns the credits charged, 0 when it was paid before.

    Raises ``Refused`` with a 402 when the credits went elsewhere meanwhile.
    """
    if caller.sandbox:
        return 0.0
    try:
        async with database.for_tenant(caller.tenant_id).transaction() as connection:
            charged = await picture_charges.charge(
                connection, caller.tenant_id, request_hash, quarters, f"removebg {size}"
            )
    except InsufficientCredits as error:
        raise Refused("insufficient_credits", error.message) from error
    return charged / picture_charges.QUARTERS


def _bearer(request: Request) -> str:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""

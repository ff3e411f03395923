"""Every error answer is a problem (RFC 9457) with a stable code; this file makes and documents them.

Called by every HTTP service through ``install``.
"""

from collections.abc import Mapping
from typing import Any, Final

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.routing import BaseRoute, Match

from opal.errors import DependencyError, InvalidInput, InvalidJson, NotFound, OpalError, Unauthorized
from opal.faults import message_of
from opal.http.error_form import PROBLEM_TYPE, in_form
from opal.http.errors import (
    BodyTooLarge,
    MethodNotAllowed,
    ScopeMissing,
    TooManyRequests,
    UnsupportedMediaType,
    status_of,
)
from opal.http.problem_model import Fault, Problem

MEDIA_TYPE: Final = PROBLEM_TYPE
# A body of 2000 faulty items need not be answered with 2000 sentences.
_MOST_FAULTS = 50
_RETRY_AFTER_S = "5"
# An address may be refused for its length; nobody needs all of it back.
_LONGEST_INSTANCE = 300
_METHODS = ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE")

_log = structlog.get_logger(__name__)

# What Starlette's own exceptions mean in our terms.
_BY_STATUS: dict[int, type[OpalError]] = {
    400: InvalidJson,
    401: Unauthorized,
    404: NotFound,
    405: MethodNotAllowed,
    413: BodyTooLarge,
    415: UnsupportedMediaType,
    422: InvalidInput,
}


def correlation_id_of(request: Request) -> str:
    """The id that this request, its logs and everything it starts are known by."""
    return str(getattr(request.state, "correlation_id", ""))


def problem_of(
    request: Request,
    error: OpalError,
    *,
    faults: list[Fault] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The answer to ``error``. What an unexpected error says stays in the log."""
    # Not request.url: a client's Host header has a say in that.
    instance = str(request.scope["path"])
    problem = describe(error, instance, correlation_id_of(request), faults=faults)
    extra = dict(headers or {})
    if isinstance(error, Unauthorized):
        extra["WWW-Authenticate"] = 'ApiKey realm="opal", header="X-API-Key"'
    if isinstance(error, TooManyRequests):
        extra |= error.headers
    if error.retryable:
        extra["Retry-After"] = _RETRY_AFTER_S
    body, media_type = in_form(problem, instance)
    return Response(body, status_code=problem.status, media_type=media_type, headers=extra)


def describe(
    error: OpalError, instance: str, correlation_id: str, *, faults: list[Fault] | None = None
) -> Problem:
    """``error`` as a problem; what an unexpected one says is left out."""
    kind = type(error)
    return Problem(
        type=f"urn:opal:problem:{error.code}",
        title=kind.title,
        status=status_of(kind),
        detail=error.message if error.expected else kind().message,
        instance=instance[:_LONGEST_INSTANCE],
        code=error.code,
        correlation_id=correlation_id,
        errors=faults,
    )


def problems(*error_classes: type[OpalError]) -> dict[int | str, dict[str, Any]]:
    """The ``responses=`` of a route: these errors, one OpenAPI example each, grouped by status."""
    responses: dict[int | str, dict[str, Any]] = {}
    for kind in error_classes:
        status = status_of(kind)
        example = describe(kind(), EXAMPLE_INSTANCE, "0d9f6c0f2b6f4d6c8f7a", faults=_EXAMPLE_FAULTS.get(kind))
        entry = responses.setdefault(
            status,
            {"description": "", "content": {MEDIA_TYPE: {"schema": _SCHEMA_REFERENCE, "examples": {}}}},
        )
        entry["content"][MEDIA_TYPE]["examples"][kind.code] = {"value": example.model_dump(exclude_none=True)}
        entry["description"] = ", ".join(entry["content"][MEDIA_TYPE]["examples"])
    return responses


EXAMPLE_INSTANCE: Final = "/v1/jobs"
"""Stands in every documented problem until ``openapi.py`` puts the operation's own path there."""
_EXAMPLE_FAULTS: Final[dict[type[OpalError], list[Fault]]] = {
    InvalidInput: [Fault(where="body.items.0.filename", message="Field required")]
}
_SCHEMA_REFERENCE: Final = {"$ref": "#/components/schemas/Problem"}
ALWAYS: Final = (InvalidInput, DependencyError, OpalError)
"""What any route may answer; every route adds its own."""
BY_KEY: Final = (Unauthorized, ScopeMissing, TooManyRequests)
"""What any route that needs a key may answer because of the key."""


def install(app: FastAPI) -> None:
    """Turn every error of ``app`` into a problem. What nobody caught is the request context's part."""
    app.add_exception_handler(OpalError, _opal_error)
    app.add_exception_handler(RequestValidationError, _invalid_request)
    app.add_exception_handler(HTTPException, _http_exception)


async def _opal_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, OpalError)
    if error.expected:
        _log.info("request refused", action="http.refused", code=error.code)
    else:
        _log.error(
            "request failed", action="http.failed", code=error.code, reason=error.message, exc_info=error
        )
    return problem_of(request, error)


async def _invalid_request(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    found = error.errors()
    if any(fault["type"] == "json_invalid" for fault in found):
        return problem_of(request, InvalidJson())
    # The input itself is left out: it may hold a key or a signature.
    faults = [
        Fault(where=".".join(str(part) for part in fault["loc"]), message=message_of(fault))
        for fault in found[:_MOST_FAULTS]
    ]
    detail = "; ".join(f"{fault.where}: {fault.message}" for fault in faults[:3])
    return problem_of(request, InvalidInput(detail or None), faults=faults)


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    if error.status_code < 400:
        return Response(status_code=error.status_code, headers=error.headers)
    kind = _BY_STATUS.get(error.status_code, InvalidInput if error.status_code < 500 else OpalError)
    headers = {"Allow": ", ".join(_allowed(request))} if kind is MethodNotAllowed else error.headers
    return problem_of(request, kind(), headers=headers)


def _allowed(request: Request) -> list[str]:
    """Every method that the path knows; the framework names only those of the first route it found."""
    routes: list[BaseRoute] = request.app.routes
    return [
        method
        for method in _METHODS
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]

"""The placement endpoint over HTTP: ``POST /score`` around ``score.py``. Called by the command line.

In Azure the same ``init`` and ``run`` are called by the Azure ML inference server instead of this file.
"""

import asyncio
import hmac
import ipaddress
import json
import logging
import os
from collections.abc import Mapping
from typing import Final

import structlog
from pydantic import BaseModel, ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opal.errors import (
    InvalidInput,
    InvalidJson,
    InvalidSettings,
    NotFound,
    OpalError,
    ScoringBusy,
    Unauthorized,
)
from opal.http.disconnect import while_connected
from opal.http.errors import BodyTooLarge, MethodNotAllowed
from opal.http.request_context import RequestContext
from opal.http.server import HttpServer
from opal.messages.cutout_contract import CutoutRequest
from opal.messages.scoring_contract import ScoreError, ScoreErrorBody, ScoreRequest
from opal.scoring.model_slots import ModelsLoading, ModelSlots
from opal.settings import ScoringSettings, Settings
from opal.telemetry import configure

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
    ScoringBusy: 429,
    ModelsLoading: 503,
}

_log = structlog.get_logger(__name__)


def create_app(settings: ScoringSettings, slots: ModelSlots, *, max_photo_bytes: int = 0) -> Starlette:
    """The endpoint on ``slots``, whose models may still be loading.

    ``max_photo_bytes`` is the largest photo that may come inside a request. Raises ``InvalidSettings`` for an
    endpoint without a key that others could reach.
    """
    key = settings.key.get_secret_value()
    if not key and not _is_loopback(settings.host):
        raise InvalidSettings(
            f"OPAL_SCORING_KEY: needed, because {settings.host} can be reached from other machines."
        )

    # Base64 is a third larger.
    max_body_bytes = MAX_BODY_BYTES + 4 * -(-max_photo_bytes // 3)

    async def score(request: Request) -> Response:
        try:
            _authorize(request, key)
            wanted = _parse(await _body(request, max_body_bytes))
            answer = await while_connected(request, _answer(slots, wanted))
        except ClientDisconnect:
            raise
        except OpalError as error:
            return _refusal(error)
        except Exception:
            _log.exception("scoring failed", action="scoring.failed")
            return _refusal(OpalError(), retryable=True)
        return _json(answer)

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        return JSONResponse({"status": "ready"}) if slots.ready else _refusal(ModelsLoading())

    app = Starlette(
        routes=[
            Route("/score", score, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
        ],
        exception_handlers={HTTPException: _wrong_address},
    )
    app.router.redirect_slashes = False
    app.add_middleware(RequestContext, service="scoring")
    return app


def serve(settings: Settings) -> None:
    """Serve until the process is told to stop. Raises what kept the models from loading."""
    # Here, so that the endpoint without its models (tests, docs) starts in a blink.
    from opal.scoring import score  # noqa: PLC0415

    configure(settings.telemetry, "scoring")
    slots = ModelSlots(
        lambda: score.init(settings), score.run, settings.scoring.concurrency, score.run_cut_out
    )
    try:
        asyncio.run(_serve(settings, slots))
    finally:
        if slots.in_flight:
            # A network in the middle of a picture cannot be interrupted, and nobody waits for it now.
            logging.shutdown()
            os._exit(0)


async def _serve(settings: Settings, slots: ModelSlots) -> None:
    app = create_app(settings.scoring, slots, max_photo_bytes=settings.photo.max_bytes)
    server = HttpServer(app, settings.scoring.host, settings.scoring.port)
    loading = asyncio.create_task(slots.load())
    loading.add_done_callback(lambda _task: server.stop_on_failure(slots.failure))
    await server.serve()
    if slots.failure is not None:
        raise slots.failure


async def _answer(slots: ModelSlots, wanted: ScoreRequest | CutoutRequest) -> BaseModel:
    if isinstance(wanted, CutoutRequest):
        return await slots.cut_out(wanted)
    with structlog.contextvars.bound_contextvars(job_id=wanted.job_id, item_id=wanted.item_id):
        return await slots.score(wanted)


def _authorize(request: Request, key: str) -> None:
    scheme, _, presented = request.headers.get("authorization", "").partition(" ")
    expected = key.encode()
    genuine = hmac.compare_digest(presented.strip().encode("utf-8", "surrogateescape"), expected)
    if key and not (genuine and scheme.lower() == "bearer"):
        raise Unauthorized("A valid key is required: Authorization: Bearer <key>.")


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BodyTooLarge
    return bytes(body)


def _parse(body: bytes) -> ScoreRequest | CutoutRequest:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise InvalidJson from error
    kind = CutoutRequest if isinstance(document, dict) and "task" in document else ScoreRequest
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        where = ".".join(str(part) for part in fault["loc"]) or "body"
        raise InvalidInput(f"{where}: {fault['msg']}") from error


def _refusal(
    error: OpalError, *, retryable: bool | None = None, headers: Mapping[str, str] | None = None
) -> Response:
    kind = type(error)
    status = next(_STATUS[base] for base in kind.__mro__ if base in _STATUS)
    body = ScoreErrorBody(
        code=error.code,
        message=error.message,
        retryable=error.retryable if retryable is None else retryable,
    )
    # Whoever waits for the models asks several times a second; that is no news.
    if not isinstance(error, ModelsLoading):
        _log.info("scoring refused", action="scoring.refused", code=error.code, status=status)
    extra = dict(headers or {})
    if body.retryable:
        extra["Retry-After"] = "1"
    if isinstance(error, Unauthorized):
        extra["WWW-Authenticate"] = "Bearer"
    return _json(ScoreError(error=body), status, extra)


async def _wrong_address(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = MethodNotAllowed if error.status_code == _STATUS[MethodNotAllowed] else NotFound
    return _refusal(kind(), headers=error.headers)


def _json(answer: BaseModel, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    return Response(
        answer.model_dump_json(exclude_none=True), status, headers=headers, media_type="application/json"
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False

"""The placement endpoint over HTTP: ``POST /score`` around ``score.py``. Called by the command line.

In Azure the same functions are called through ``threads.py`` by Azure ML's inference server.
"""

import asyncio
import logging
import os
from http import HTTPStatus

import structlog
from pydantic import BaseModel, SecretStr
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opal.errors import InvalidSettings, NotFound, OpalError
from opal.heap import limit_heaps
from opal.http.disconnect import while_connected
from opal.http.errors import BodyTooLarge, MethodNotAllowed, MetricsClosed
from opal.http.exposure import is_loopback
from opal.http.request_context import RequestContext
from opal.http.server import HttpServer
from opal.messages.cutout_contract import CutoutRequest
from opal.messages.scoring_contract import ScoreRequest
from opal.scoring.contract import (
    JSON,
    Answer,
    authorize,
    breakdown,
    largest_body,
    read_request,
    refusal,
    success,
)
from opal.scoring.model_slots import ModelsLoading, ModelSlots
from opal.settings import ScoringSettings, Settings
from opal.telemetry import running, tracing
from opal.telemetry.metrics import CONTENT_TYPE, exposition
from opal.telemetry.metrics_access import may_read_metrics


def create_app(
    settings: ScoringSettings,
    slots: ModelSlots,
    *,
    max_photo_bytes: int = 0,
    metrics_key: SecretStr | None = None,
) -> Starlette:
    """The endpoint on ``slots``, whose models may still be loading.

    ``max_photo_bytes`` is the largest photo that may come inside a request, ``metrics_key`` what ``/metrics``
    asks for. Raises ``InvalidSettings`` for an
    endpoint without a key that others could reach.
    """
    key = settings.key.get_secret_value()
    if not key and not is_loopback(settings.host):
        raise InvalidSettings(
            f"OPAL_SCORING_KEY: needed, because {settings.host} can be reached from other machines."
        )

    most = largest_body(max_photo_bytes)

    async def score(request: Request) -> Response:
        try:
            authorize(request.headers.get("authorization", ""), key)
            wanted = read_request(await _body(request, most))
            return _response(success(await while_connected(request, _answer(slots, wanted))))
        except ClientDisconnect:
            raise
        except OpalError as error:
            return _response(refusal(error))
        except Exception:
            return _response(breakdown())

    async def healthz(_request: Request) -> Response:
        return JSONResponse({"status": "alive"})

    async def readyz(_request: Request) -> Response:
        return JSONResponse({"status": "ready"}) if slots.ready else _response(refusal(ModelsLoading()))

    async def metrics(request: Request) -> Response:
        client = request.client.host if request.client is not None else None
        if not may_read_metrics(client, request.headers, metrics_key):
            return _response(refusal(MetricsClosed()))
        return Response(exposition(), headers={"Content-Type": CONTENT_TYPE})

    app = Starlette(
        routes=[
            Route("/score", score, methods=["POST"]),
            Route("/healthz", healthz),
            Route("/readyz", readyz),
            Route("/metrics", metrics),
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

    limit_heaps()
    slots = ModelSlots(
        lambda: score.init(settings), score.run, settings.scoring.concurrency, score.run_cut_out
    )
    with running(settings, "scoring"):
        try:
            asyncio.run(_serve(settings, slots))
        finally:
            if slots.in_flight:
                # A network in the middle of a picture cannot be interrupted, and nobody waits for it now.
                tracing.stop()
                logging.shutdown()
                os._exit(0)


async def _serve(settings: Settings, slots: ModelSlots) -> None:
    app = create_app(
        settings.scoring,
        slots,
        max_photo_bytes=settings.photo.max_bytes,
        metrics_key=settings.telemetry.metrics_key,
    )
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


async def _body(request: Request, most: int) -> bytes:
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > most:
            raise BodyTooLarge
    return bytes(body)


async def _wrong_address(_request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    kind = MethodNotAllowed if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED else NotFound
    return _response(refusal(kind(), headers=error.headers))


def _response(answer: Answer) -> Response:
    return Response(answer.body, answer.status, headers=answer.headers, media_type=JSON)

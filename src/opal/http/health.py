"""Is the process alive, can it work, and how is it doing: ``/healthz``, ``/readyz``, ``/metrics``."""

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

import structlog
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field, SecretStr

from opal.http.errors import MetricsClosed, NotReady
from opal.http.openapi import answer
from opal.http.problem import problem_of, problems
from opal.http.problem_model import Fault
from opal.telemetry.metrics import CONTENT_TYPE, exposition
from opal.telemetry.metrics_access import may_read_metrics

Check = Callable[[], Awaitable[None]]
Refresh = Callable[[], Awaitable[None]]
"""Brings figures up to date that are read rather than counted."""
_CHECK_S = 3.0
_METRICS_EXAMPLE = (
    'opal_http_request_seconds_count{method="GET",route="/v1/jobs",service="web-api",status="200"} 12.0\n'
)

_log = structlog.get_logger(__name__)


class Alive(BaseModel):
    """The process answers."""

    status: Literal["alive"] = "alive"


class Ready(BaseModel):
    """Everything that the service needs is there."""

    status: Literal["ready"] = "ready"
    checks: list[str] = Field(description="What was looked at.", examples=[["database", "queues", "blobs"]])


def health_routes(
    checks: Mapping[str, Check], metrics_key: SecretStr | None = None, refresh: Refresh | None = None
) -> APIRouter:
    """The three routes; ``checks`` raise when what they are named after is away.

    ``metrics_key`` is asked for by ``/metrics``, before which ``refresh`` is called.
    """
    router = APIRouter(tags=["health"])

    @router.get(
        "/healthz", summary="Is the process alive?", responses=answer("The process answers.", Alive())
    )
    async def healthz() -> Alive:
        """Looks at nothing else: what fails here is healed by a restart."""
        return Alive()

    @router.get(
        "/readyz",
        summary="Can the service work?",
        response_model=Ready,
        responses={
            **answer("Everything that the service needs answers.", Ready(checks=list(checks))),
            **problems(NotReady),
        },
    )
    async def readyz(request: Request) -> Ready | Response:
        """Looks at everything that the service needs; 503 names what failed in ``errors``."""
        faults = await failed_checks(checks)
        if faults:
            return problem_of(request, NotReady(), faults=faults)
        return Ready(checks=list(checks))

    @router.get(
        "/metrics",
        summary="Figures in Prometheus' text format",
        response_class=Response,
        responses={
            200: {
                "description": "All figures of this process.",
                "content": {"text/plain": {"schema": {"type": "string"}, "example": _METRICS_EXAMPLE}},
            },
            **problems(MetricsClosed),
        },
    )
    async def metrics(request: Request) -> Response:
        """For clients on the same machine, or with the key of OPAL_TELEMETRY_METRICS_KEY as bearer token.

        They name no tenant (docs/operations/metrics.md).
        """
        client = request.client.host if request.client is not None else None
        if not may_read_metrics(client, request.headers, metrics_key):
            raise MetricsClosed
        if refresh is not None:
            await refresh()
        return Response(exposition(), headers={"Content-Type": CONTENT_TYPE})

    return router


async def failed_checks(checks: Mapping[str, Check]) -> list[Fault]:
    """What is away now, of what ``checks`` are named after."""
    found = await asyncio.gather(*(_fault(name, check) for name, check in checks.items()))
    return [fault for fault in found if fault is not None]


async def _fault(name: str, check: Check) -> Fault | None:
    try:
        async with asyncio.timeout(_CHECK_S):
            await check()
    except Exception as error:  # whatever it is, the service is not ready
        # Some have no words, such as the end of the time above.
        reason = str(error) or type(error).__name__
        _log.warning("dependency failed its check", action="ready.failed", dependency=name, reason=reason)
        return Fault(where=name, message=f"{name} failed its check")
    return None

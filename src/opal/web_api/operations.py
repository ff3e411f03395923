"""``/v1/operations``: services, queues and dead letters of all tenants, for keys with the scope `operate`."""

import time
from datetime import UTC, datetime
from typing import Annotated, Final, Literal

import structlog
from fastapi import APIRouter, Path, Query, Request
from pydantic import BaseModel, ConfigDict, Field

from opal import __version__
from opal.assembly import Parts
from opal.database import outbox
from opal.errors import InvalidJson, OpalError
from opal.http.authentication import CallersKey, OperatorRoute
from opal.http.errors import BodyTooLarge, UnsupportedMediaType
from opal.http.health import failed_checks
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.operations.queues import MOST_LOOKED_AT, DeadLetter, age_s, dead_letters
from opal.operations.services import OtherServices, ServiceState, State
from opal.settings import QUEUE_NAMES
from opal.web_api.parts import PlatformParts

router = APIRouter(route_class=OperatorRoute, tags=["operations"])

_MOST_AT_ONCE: Final = 10_000
_log = structlog.get_logger(__name__)

QueueName = Literal["jobs", "exports"]
Queue = Annotated[QueueName, Path(description="Which queue.", examples=["jobs"])]


class ServiceHealth(BaseModel):
    """One service, as it answers itself."""

    name: str = Field(examples=["orchestrator"])
    state: State = Field(
        description="`ready`, `not_ready` (`faults` says what it lacks), or `away`: no answer in 3 seconds."
    )
    faults: list[str] = Field(description="What failed its check, such as `database`.")
    took_ms: int = Field(description="How long the answer took.")


class QueueHealth(BaseModel):
    """How full a queue is."""

    name: QueueName
    fault: str | None = Field(description="The code of why it cannot be read; all figures are null then.")
    active: int | None = Field(description="Messages that wait or are worked on.")
    scheduled: int | None = Field(description="Messages that come later, after a failure.")
    dead: int | None = Field(description="Dead letters.")
    oldest_s: int | None = Field(description="Age of the oldest active message, seconds; 0: none.")


class OutboxHealth(BaseModel):
    """Messages that are not on their queue yet."""

    fault: str | None = Field(description="The code of why it cannot be read.")
    messages: int | None
    oldest_s: int | None = Field(description="Age of the oldest, seconds; 0: none.")


class OperationsHealth(BaseModel):
    """All of Opal as it stands."""

    version: str = Field(description="Of the web-api that answers.", examples=["0.1.0"])
    at: datetime
    services: list[ServiceHealth]
    queues: list[QueueHealth]
    outbox: OutboxHealth


class DeadLetterView(BaseModel):
    """A message that was put aside, by its ids; null where its body is none of ours."""

    sequence_number: int
    message_id: str = Field(examples=["item_3b0c5c0e9a1f4d5e6a7b8c9d:1"])
    tenant_id: str | None
    job_id: str | None
    item_id: str | None
    delivery_count: int
    enqueued_at: datetime
    reason: str = Field(examples=["MaxDeliveryCountExceeded"])
    description: str


class ReasonCount(BaseModel):
    """How many dead letters there are of a reason."""

    reason: str
    count: int


class DeadLetterList(BaseModel):
    """The oldest dead letters of a queue."""

    total: int = Field(description="All dead letters of the queue.")
    reasons: list[ReasonCount] = Field(
        description=f"Of the oldest {MOST_LOOKED_AT}, the most frequent reason first."
    )
    letters: list[DeadLetterView]


class Redrive(BaseModel):
    """How many to send again."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"limit": 100}]})

    limit: int = Field(default=100, ge=1, le=_MOST_AT_ONCE, strict=True)


class Purge(Redrive):
    """Which to remove for good."""

    model_config = ConfigDict(
        extra="forbid", json_schema_extra={"examples": [{"reason": "InvalidMessage", "limit": 100}]}
    )

    reason: str | None = Field(
        default=None, max_length=200, description="Only those of this reason; left out: all."
    )


class Redriven(BaseModel):
    """How many were sent again."""

    redriven: int


class Purged(BaseModel):
    """How many were removed."""

    purged: int


_NOON: Final = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
_EXAMPLE: Final = OperationsHealth(
    version=__version__,
    at=_NOON,
    services=[
        ServiceHealth(name="web-api", state="ready", faults=[], took_ms=3),
        ServiceHealth(name="orchestrator", state="not_ready", faults=["scoring"], took_ms=12),
    ],
    queues=[QueueHealth(name="jobs", fault=None, active=12, scheduled=1, dead=2, oldest_s=40)],
    outbox=OutboxHealth(fault=None, messages=0, oldest_s=0),
)
_LETTER: Final = DeadLetterView(
    sequence_number=41,
    message_id="item_3b0c5c0e9a1f4d5e6a7b8c9d:1",
    tenant_id="acme",
    job_id="job_9f1c2d3e4a5b6c7d8e9f0a1b",
    item_id="item_3b0c5c0e9a1f4d5e6a7b8c9d",
    delivery_count=30,
    enqueued_at=_NOON,
    reason="MaxDeliveryCountExceeded",
    description="",
)
_WRITING = (InvalidJson, *BY_KEY, BodyTooLarge, UnsupportedMediaType, *ALWAYS)


@router.get(
    "/v1/operations/health",
    summary="How Opal is doing",
    responses={**answer("Services, queues and outbox.", _EXAMPLE), **problems(*BY_KEY, *ALWAYS)},
)
async def read_health(request: Request, parts: PlatformParts) -> OperationsHealth:
    """Ask every service of `OPAL_TELEMETRY_SERVICES` and this one, and look at queues and outbox.

    What cannot be read says why, and the rest is told all the same.
    """
    others: OtherServices = request.app.state.other_services
    begun = time.monotonic()
    faults = [fault.where for fault in await failed_checks(request.app.state.checks)]
    own = ServiceState("web-api", "not_ready" if faults else "ready", tuple(faults), time.monotonic() - begun)
    return OperationsHealth(
        version=__version__,
        at=datetime.now(UTC),
        services=[_service(each) for each in (own, *await others.ask())],
        queues=[await _queue(parts, name) for name in QUEUE_NAMES],
        outbox=await _outbox(parts),
    )


@router.get(
    "/v1/operations/queues/{queue}/dead-letters",
    summary="List dead letters",
    responses={
        **answer(
            "The oldest of them.",
            DeadLetterList(
                total=1,
                reasons=[ReasonCount(reason=_LETTER.reason, count=1)],
                letters=[_LETTER],
            ),
        ),
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def list_dead_letters(
    parts: PlatformParts,
    queue: Queue,
    limit: Annotated[int, Query(ge=1, le=MOST_LOOKED_AT, description="How many letters.")] = 50,
) -> DeadLetterList:
    """Messages that were put aside: whose, by their ids, and why. Nothing else of any tenant is told."""
    found = await dead_letters(parts.queues, queue, limit)
    depth = await parts.queues.depth(queue)
    return DeadLetterList(
        total=depth.dead,
        reasons=[ReasonCount(reason=reason, count=count) for reason, count in found.reasons.items()],
        letters=[_letter(each) for each in found.letters],
    )


@router.post(
    "/v1/operations/queues/{queue}/dead-letters/redrive",
    summary="Send dead letters again",
    responses={**answer("How many.", Redriven(redriven=2)), **problems(*_WRITING)},
)
async def redrive_dead_letters(
    parts: PlatformParts, caller: CallersKey, queue: Queue, body: Redrive
) -> Redriven:
    """Oldest first. What becomes of each is decided by its photo: one that is finished is dropped."""
    count = await parts.queues.redrive(queue, body.limit)
    _log.info("dead letters sent again", action="queue.redriven", queue=queue, count=count, key_id=caller.id)
    return Redriven(redriven=count)


@router.post(
    "/v1/operations/queues/{queue}/dead-letters/purge",
    summary="Remove dead letters",
    responses={**answer("How many.", Purged(purged=2)), **problems(*_WRITING)},
)
async def purge_dead_letters(parts: PlatformParts, caller: CallersKey, queue: Queue, body: Purge) -> Purged:
    """Remove them for good, oldest first. A photo whose message is gone is found by the sweeper."""
    count = await parts.queues.purge(queue, body.limit, reason=body.reason)
    _log.info("dead letters removed", action="queue.purged", queue=queue, count=count, key_id=caller.id)
    return Purged(purged=count)


def _service(state: ServiceState) -> ServiceHealth:
    return ServiceHealth(
        name=state.name, state=state.state, faults=list(state.faults), took_ms=round(state.took_s * 1000)
    )


async def _queue(parts: Parts, name: str) -> QueueHealth:
    try:
        depth = await parts.queues.depth(name)
    except OpalError as error:
        return QueueHealth(name=name, fault=error.code, active=None, scheduled=None, dead=None, oldest_s=None)
    return QueueHealth(
        name=name,
        fault=None,
        active=depth.active,
        scheduled=depth.scheduled,
        dead=depth.dead,
        oldest_s=round(age_s(depth.oldest_active)),
    )


async def _outbox(parts: Parts) -> OutboxHealth:
    try:
        async with parts.database.read() as connection:
            messages, oldest = await outbox.pending(connection)
    except OpalError as error:
        return OutboxHealth(fault=error.code, messages=None, oldest_s=None)
    return OutboxHealth(fault=None, messages=messages, oldest_s=round(age_s(oldest)))


def _letter(letter: DeadLetter) -> DeadLetterView:
    return DeadLetterView(**{name: getattr(letter, name) for name in DeadLetterView.model_fields})

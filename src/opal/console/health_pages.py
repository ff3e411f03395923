"""``/health``: services, queues and dead letters, for who runs Opal."""

from typing import Annotated, Final

from fastapi import APIRouter, Form, Request, Response

from opal.console.forms import OperatorForm, OperatorPage, onward
from opal.console.page import pages_of
from opal.web_api import operations
from opal.web_api.operations import Purge, QueueName, Redrive
from opal.web_api.parts import PlatformParts

router = APIRouter(route_class=OperatorPage, include_in_schema=False)
forms = APIRouter(route_class=OperatorForm, include_in_schema=False)

_QUEUE = "/health/queues/{queue}"
_LETTERS = 50
_AT_ONCE = 1000
LATE_S: Final = 300
"""A message or an outbox row older than this wants a look: nobody takes it, or all are busy."""


@router.get("/health")
async def show_health(request: Request, parts: PlatformParts) -> Response:
    """All of it at one look."""
    health = await operations.read_health(request, parts)
    return pages_of(request).render(request, "health", health=health, late_s=LATE_S)


@router.get(_QUEUE)
async def show_dead_letters(request: Request, parts: PlatformParts, queue: QueueName) -> Response:
    """A queue's dead letters: why, and whose by their ids."""
    found = await operations.list_dead_letters(parts, queue, _LETTERS)
    return pages_of(request).render(request, "dead_letters", queue=queue, found=found, at_once=_AT_ONCE)


@forms.post(f"{_QUEUE}/redrive")
async def redrive(request: Request, parts: PlatformParts, queue: QueueName) -> Response:
    """Send them again."""
    await operations.redrive_dead_letters(parts, request.state.key, queue, Redrive(limit=_AT_ONCE))
    return onward(_QUEUE.format(queue=queue), "redriven")


@forms.post(f"{_QUEUE}/purge")
async def purge(
    request: Request,
    parts: PlatformParts,
    queue: QueueName,
    reason: Annotated[str | None, Form(max_length=200)] = None,
) -> Response:
    """Remove them, or those of one reason."""
    wanted = Purge(reason=reason or None, limit=_AT_ONCE)
    await operations.purge_dead_letters(parts, request.state.key, queue, wanted)
    return onward(_QUEUE.format(queue=queue), "purged")

"""How full the queues are, and what lies among their dead letters.

Called by `opal queues`, ``/metrics`` and ``/v1/operations``, so that all of them say the same.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from opal.database.engine import utc_now
from opal.errors import InvalidMessage
from opal.messages.envelope import Envelope
from opal.queues.interface import Depth, Peeked, Queues
from opal.settings import QUEUE_NAMES

MOST_LOOKED_AT: Final = 1000
"""Dead letters that are counted by their reasons; those beyond are in the queue's own count alone."""


@dataclass(frozen=True, slots=True)
class DeadLetter:
    """A message that was put aside: whose it is by its ids, and why. Nothing else of its body is told."""

    sequence_number: int
    message_id: str
    tenant_id: str | None
    job_id: str | None
    item_id: str | None
    delivery_count: int
    enqueued_at: datetime
    reason: str
    description: str


@dataclass(frozen=True, slots=True)
class DeadLetters:
    """The oldest dead letters of a queue, and how many there are of each reason among those looked at."""

    letters: Sequence[DeadLetter]
    reasons: Mapping[str, int]


async def depths(queues: Queues) -> dict[str, Depth]:
    """How full each queue is. Raises ``QueueUnavailable``."""
    return {name: await queues.depth(name) for name in QUEUE_NAMES}


async def dead_letters(queues: Queues, queue: str, limit: int) -> DeadLetters:
    """At most ``limit`` dead letters, oldest first. Raises ``QueueUnavailable``."""
    found = await queues.peek(queue, dead=True, limit=max(limit, MOST_LOOKED_AT))
    reasons = Counter(_reason(each) for each in found)
    return DeadLetters([_letter(each) for each in found[:limit]], dict(reasons.most_common()))


def age_s(since: datetime | None) -> float:
    """Seconds since then, 0 for never."""
    return 0.0 if since is None else max(0.0, (utc_now() - since).total_seconds())


def _reason(message: Peeked) -> str:
    return message.dead_letter_reason or ""


def _letter(message: Peeked) -> DeadLetter:
    try:
        body = Envelope.decode(message.body)
    except InvalidMessage:
        body = None  # Anybody with the right to send can put anything on a queue.
    return DeadLetter(
        sequence_number=message.sequence_number,
        message_id=message.message_id,
        tenant_id=None if body is None else body.tenant_id,
        job_id=None if body is None else body.job_id,
        item_id=None if body is None else body.item_id,
        delivery_count=message.delivery_count,
        enqueued_at=message.enqueued_at,
        reason=_reason(message),
        description=message.dead_letter_description or "",
    )

"""What a webhook tells: the events there are, and their bodies as Standard Webhooks has them.

Written by ``database/webhook_events.py`` in the transaction of the move told of; described in OpenAPI.
Bodies are thin, well below the specification's 20 KB: pictures and reports are fetched with the ids.
"""

import hashlib
from datetime import datetime
from enum import StrEnum

from pydantic import BaseModel, ConfigDict, Field

from opal.items.states import ItemState, JobStatus

LONGEST_MESSAGE = 500


class EventType(StrEnum):
    """What an endpoint can be told of."""

    ITEM_COMPLETED = "item.completed"
    ITEM_EXPORTED = "item.exported"
    ITEM_FAILED = "item.failed"
    JOB_FINISHED = "job.finished"


ITEM_EVENTS: dict[ItemState, EventType] = {
    ItemState.COMPLETED: EventType.ITEM_COMPLETED,
    ItemState.EXPORTED: EventType.ITEM_EXPORTED,
    ItemState.FAILED: EventType.ITEM_FAILED,
}
"""The event that an item's arrival in a state is. What a client cancelled is told once, by the job's end."""


class Failure(BaseModel):
    """Why an item failed; `code` is stable."""

    code: str = Field(examples=["image_truncated"])
    message: str = Field(examples=["The photo ends before its pixels do."])


class PublicPicture(BaseModel):
    """A picture with a public link."""

    preset: str = Field(examples=["amazon-main"])
    url: str = Field(description="For everybody, without a key.")


class ItemNews(BaseModel):
    """An item as it was at the event."""

    job_id: str
    item_id: str
    filename: str
    sku: str | None
    state: ItemState
    review: bool = Field(description="Marked for a person to look at.")
    error: Failure | None = Field(description="Only of a failed item.")
    public_pictures: list[PublicPicture] | None = Field(
        default=None, description="Only of an exported item whose job has public links."
    )
    revision: int = Field(
        default=0, description="Which of the item's revisions its pictures are; 0: as they first came."
    )
    correlation_id: str


class JobNews(BaseModel):
    """A job to which nothing more will happen."""

    job_id: str
    name: str
    status: JobStatus
    total: int = Field(description="Photos in the job.")
    counts: dict[ItemState, int] = Field(description="Photos per state; states without any are left out.")
    review: int = Field(description="Photos marked for a person to look at.")
    correlation_id: str


class WebhookEvent(BaseModel):
    """The body of every webhook. Its id, the same for every try and every endpoint, is in `webhook-id`."""

    model_config = ConfigDict(frozen=True)

    type: EventType
    timestamp: datetime = Field(description="When it happened, not when it was sent.")
    test: bool = Field(
        default=False,
        description="An example that you asked for: nothing happened, and there is no such job.",
    )
    data: ItemNews | JobNews


def event_id(kind: EventType, subject_id: str) -> str:
    """The id of the event ``kind`` of an item or a job.

    Derived, as each happens to a subject once at most: a second event of the kind is the same event. What
    can happen anew, as the item was sent again or revised, is another subject (``item_subject``).
    """
    digest = hashlib.sha256(f"{kind}:{subject_id}".encode()).hexdigest()
    return f"evt_{digest[:24]}"


def item_subject(item_id: str, round_: int, revision: int) -> str:
    """What an item's events are derived from: the item, in its round and its revision."""
    return f"{item_id}:{round_}:{revision}" if round_ or revision else item_id


def job_subject(job_id: str, rounds: int) -> str:
    """What a job's end is derived from: the job, and how many of its photos were sent again until then."""
    return f"{job_id}:{rounds}" if rounds else job_id

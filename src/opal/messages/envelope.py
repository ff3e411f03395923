"""The part that every queue message shares, and how it becomes bytes."""

from typing import Protocol, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from opal.errors import InvalidMessage
from opal.faults import first_fault
from opal.items.item import Item


class Envelope(BaseModel):
    """Ids and options, never pixels; frozen and versioned.

    ``message_id`` is ``item:epoch``: a queue that drops repeats of an id (Service Bus does for 10
    minutes) drops an accidental second send, while a deliberate re-send raises the epoch.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    version: int = 1
    tenant_id: str
    job_id: str
    item_id: str
    epoch: int = Field(ge=0)
    correlation_id: str
    traceparent: str | None = None

    @classmethod
    def of(cls, item: Item, traceparent: str | None = None) -> Self:
        """The message about ``item`` under its present epoch."""
        return cls(
            tenant_id=item.tenant_id,
            job_id=item.job_id,
            item_id=item.id,
            epoch=item.epoch,
            correlation_id=item.correlation_id,
            traceparent=traceparent,
        )

    @property
    def message_id(self) -> str:
        """The duplicate-detection id, ``item:epoch``."""
        return f"{self.item_id}:{self.epoch}"

    def encode(self) -> bytes:
        """This message as UTF-8 JSON."""
        return self.model_dump_json().encode()

    @classmethod
    def decode(cls, body: bytes) -> Self:
        """The message that ``body`` holds.

        Raises ``InvalidMessage`` when it is no JSON, lacks a field, or is of a newer version.
        """
        try:
            message = cls.model_validate_json(body)
        except ValidationError as error:
            raise InvalidMessage(f"{cls.__name__}: {first_fault(error, 'body')}") from error
        newest = cls.model_fields["version"].default
        if message.version > newest:
            raise InvalidMessage(f"{cls.__name__}: version {message.version} is newer than {newest}")
        return message


class OutboxWriter(Protocol):
    """Where a message waits, in the same transaction as the state that it announces."""

    async def add(self, queue: str, message: Envelope) -> None:
        """Store ``message`` for ``queue``; the relay publishes it after the commit."""
        ...

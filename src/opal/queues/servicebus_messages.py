"""Messages as Opal knows them, and as the Service Bus SDK does.

Service Bus cannot give a message back for later, and cannot move a dead letter back. Both are done with a
copy of the message (``delayed_copy``, ``redriven_copy``). A copy has a broker's id of its own, derived from
the delivery it continues, so that doing the same thing twice is dropped as a duplicate; what it continues
travels in application properties of ours.

Anybody with the right to send can put anything on a queue. Whatever lies there becomes a message, which the
worker then puts aside for its reason; nothing here may raise.
"""

import hashlib
from collections.abc import Mapping
from datetime import UTC, datetime
from uuid import UUID

from azure.servicebus import ServiceBusMessage, ServiceBusReceivedMessage
from azure.servicebus.amqp import AmqpMessageBodyType

from opal.numerals import natural
from opal.queues.interface import Outgoing, Peeked, Received

_Properties = dict[str | bytes, int | float | bytes | bool | str | UUID]

_ID = "opal-message-id"
_DELIVERIES = "opal-deliveries"
_ENQUEUED_AT = "opal-enqueued-at"
_TRACE = ("traceparent", "tracestate", "Diagnostic-Id")
_REASON = "DeadLetterReason"
_DESCRIPTION = "DeadLetterErrorDescription"
_NOT_THE_SENDERS = {_ID, _DELIVERIES, _ENQUEUED_AT, _REASON, _DESCRIPTION}
_LONGEST_ID = 128
"""Signs, of Service Bus."""


def outgoing(message: Outgoing) -> ServiceBusMessage:
    """The SDK's message for one of ours."""
    return ServiceBusMessage(
        message.body,
        message_id=message.message_id,
        correlation_id=message.correlation_id or None,
        application_properties=_typed(message.properties),
        scheduled_enqueue_time_utc=message.not_before,
    )


def received(queue: str, message: ServiceBusReceivedMessage) -> Received:
    """Ours for a message that the SDK received; deliveries of the copies before it count too."""
    properties = _texts(message)
    return Received(
        queue=queue,
        message_id=_id(message, properties),
        body=_body(message),
        correlation_id=_text(message.correlation_id),
        properties=_senders(properties),
        delivery_count=_deliveries(message, properties) + 1,
        sequence_number=message.sequence_number or 0,
        enqueued_at=_enqueued_at(message, properties),
        locked_until=message.locked_until_utc or datetime.now(UTC),
        lock_token=str(message.lock_token),
    )


def peeked(message: ServiceBusReceivedMessage) -> Peeked:
    """Ours for a message that the SDK peeked at."""
    properties = _texts(message)
    scheduled_for = message.scheduled_enqueue_time_utc
    return Peeked(
        message_id=_id(message, properties),
        sequence_number=message.sequence_number or 0,
        body=_body(message),
        delivery_count=_deliveries(message, properties),
        enqueued_at=_enqueued_at(message, properties),
        # A message keeps the time that it was scheduled for after that time has come.
        scheduled_for=scheduled_for if scheduled_for and scheduled_for > datetime.now(UTC) else None,
        dead_letter_reason=properties.get(_REASON),
        dead_letter_description=properties.get(_DESCRIPTION),
    )


def delayed_copy(message: Received) -> ServiceBusMessage:
    """What continues ``message`` later. The same delivery gives the same id."""
    properties = {
        **message.properties,
        _ID: message.message_id,
        _DELIVERIES: str(message.delivery_count),
        _ENQUEUED_AT: message.enqueued_at.isoformat(),
    }
    return ServiceBusMessage(
        message.body,
        message_id=_copy_id(message.message_id, f"~d{message.sequence_number}.{message.delivery_count}"),
        correlation_id=message.correlation_id or None,
        application_properties=_typed(properties),
    )


def redriven_copy(message: ServiceBusReceivedMessage) -> ServiceBusMessage:
    """A dead letter as if it were sent now for the first time. The same dead letter gives the same id."""
    properties = _texts(message)
    message_id = _id(message, properties)
    return ServiceBusMessage(
        _body(message),
        message_id=_copy_id(message_id, f"~r{message.sequence_number}"),
        correlation_id=_text(message.correlation_id) or None,
        application_properties=_typed({**_senders(properties), _ID: message_id}),
    )


def drop_unreadable_trace(message: ServiceBusReceivedMessage) -> None:
    """Take trace properties off that are not ASCII.

    The SDK reads them as ASCII whenever it settles, so one bad value keeps its message from being settled.
    """
    properties = message.application_properties or {}
    for name in _TRACE:
        for key in (name, name.encode()):
            value = properties.get(key)
            if isinstance(value, bytes | str) and not value.isascii():
                del properties[key]


def _texts(message: ServiceBusReceivedMessage) -> dict[str, str]:
    """Application properties as text; what other senders put there as numbers too."""
    return {_text(key): _text(value) for key, value in (message.application_properties or {}).items()}


def _text(value: object) -> str:
    """What may be text, bytes, a number, an UUID or missing."""
    if value is None:
        return ""
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _typed(properties: Mapping[str, str]) -> _Properties:
    """The same for the SDK, whose dictionary type takes no other."""
    return {key: value for key, value in properties.items()}  # noqa: C416


def _senders(properties: Mapping[str, str]) -> dict[str, str]:
    return {key: value for key, value in properties.items() if key not in _NOT_THE_SENDERS}


def _id(message: ServiceBusReceivedMessage, properties: Mapping[str, str]) -> str:
    return properties.get(_ID) or _text(message.message_id)


def _copy_id(message_id: str, copy: str) -> str:
    """The id of a copy; a digest where it would be longer than Service Bus allows."""
    copy_id = message_id + copy
    return copy_id if len(copy_id) <= _LONGEST_ID else hashlib.sha256(copy_id.encode()).hexdigest()


def _body(message: ServiceBusReceivedMessage) -> bytes:
    """The data sections. No Opal sends an AMQP value or sequence: its bytes, or how Python shows it."""
    body = message.body
    if body is None:
        return b""
    if message.body_type is AmqpMessageBodyType.DATA:
        return b"".join(body)
    if isinstance(body, bytes):
        return body
    return repr(list(body) if message.body_type is AmqpMessageBodyType.SEQUENCE else body).encode()


def _deliveries(message: ServiceBusReceivedMessage, properties: Mapping[str, str]) -> int:
    """Deliveries that ended before now, of this message and of those that it is a copy of."""
    return (message.delivery_count or 0) + (natural(properties.get(_DELIVERIES, "")) or 0)


def _enqueued_at(message: ServiceBusReceivedMessage, properties: Mapping[str, str]) -> datetime:
    try:
        since = datetime.fromisoformat(properties[_ENQUEUED_AT])
    except (KeyError, ValueError):
        return message.enqueued_time_utc or datetime.now(UTC)
    return since if since.tzinfo is not None else since.replace(tzinfo=UTC)

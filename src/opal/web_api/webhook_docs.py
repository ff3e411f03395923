"""What web-api sends to webhooks, for the `webhooks` of its OpenAPI document. Nothing here is ever called."""

from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, FastAPI, Header, Response

from opal.items.states import ItemState, JobStatus
from opal.messages.webhook_event import (
    EventType,
    Failure,
    ItemNews,
    JobNews,
    PublicPicture,
    WebhookEvent,
)
from opal.web_api.job_view import ITEM_ID_EXAMPLE, JOB_ID_EXAMPLE
from opal.web_api.public_links import URL_EXAMPLE

_WHEN = datetime(2026, 3, 2, 12, 0, 6, 114_000, tzinfo=UTC)
_ITEM: Final[dict[str, Any]] = {
    "job_id": JOB_ID_EXAMPLE,
    "item_id": ITEM_ID_EXAMPLE,
    "filename": "mug.jpg",
    "sku": "MUG-01",
    "review": False,
    "error": None,
    "correlation_id": "order-7",
}

EXAMPLES: Final[dict[EventType, tuple[str, ItemNews | JobNews]]] = {
    EventType.ITEM_COMPLETED: (
        "Scene and matte of a photo are made, its credit is debited.",
        ItemNews(**_ITEM, state=ItemState.COMPLETED),
    ),
    EventType.ITEM_EXPORTED: (
        "Every picture of a photo is there to download.",
        ItemNews(
            **_ITEM,
            state=ItemState.EXPORTED,
            public_pictures=[PublicPicture(preset="amazon-main", url=URL_EXAMPLE)],
        ),
    ),
    EventType.ITEM_FAILED: (
        "A photo will get no pictures; its credit is back.",
        ItemNews(
            **{
                **_ITEM,
                "error": Failure(code="image_truncated", message="The photo ends before its pixels do."),
            },
            state=ItemState.FAILED,
        ),
    ),
    EventType.JOB_FINISHED: (
        "Nothing more will happen to any photo of a job. Also the one event of a cancelled job.",
        JobNews(
            job_id=JOB_ID_EXAMPLE,
            name="spring mugs",
            status=JobStatus.FINISHED,
            total=1,
            counts={ItemState.EXPORTED: 1},
            review=0,
            correlation_id="order-7",
        ),
    ),
}
"""Of every event: what it tells, and a body's data."""

_SIGNED = "Signed as Standard Webhooks says: verify the bytes before anything parses them."
_ANSWERS: Final[dict[int | str, dict[str, Any]]] = {
    204: {"description": "Any 2xx: noted. Say so before you work on it."},
    410: {"description": "Never again: the webhook is disabled."},
    "default": {"description": "Tried again later, ten times over three days (docs/webhooks.md)."},
}


def describe_webhooks(app: FastAPI) -> None:
    """Add every event to the ``webhooks`` of the document that ``app`` describes itself with."""
    router = APIRouter(tags=["webhooks"])
    for kind, (told, _) in EXAMPLES.items():
        router.post(
            kind.value,
            operation_id=f"receive_{kind.value.replace('.', '_')}",
            summary=f"Be told of `{kind.value}`",
            description=f"{told} {_SIGNED}",
            status_code=204,
            response_class=Response,
            responses=_ANSWERS,
        )(_receive)
    app.webhooks.include_router(router)
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        document = generate()
        for kind, (_, data) in EXAMPLES.items():
            body = WebhookEvent(type=kind, timestamp=_WHEN, data=data).model_dump(mode="json")
            # Put in here, as FastAPI leaves out of its own what is null.
            operation = document["webhooks"][kind.value]["post"]
            operation["requestBody"]["content"]["application/json"]["example"] = body
        return document

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend OpenAPI


def _receive(
    body: WebhookEvent,
    webhook_id: Annotated[
        str,
        Header(
            alias="webhook-id",
            description="The event's id, the same for every try. Remember it: it may come twice.",
            examples=["evt_2c26b46b68ffc68ff99b453c"],
        ),
    ],
    webhook_timestamp: Annotated[
        int,
        Header(
            alias="webhook-timestamp",
            description="When this try was sent, in Unix seconds: refuse one that is old.",
            examples=[1772452806],
        ),
    ],
    webhook_signature: Annotated[
        str,
        Header(
            alias="webhook-signature",
            description="`v1,` and the HMAC-SHA256 of id, timestamp and body, in base64; several with a "
            "space between while a secret is changed.",
            examples=["v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="],
        ),
    ],
) -> None:
    """Stand in for a receiver of the client's; only its signature is read."""

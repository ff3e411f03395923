"""``/v1/tenants/me/data``: delete everything that a tenant ever sent or had made, with a receipt."""

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated

from fastapi import APIRouter, Header, Path, Response
from pydantic import BaseModel, Field

from opal.database import erasures
from opal.database.erasures import Erasure, State
from opal.errors import ConfirmationNeeded, UnknownReceipt
from opal.http.authentication import SettingsRoute, Tenant
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.upkeep.erasure import LATE
from opal.web_api.parts import WebParts

router = APIRouter(route_class=SettingsRoute, tags=["data"])

_ID = "erasure_1f2e3d4c5b6a79880716253d"
_MOST = 100
_NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
ReceiptId = Annotated[str, Path(description="The receipt's id.", examples=[_ID])]


class ErasureReceipt(BaseModel):
    """One deletion of all data, under way or done."""

    id: str = Field(examples=[_ID])
    state: State = Field(description="`running` until the last blob is gone, then `done`.")
    requested_at: datetime = Field(description="What was made before this is deleted.")
    finished_at: datetime | None
    deleted: dict[str, int] = Field(
        description="How many rows of each table, blobs of each container and bytes of them; credits given "
        "back. At least so many: a process that died between deleting and counting may have deleted more."
    )
    receipt: str | None = Field(description="The receipt as JSON text, kept for good; null until it is done.")
    sha256: str | None = Field(description="Of the receipt's bytes in UTF-8.")


class ErasureReceipts(BaseModel):
    """The tenant's deletions, newest first."""

    receipts: list[ErasureReceipt]


_RUNNING = ErasureReceipt(
    id=_ID,
    state="running",
    requested_at=_NOON,
    finished_at=None,
    deleted={"webhooks": 2},
    receipt=None,
    sha256=None,
)
_DONE = ErasureReceipt(
    id=_ID,
    state="done",
    requested_at=_NOON,
    finished_at=_NOON + timedelta(minutes=21),
    deleted={
        "blob_bytes": 81234567,
        "blobs_exports": 40,
        "blobs_raw": 20,
        "items": 20,
        "jobs": 1,
        "webhooks": 2,
    },
    receipt='{\n  "deleted": {"jobs": 1, "…": 20},\n  "receipt": "' + _ID + '"\n}',
    sha256="2c26b46b68ffc68ff99b453c1d30413413422d706483bfa0f98a5e886266e7ae",
)


@router.delete(
    "/v1/tenants/me/data",
    status_code=202,
    summary="Delete all of the tenant's data",
    responses={
        **answer("The deletion is under way, or was done before.", _RUNNING, 202),
        **problems(*BY_KEY, ConfirmationNeeded, *ALWAYS),
    },
)
async def delete_data(
    response: Response,
    parts: WebParts,
    tenant_id: Tenant,
    confirmation: Annotated[
        str | None,
        Header(alias="X-Confirm-Delete", description="The tenant's own id: yes, everything of this tenant."),
    ] = None,
) -> ErasureReceipt:
    """Delete pictures, jobs and everything else that the tenant has, for good.

    What is under way is cancelled and its credits are released; a photo that waits for its pictures gets its
    credit back. Kept are the tenant itself, its keys, the ledger and the receipts. Asked for again while it
    runs, or when nothing is left, the answer is the same receipt. Poll the address in `Location` for it.
    """
    if confirmation != tenant_id:
        raise ConfirmationNeeded
    async with parts.database.transaction() as connection:
        wish = await erasures.request(connection, tenant_id, late=LATE)
    parts.upkeep.kick()
    response.headers["Location"] = f"/v1/tenants/me/data/receipts/{wish.id}"
    return _receipt(wish)


@router.get(
    "/v1/tenants/me/data/receipts",
    summary="List deletions of all data",
    responses={
        **answer("The last hundred, newest first.", ErasureReceipts(receipts=[_DONE])),
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def list_receipts(parts: WebParts, tenant_id: Tenant) -> ErasureReceipts:
    """Every time that the tenant had its data deleted."""
    async with parts.database.read() as connection:
        found = await erasures.of_tenant(connection, tenant_id, _MOST)
    return ErasureReceipts(receipts=[_receipt(each) for each in found])


@router.get(
    "/v1/tenants/me/data/receipts/{receipt_id}",
    summary="Read a receipt",
    responses={
        **answer("How far it is, and the receipt when it is done.", _DONE),
        **problems(*BY_KEY, UnknownReceipt, *ALWAYS),
    },
)
async def read_receipt(parts: WebParts, tenant_id: Tenant, receipt_id: ReceiptId) -> ErasureReceipt:
    """What was deleted and when."""
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(erasures.ID, receipt_id):
        raise UnknownReceipt
    async with parts.database.read() as connection:
        return _receipt(await erasures.tenant_erasure(connection, tenant_id, receipt_id))


def _receipt(wish: Erasure) -> ErasureReceipt:
    return ErasureReceipt(
        id=wish.id,
        state=wish.state,
        requested_at=wish.requested_at,
        finished_at=wish.finished_at,
        deleted=wish.counts,
        receipt=wish.receipt,
        sha256=wish.sha256,
    )

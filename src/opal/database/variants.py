"""Variants: the finished pictures of an item, one per preset."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Row, Select, delete, insert, select
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import variants
from opal.items.item import Item


@dataclass(frozen=True, slots=True)
class VariantRow:
    """A stored picture: where it lies, what it is, and how it did against its preset's rules."""

    preset: str
    path: str
    format: str
    content_type: str
    width: int
    height: int
    bytes: int
    sha256: str
    compliance: list[dict[str, Any]]
    fidelity: dict[str, Any] | None
    placed: dict[str, Any] | None = None
    """How the product was placed: scale, offset_x, offset_y, upscaled, capped, straightened_degrees."""
    expired_at: datetime | None = None
    """When the blob was removed for its age; None: it is there."""


async def record_variant(connection: AsyncConnection, item: Item, variant: VariantRow) -> None:
    """Store the row; an item has one per preset, written in the transaction that exports the item.

    Move the item first: ``items.move`` is the fence that keeps out a worker whose lease went to another.
    """
    await connection.execute(
        insert(variants).values(
            item_id=item.id,
            job_id=item.job_id,
            tenant_id=item.tenant_id,
            created_at=utc_now(),
            **asdict(variant),
        )
    )


async def forget_variants(connection: AsyncConnection, item: Item) -> None:
    """Delete the item's rows, which others replace in the same transaction.

    Their blobs are then named by no row, and go with the next sweep of orphans: who is reading one reads on.
    """
    await connection.execute(delete(variants).where(variants.c.item_id == item.id))


async def list_variants(connection: AsyncConnection, item_id: str) -> list[VariantRow]:
    """The item's variants, by preset."""
    query = _rows().where(variants.c.item_id == item_id).order_by(variants.c.preset)
    return [_variant(row) for row in await connection.execute(query)]


async def job_variants(
    connection: AsyncConnection, job_id: str, item_ids: Sequence[str] | None = None
) -> dict[str, list[VariantRow]]:
    """The variants of every item of a job, or of these of its items, by item id."""
    query = _rows().add_columns(variants.c.item_id).where(variants.c.job_id == job_id)
    if item_ids is not None:
        query = query.where(variants.c.item_id.in_(item_ids))
    found: dict[str, list[VariantRow]] = {}
    for row in await connection.execute(query.order_by(variants.c.item_id, variants.c.preset)):
        found.setdefault(row.item_id, []).append(_variant(row))
    return found


def _rows() -> Select[Any]:
    return select(*[variants.c[name] for name in VariantRow.__dataclass_fields__])


def _variant(row: Row[Any]) -> VariantRow:
    return VariantRow(**{name: getattr(row, name) for name in VariantRow.__dataclass_fields__})

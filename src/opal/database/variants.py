"""Variants: the finished pictures of an item, one per preset."""

from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import Row, Select, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import items, variants
from opal.errors import LeaseLost
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


async def record_variant(connection: AsyncConnection, item: Item, variant: VariantRow) -> None:
    """Store the row, in place of an earlier attempt's.

    Raises ``LeaseLost`` when the item is not in the caller's attempt any more.
    """
    fence = select(items.c.id).where(
        items.c.id == item.id, items.c.state == item.state, items.c.attempt == item.attempt
    )
    if (await connection.execute(fence.with_for_update())).one_or_none() is None:
        raise LeaseLost(f"Item {item.id} is no longer {item.state} in attempt {item.attempt}.")
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    values = {**asdict(variant), "job_id": item.job_id, "tenant_id": item.tenant_id, "created_at": utc_now()}
    await connection.execute(
        dialect.insert(variants)
        .values(item_id=item.id, **values)
        .on_conflict_do_update(index_elements=["item_id", "preset"], set_=values)
    )


async def list_variants(connection: AsyncConnection, item_id: str) -> list[VariantRow]:
    """The item's variants, by preset."""
    query = _rows().where(variants.c.item_id == item_id).order_by(variants.c.preset)
    return [_variant(row) for row in await connection.execute(query)]


async def job_variants(connection: AsyncConnection, job_id: str) -> dict[str, list[VariantRow]]:
    """The variants of every item of a job, by item id."""
    query = _rows().add_columns(variants.c.item_id).where(variants.c.job_id == job_id)
    found: dict[str, list[VariantRow]] = {}
    for row in await connection.execute(query.order_by(variants.c.item_id, variants.c.preset)):
        found.setdefault(row.item_id, []).append(_variant(row))
    return found


def _rows() -> Select[Any]:
    return select(*[variants.c[name] for name in VariantRow.__dataclass_fields__])


def _variant(row: Row[Any]) -> VariantRow:
    return VariantRow(**{name: getattr(row, name) for name in VariantRow.__dataclass_fields__})

"""A tenant's own presets, as they were read from its TOML."""

from typing import Any, TypeAlias

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import tenant_presets
from opal.errors import InvalidInput, NotFound

MOST = 200
"""Presets that a tenant may keep: all of them are read for every job."""

Document: TypeAlias = dict[str, Any]
"""A preset as JSON."""


class TooManyPresets(InvalidInput):
    """You have as many presets of your own as there may be.

    Delete one that is not used any more (`DELETE /v1/presets/{name}`); jobs that were made with it keep it.
    """

    code = "too_many_presets"
    title = "Too many presets"


async def save_preset(connection: AsyncConnection, tenant_id: str, name: str, preset: Document) -> bool:
    """Store it, over an older one of its name; returns whether there was none. Raises ``TooManyPresets``."""
    table = tenant_presets
    query = select(table.c.name).where(table.c.tenant_id == tenant_id)
    names = set((await connection.execute(query)).scalars())
    if name not in names and len(names) >= MOST:
        raise TooManyPresets
    now = utc_now()
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    await connection.execute(
        dialect.insert(table)
        .values(tenant_id=tenant_id, name=name, preset=preset, created_at=now, updated_at=now)
        .on_conflict_do_update(
            index_elements=["tenant_id", "name"], set_={"preset": preset, "updated_at": now}
        )
    )
    return name not in names


async def list_presets(connection: AsyncConnection, tenant_id: str) -> list[Document]:
    """The tenant's own, by name."""
    query = select(tenant_presets.c.preset).where(tenant_presets.c.tenant_id == tenant_id)
    return [dict(row.preset) for row in await connection.execute(query.order_by(tenant_presets.c.name))]


async def delete_preset(connection: AsyncConnection, tenant_id: str, name: str) -> None:
    """Forget it; jobs that were made with it keep it. Raises ``NotFound``."""
    gone = await connection.execute(
        delete(tenant_presets).where(tenant_presets.c.tenant_id == tenant_id, tenant_presets.c.name == name)
    )
    if not gone.rowcount:
        raise NotFound(f"You have no preset of your own named {name!r}.")

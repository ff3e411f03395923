"""The table of brand profiles. Others have it from `tables.py`, which makes sure that it is known."""

from sqlalchemy import Column, Integer, String, Table, Text, UniqueConstraint

from opal.database.column_types import Json, UtcDateTime
from opal.database.table_parts import created, id_column, metadata, tenant

# How a tenant wants its pictures, to be named by a job in place of saying it again.
brand_profiles = Table(
    "brand_profiles",
    metadata,
    id_column(primary_key=True),
    tenant(),
    Column("name", String(200), nullable=False),
    Column("scene", Json, nullable=False),
    Column("placement", Json, nullable=False),
    Column("presets", Json, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("seed", Integer, nullable=False),
    # Grows with every change, so that nobody writes over what they have not seen.
    Column("version", Integer, nullable=False),
    created(),
    Column("updated_at", UtcDateTime, nullable=False),
    UniqueConstraint("tenant_id", "name"),
)

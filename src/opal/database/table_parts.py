"""What `tables.py` is made of: the names of constraints, and the columns that nearly every table has."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, MetaData, String

from opal.database.column_types import UtcDateTime

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_name)s",
        "pk": "pk_%(table_name)s",
    }
)


def id_column(name: str = "id", **options: Any) -> Column[str]:
    """An id of ours, see `new_id`."""
    return Column(name, String(64), **options)


def created() -> Column[datetime]:
    """When the row was made."""
    return Column("created_at", UtcDateTime, nullable=False)


def tenant() -> Column[str]:
    """Whose row it is."""
    return Column("tenant_id", String(64), ForeignKey("tenants.id"), nullable=False)

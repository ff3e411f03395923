"""What `tables.py` is made of: the names of constraints, and the columns that several tables have."""

from datetime import datetime
from typing import Any

from sqlalchemy import Column, ForeignKey, Integer, MetaData, String

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


def trace() -> Column[str]:
    """The span that wrote the row (W3C Trace Context); null where no spans are made."""
    return Column("traceparent", String(64))


def receiver() -> list[Column[Any]]:
    """How whom we send to is doing (receivers.py)."""
    return [
        Column("state", String(16), nullable=False),
        Column("disabled_reason", String(200)),
        Column("failures", Integer, nullable=False, default=0),
        Column("failing_since", UtcDateTime),
        Column("not_before", UtcDateTime),
    ]

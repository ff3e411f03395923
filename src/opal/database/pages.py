"""Lists in pages, newest first. Called by the modules whose tables clients list."""

from datetime import datetime
from typing import Any

from sqlalchemy import Select, Table, and_, or_


def newest_first(
    query: Select[Any], table: Table, limit: int, before: tuple[datetime, str] | None
) -> Select[Any]:
    """The newest ``limit`` rows of ``table``, or those older than ``before``: a time of creation and an id.

    A place rather than a row: what was created then may be gone.
    """
    if before is not None:
        created_at, row_id = before
        same_time = and_(table.c.created_at == created_at, table.c.id < row_id)
        query = query.where(or_(table.c.created_at < created_at, same_time))
    return query.order_by(table.c.created_at.desc(), table.c.id.desc()).limit(limit)

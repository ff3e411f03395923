"""Sessions of the console that were signed out, remembered by every replica until they would have ended.

``http/authentication.py`` asks with each request of a session, the console tells when somebody signs out.
"""

from datetime import datetime

from sqlalchemy import delete, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import ended_sessions


async def end(connection: AsyncConnection, tenant_id: str, session_id: str, ends_at: datetime) -> None:
    """Remember the session as ended, and forget those of the tenant that have ended by themselves."""
    past = (ended_sessions.c.tenant_id == tenant_id, ended_sessions.c.ends_at < utc_now())
    await connection.execute(delete(ended_sessions).where(*past))
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    await connection.execute(
        dialect.insert(ended_sessions)
        .values(id=session_id, tenant_id=tenant_id, ends_at=ends_at)
        .on_conflict_do_nothing(index_elements=["id"])
    )


async def has_ended(connection: AsyncConnection, session_id: str) -> bool:
    """Whether somebody signed this session out."""
    query = select(ended_sessions.c.id).where(ended_sessions.c.id == session_id)
    return (await connection.execute(query)).one_or_none() is not None

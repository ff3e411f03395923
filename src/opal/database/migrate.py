"""Bringing a database to the newest schema; forward only.

Every service asks for it at its start, so a database that is up to date is told by one query: Alembic is
imported only where there is something to do.

A schema that is newer than this code is left as it is, and is no fault: that is how the version before
runs again after a migration. Each migration suits it (CONTRIBUTING.md; 0011 alone does not).
"""

import fcntl
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import structlog
from sqlalchemy import Connection, inspect, make_url, text

from opal.database.engine import Database, act_for_platform

_log = structlog.get_logger(__name__)

_SCRIPTS = Path(__file__).parent / "migrations"
# Any number will do, as long as only migrations use it.
_ADVISORY_LOCK = 0x0A1A


async def migrate(database: Database) -> None:
    """Apply every migration that the database lacks; safe when several processes start at once.

    A newer schema stays as it is.
    """
    engine = database.engine_for_migrations()
    try:
        with _one_at_a_time(database.url):
            async with engine.begin() as connection:
                await connection.run_sync(_upgrade)
    finally:
        await engine.dispose()


async def schema_version(database: Database) -> tuple[str | None, str]:
    """The revision that the database has, and the newest one there is."""
    engine = database.engine_for_migrations()
    try:
        async with engine.connect() as connection:
            return await connection.run_sync(_present_revision), newest_revision()
    finally:
        await engine.dispose()


def newest_revision() -> str:
    """The newest schema there is: revisions are numbered, and their files begin with the number."""
    return max(path.name.partition("_")[0] for path in (_SCRIPTS / "versions").glob("[0-9]*.py"))


def is_newer(present: str | None) -> bool:
    """Whether a later version of Opal made the schema that is ``present``."""
    return present is not None and present > newest_revision()


def _present_revision(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    revision: str | None = connection.scalar(text("SELECT version_num FROM alembic_version"))
    return revision


def _upgrade(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})"))
    present = _present_revision(connection)
    if present == newest_revision():
        return
    if is_newer(present):
        _log.warning("schema is newer", action="schema.newer", present=present, known=newest_revision())
        return
    act_for_platform(connection)
    from alembic import command  # noqa: PLC0415 - see the top of this file
    from alembic.config import Config  # noqa: PLC0415

    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    config.attributes["connection"] = connection
    command.upgrade(config, "head")


@contextmanager
def _one_at_a_time(url: str) -> Iterator[None]:
    """SQLite has no advisory locks; a lock file beside the database does the same."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or not parsed.database:
        yield
        return
    path = Path(parsed.database)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.with_suffix(".migrating").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield

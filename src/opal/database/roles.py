"""Who may use the tables, on PostgreSQL in Azure: a role for each app's managed identity.

Called by `opal migrate --app … --reader …`, as the server's administrator. The apps themselves may neither
change the schema nor make roles.
"""

from collections.abc import Sequence

from sqlalchemy import Connection, text

from opal.database.engine import Database
from opal.errors import InvalidInput

# Where Azure keeps the functions that tie a role to an identity.
_HOME = "postgres"

_EXISTS = text("SELECT true FROM pg_roles WHERE rolname = :name")
# Neither an administrator nor asked for a second factor.
_CREATE = text("SELECT pgaadauth_create_principal(CAST(:name AS text), false, false)")


async def give_access(database: Database, apps: Sequence[str], readers: Sequence[str]) -> None:
    """Let ``apps`` read and write every table, and ``readers`` read; each is the name of a managed identity.

    A role that is missing is made of the identity of its name. May be repeated, and has to be after each
    migration that adds a table. Raises InvalidInput on SQLite, which has no roles.
    """
    if database.is_sqlite:
        raise InvalidInput("--app and --reader need PostgreSQL: SQLite has no roles.")
    home = database.engine_for_migrations(_HOME)
    try:
        async with home.begin() as connection:
            for name in (*apps, *readers):
                if not await connection.scalar(_EXISTS, {"name": name}):
                    await connection.execute(_CREATE, {"name": name})
    finally:
        await home.dispose()
    engine = database.engine_for_migrations()
    try:
        async with engine.begin() as connection:
            for name in apps:
                await connection.run_sync(_grant, name, "SELECT, INSERT, UPDATE, DELETE")
            for name in readers:
                await connection.run_sync(_grant, name, "SELECT")
    finally:
        await engine.dispose()


def _grant(connection: Connection, name: str, rights: str) -> None:
    """Exactly these rights on all tables, whatever the role had before."""
    role = connection.dialect.identifier_preparer.quote_identifier(name)
    for statement in (
        f"GRANT USAGE ON SCHEMA public TO {role}",
        f"REVOKE ALL ON ALL TABLES IN SCHEMA public FROM {role}",
        f"GRANT {rights} ON ALL TABLES IN SCHEMA public TO {role}",
        f"GRANT USAGE ON ALL SEQUENCES IN SCHEMA public TO {role}",
    ):
        connection.execute(text(statement))

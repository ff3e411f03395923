"""`opal migrate`: bring the database to the newest schema."""

import asyncio
from typing import Annotated

import typer

from opal.assembly import open_database
from opal.cli.terminal import JsonOption, command_app, print_json
from opal.database.migrate import is_newer, schema_version
from opal.database.roles import give_access
from opal.settings import load_settings

app = command_app()


@app.command()
def migrate(
    apps: Annotated[
        list[str] | None,
        typer.Option("--app", help="PostgreSQL in Azure: an identity that may read and write all tables."),
    ] = None,
    readers: Annotated[
        list[str] | None, typer.Option("--reader", help="The same, but it may only read.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Bring the database to the newest schema; does nothing when it is there already, or further."""
    settings = load_settings()

    async def work() -> tuple[str | None, str | None]:
        async with open_database(settings) as database:
            if apps or readers:
                await give_access(database, apps or [], readers or [])
            return await schema_version(database)

    present, newest = asyncio.run(work())
    if as_json:
        print_json({"schema": present, "newest": newest})
    elif is_newer(present):
        typer.echo(f"The database has schema {present}, newer than this version's {newest}; it stays so.")
    else:
        typer.echo(f"The database has schema {present}.")

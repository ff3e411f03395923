"""`opal migrate`: bring the database to the newest schema."""

import asyncio

import typer

from opal.assembly import open_database
from opal.cli.terminal import JsonOption, command_app, print_json
from opal.database.migrate import schema_version
from opal.settings import load_settings

app = command_app()


@app.command()
def migrate(as_json: JsonOption = False) -> None:
    """Bring the database to the newest schema; does nothing when it is there already."""
    settings = load_settings()

    async def work() -> tuple[str | None, str | None]:
        async with open_database(settings) as database:
            return await schema_version(database)

    present, newest = asyncio.run(work())
    if as_json:
        print_json({"schema": present, "newest": newest})
    else:
        typer.echo(f"The database has schema {present}.")

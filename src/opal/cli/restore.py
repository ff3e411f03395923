"""`opal restore`: a data folder of a backup, whole or not at all."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from opal.backup.read import restore_backup
from opal.cli.terminal import JsonOption, command_app, print_json
from opal.database.migrate import newest_revision
from opal.settings import load_settings

app = command_app()


@app.command()
def restore(
    file: Annotated[Path, typer.Argument(help="What `opal backup` wrote.")],
    data: Annotated[Path | None, typer.Option("--data", help="The data folder; else OPAL_DATA_DIR.")] = None,
    *,
    as_json: JsonOption = False,
) -> None:
    """Make a data folder of a backup; the folder must be missing or empty.

    Every byte is checked before the folder gets its name. A backup of an older Opal is brought to the newest
    schema by the next command that opens it.
    """
    made = restore_backup(file, data or load_settings().data_dir, newest_revision())
    if as_json:
        print_json(asdict(made))
    else:
        typer.echo(f"{made.folder}: schema {made.schema}, {made.members:,} files, {made.bytes:,} bytes.")
    if not made.summed:
        typer.echo("opal: an older backup: nothing in it vouches for the times of its files", err=True)

"""`opal backup`: everything that the data folder holds, as one file, while Opal runs."""

from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from opal.backup.errors import NothingToBackUp
from opal.backup.write import write_backup
from opal.cli.main import EXIT_FAILED
from opal.cli.terminal import JsonOption, command_app, print_json
from opal.settings import load_settings

app = command_app()

_SHOWN = 5


@app.command()
def backup(
    file: Annotated[Path, typer.Argument(help="The file to write; it must not be there yet.")],
    data: Annotated[Path | None, typer.Option("--data", help="The data folder; else OPAL_DATA_DIR.")] = None,
    *,
    without_keys: Annotated[
        bool, typer.Option("--without-keys", help="Leave the folder's keys out; keep them elsewhere.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """Back up database, queues, pictures and keys of the embedded mode while it runs.

    The file is as secret as the folder: keep it so. Exit code 1: a picture that the database names was not
    there; the backup is made all the same.
    """
    settings = load_settings()
    adapters = (settings.queue.adapter, settings.blob.adapter)
    if settings.database.url is not None or adapters != ("local", "folder"):
        raise NothingToBackUp("The settings name a database, queues or blobs outside the data folder.")
    made = write_backup(data or settings.data_dir, file, keys=not without_keys)
    if as_json:
        print_json(asdict(made))
    else:
        typer.echo(f"{made.file}: schema {made.schema}, {made.members:,} files, {made.bytes:,} bytes.")
        for name in made.missing[:_SHOWN]:
            typer.echo(f"opal: missing in the data folder: {name}", err=True)
        if len(made.missing) > _SHOWN:
            typer.echo(f"opal: and {len(made.missing) - _SHOWN:,} more", err=True)
    if made.missing:
        raise typer.Exit(EXIT_FAILED)

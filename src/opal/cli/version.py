"""`opal version`."""

import platform

import typer

from opal import __version__
from opal.cli.terminal import JsonOption, command_app, print_json

app = command_app()


@app.command()
def version(as_json: JsonOption = False) -> None:
    """Print Opal's version."""
    if as_json:
        print_json({"opal": __version__, "python": platform.python_version()})
    else:
        typer.echo(__version__)

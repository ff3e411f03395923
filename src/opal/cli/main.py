"""`opal`: the table of commands and what an error becomes. The entry point of the installed script.

A command's module is imported when the command runs, so that `opal --help` stays fast.
"""

import sys
from collections.abc import Callable
from importlib import import_module
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from opal import __version__
from opal.cli.file_unusable import file_error
from opal.errors import InvalidInput, OpalError

EXIT_FAILED = 1
EXIT_USAGE = 2

_MACHINE = "On this machine"
_SERVICES = "Services"
_OPERATE = "Operate"

COMMANDS: dict[str, tuple[str, str]] = {
    "process": (_MACHINE, "Make marketplace pictures of photos and folders; needs no services."),
    "check": (_MACHINE, "Hold existing pictures against presets' rules."),
    "inspect": (_MACHINE, "Show what pictures say of their making, and whether their signatures hold."),
    "up": (_MACHINE, "Run all services on this machine and print their address and a key."),
    "demo": (_MACHINE, "Send the sample photos through the real services and show the results."),
    "doctor": (_MACHINE, "Say what is missing on this machine and how to get it."),
    "models": (_MACHINE, "Fetch, list, check and quantise model weights."),
    "presets": (_MACHINE, "List the export presets and their rules."),
    "scenes": (_MACHINE, "List the ready-made scenes."),
    "version": (_MACHINE, "Print Opal's version."),
    "web-api": (_SERVICES, "The public HTTP API."),
    "billing-service": (_SERVICES, "Credits over HTTP."),
    "orchestrator": (_SERVICES, "The one consumer of the queue `jobs`."),
    "export-worker": (_SERVICES, "The one consumer of the queue `exports`."),
    "scoring": (_SERVICES, "The placement endpoint, `POST /score`."),
    "migrate": (_OPERATE, "Bring the database to the newest schema."),
    "keys": (_OPERATE, "Create, list and revoke API keys."),
    "credits": (_OPERATE, "Grant and show credits."),
    "webhooks": (_OPERATE, "Make, test and watch webhooks, and replay what did not arrive."),
    "deliver": (_OPERATE, "Make and test delivery targets, and deliver finished jobs to them."),
    "queues": (_OPERATE, "Look into the queues; send dead letters again, or remove them."),
    "items": (_OPERATE, "Tell everything that happened to one photo."),
    "backup": (_OPERATE, "Write everything that the data folder holds into one file."),
    "restore": (_OPERATE, "Make a data folder of a backup."),
}


class LazyGroup(TyperGroup):
    """A group whose commands are placeholders until one is called."""

    def resolve_command(self, ctx: Any, args: list[str]) -> tuple[str | None, Any, list[str]]:
        """Find the command as usual, then import the module that implements it."""
        name, command, rest = super().resolve_command(ctx, args)
        if name in COMMANDS:
            module = import_module(f"opal.cli.{name.replace('-', '_')}")
            command = typer.main.get_command(module.app)
        return name, command, rest

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002 - click's signature
        """List the commands under the headings of the table."""
        for heading in dict.fromkeys(heading for heading, _ in COMMANDS.values()):
            with formatter.section(heading):
                rows = [(name, text) for name, (section, text) in COMMANDS.items() if section == heading]
                formatter.write_dl(rows)


app = typer.Typer(
    cls=LazyGroup,
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    # Plain help: importing rich's markup costs more than all the rest of `opal --help`.
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _placeholder() -> Callable[[], None]:
    return lambda: None


for _name, (_heading, _sentence) in COMMANDS.items():
    app.command(_name, help=_sentence)(_placeholder())


def _print_version(wanted: bool) -> None:
    if wanted:
        typer.echo(__version__)
        raise typer.Exit


@app.callback()
def opal(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version.")
    ] = False,
) -> None:
    """Raw product photos in, marketplace-ready pictures out, with proof that the product was not altered."""


def run() -> None:
    """Run the command line; an expected error is one line on stderr, never a traceback.

    Exit codes: 0 all well, 1 some items failed or something broke, 2 bad usage; typer ends with 130 on
    Ctrl-C and quietly when the reader of a pipe has gone.
    """
    try:
        app()
    except InvalidInput as error:
        _say(error)
        sys.exit(EXIT_USAGE)
    except OpalError as error:
        _say(error)
        sys.exit(EXIT_FAILED)
    except OSError as error:
        _say(file_error(error))
        sys.exit(EXIT_FAILED)


def _say(error: OpalError) -> None:
    # Under a supervisor or a script there is no colour; under a person's eyes the code stands apart.
    typer.secho(f"opal: {error.message} [{error.code}]", err=True, fg=typer.colors.RED)

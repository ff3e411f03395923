"""How commands speak: results to stdout (text or JSON), progress and remarks to stderr."""

import json
from collections.abc import Iterable, Sequence
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text


def command_app(**options: Any) -> typer.Typer:
    """A Typer application with the manners of all our commands: plain help, plain tracebacks."""
    return typer.Typer(
        add_completion=False,
        pretty_exceptions_enable=False,
        rich_markup_mode=None,
        context_settings={"help_option_names": ["-h", "--help"]},
        **options,
    )


JsonOption = Annotated[bool, typer.Option("--json", help="Print JSON for a script to read.")]


def out() -> Console:
    """The console of results; wide enough not to cut a table when stdout is a file."""
    console = Console()
    return console if console.is_terminal else Console(width=160)


def remarks() -> Console:
    """The console of progress and remarks, stderr, so that stdout stays clean for pipes."""
    return Console(stderr=True)


def print_json(value: Any) -> None:
    """Print ``value`` as indented JSON; dates and paths as text."""
    typer.echo(json.dumps(value, indent=2, ensure_ascii=False, default=str))


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[object]], *, title: str | None = None
) -> None:
    """Print a plain table; columns whose name ends in ``#`` hold numbers and stand to the right."""
    table = Table(title=title, box=None, pad_edge=False, header_style="bold", title_justify="left")
    for column in columns:
        number = column.endswith("#")
        table.add_column(column.rstrip("#"), justify="right" if number else "left", no_wrap=number)
    for row in rows:
        # As text, not markup: a file may be called [bold].jpg.
        table.add_row(*(Text("" if cell is None else one_line(str(cell))) for cell in row))
    out().print(table)


def one_line(text: str) -> str:
    """Text that neither breaks a line nor steers the terminal, whatever a file's name holds."""
    joined = " ".join(text.split("\n"))
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in joined)

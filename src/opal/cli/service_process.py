"""What every service command does before its service starts. Used by the five service commands."""

from typing import Annotated

import typer

from opal.cli.parentage import end_with_parent
from opal.settings import Settings, load_settings

SupervisedOption = Annotated[
    bool,
    typer.Option("--supervised", hidden=True, help="End when the process that started this one ends."),
]


def begin(supervised: bool) -> Settings:
    """Tie this process to its supervisor when it has one, and read the settings."""
    if supervised:
        end_with_parent()
    return load_settings()

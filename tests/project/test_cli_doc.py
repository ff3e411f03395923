"""docs/cli.md names every command, sub-command and option that there is."""

from collections.abc import Iterator
from importlib import import_module
from typing import Any

import typer
from tests.project.source_tree import ROOT

from opal.cli.main import COMMANDS

_OF_EVERY_COMMAND = {"--help", "-h", "--supervised"}


def _options(command: Any) -> Iterator[str]:
    for parameter in command.params:
        yield from (name for name in parameter.opts if name.startswith("--"))


def _named() -> Iterator[str]:
    """Every phrase that the page must hold."""
    for name in COMMANDS:
        yield f"`opal {name}"
        module = import_module(f"opal.cli.{name.replace('-', '_')}")
        command: Any = typer.main.get_command(module.app)
        yield from _options(command)
        for sub_name, sub_command in getattr(command, "commands", {}).items():
            yield f"opal {name} {sub_name}"
            yield from _options(sub_command)


def test_the_page_names_everything() -> None:
    page = (ROOT / "docs" / "cli.md").read_text("utf-8")
    missing = sorted({phrase for phrase in _named() if phrase not in page} - _OF_EVERY_COMMAND)
    assert not missing, f"docs/cli.md does not name: {missing}"

"""docs/cli.md from the commands themselves: usage, what the command does, arguments and options."""

import re
from collections.abc import Iterator
from enum import StrEnum
from importlib import import_module
from inspect import cleandoc
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import typer
from docs.generate.regions import code, table

from opal.cli.main import COMMANDS

ROOT = Path(__file__).resolve().parents[2]
_OF_EVERY_COMMAND = {"help", "supervised"}


def parts() -> dict[str, str]:
    """One generated part per command, subcommands included."""
    return {f"opal {name}": "\n\n".join(_sections(name, _command(name))) for name in COMMANDS}


def _command(name: str) -> Any:
    # typer brings click along in its own name; its classes are looked at, never named.
    return typer.main.get_command(import_module(f"opal.cli.{name.replace('-', '_')}").app)


def _sections(name: str, command: Any, depth: int = 3) -> Iterator[str]:
    parameters = [each for each in command.params if each.name not in _OF_EVERY_COMMAND and not each.hidden]
    arguments = [each for each in parameters if each.param_type_name == "argument"]
    options = [each for each in parameters if each.param_type_name == "option"]
    usage = [_argument(each) for each in arguments]
    usage += [_flag(each) for each in options if each.required]
    yield f"{'#' * depth} {code(' '.join([f'opal {name}', *usage]))}"
    yield _help(command)
    rows = [(code(_argument(each)), _meaning(each), _default(each)) for each in arguments]
    rows += [(code(_flag(each)), _meaning(each), _default(each)) for each in options]
    if len(rows) == 1 and not rows[0][2]:
        yield f"{rows[0][0]}: {rows[0][1]}"
    elif rows:
        yield table(("Argument or option", "Meaning", "Default"), rows)
    for sub_name, sub_command in getattr(command, "commands", {}).items():
        yield from _sections(f"{name} {sub_name}", sub_command, depth + 1)


def _help(command: Any) -> str:
    # `<photo>` would be taken for a tag.
    text = cleandoc(command.help or "").replace("<", "\\<")
    return "\n\n".join(" ".join(paragraph.split()) for paragraph in text.split("\n\n"))


def _argument(argument: Any) -> str:
    name = re.sub(r"[^A-Z_-]", "", str(argument.metavar or argument.name).upper())
    name += "…" if argument.nargs == -1 else ""
    return name if argument.required else f"[{name}]"


def _flag(option: Any) -> str:
    """The long name, and what kind of value follows it."""
    name = next(name for name in option.opts if name.startswith("--"))
    return name if option.is_flag else f"{name} {_value(option.type_descriptor.annotation)}"


def _value(kind: Any) -> str:
    if get_origin(kind) is Literal:
        return "|".join(get_args(kind))
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "|".join(kind)
    return {int: "N", Path: "PATH"}.get(kind, "TEXT")


def _meaning(parameter: Any) -> str:
    sentence = parameter.help or ""
    bounds = [
        f"{sign} {bound}" for sign, bound in (("≥", parameter.min), ("≤", parameter.max)) if bound is not None
    ]
    return f"{sentence} ({', '.join(bounds)})".strip() if bounds else sentence


def _default(parameter: Any) -> str:
    default = parameter.default
    if parameter.required or default is None or default is False or default == "":
        return ""
    if isinstance(default, Path) and default.is_relative_to(ROOT):
        default = default.relative_to(ROOT)
    return code(default)

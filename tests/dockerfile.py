"""The Dockerfile as its tests read it: stages, and in each the instructions with their arguments."""

import json
import re
import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

_CONTINUED = re.compile(r"\\\n")
_COMMENT = re.compile(r"^\s*#.*\n", re.MULTILINE)
_FROM = re.compile(r"(?P<base>\S+)(?: AS (?P<name>\S+))?")


@dataclass
class Stage:
    """What one FROM begins."""

    name: str
    base: str
    instructions: list[tuple[str, str]] = field(default_factory=list)

    def all(self, instruction: str) -> list[str]:
        """The arguments of every such instruction, in order."""
        return [argument for name, argument in self.instructions if name == instruction]

    def words(self, instruction: str) -> list[str]:
        """The last such instruction's exec form."""
        return [str(word) for word in json.loads(self.all(instruction)[-1])]


def stages(path: Path) -> dict[str, Stage]:
    """Every stage by its name."""
    found: dict[str, Stage] = {}
    lines = _CONTINUED.sub(" ", _COMMENT.sub("", path.read_text("utf-8"))).splitlines()
    current: Stage | None = None
    for line in lines:
        instruction, _, argument = line.strip().partition(" ")
        if instruction == "FROM":
            match = _FROM.fullmatch(argument)
            assert match is not None, line
            current = found[match["name"]] = Stage(match["name"], match["base"])
        elif current is not None and instruction:
            current.instructions.append((instruction, argument.strip()))
    return found


def environment(path: Path, stage: str) -> dict[str, str]:
    """The variables of a stage, with those of the stages it is based on."""
    known = stages(path)
    own = known[stage]
    values = environment(path, own.base) if own.base in known else {}
    for argument in own.all("ENV"):
        values |= dict(word.split("=", 1) for word in shlex.split(argument))
    return values


def health_check(stage: Stage) -> Any:
    """The command of a stage's health check, exec form."""
    return json.loads(stage.all("HEALTHCHECK")[-1].partition("CMD ")[2])

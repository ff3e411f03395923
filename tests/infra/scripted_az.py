"""An `az` that answers from a table and remembers what it was asked."""

from collections.abc import Mapping
from typing import Any

from infra.deploy.azure_cli import AzureRefused

MISSING = object()


class ScriptedAz:
    """Answers with that of the longest beginning of the words in the table; lists are used up one by one.

    An exception is raised; what the table does not have is answered with None, as if nothing was said.
    """

    def __init__(self, answers: Mapping[str, Any]) -> None:
        self.answers = dict(answers)
        self.asked: list[str] = []
        self.variables: list[dict[str, str]] = []
        self.files: dict[str, str] = {}

    def __call__(self, *words: str, **variables: str) -> Any:
        line = " ".join(words)
        self.asked.append(line)
        self.variables.append(variables)
        if "--file" in words and words[0] == "keyvault":
            with open(words[words.index("--file") + 1], encoding="utf-8") as file:  # noqa: PTH123
                self.files[words[words.index("--name") + 1]] = file.read()
        known = [key for key in self.answers if line.startswith(key)]
        answer = self.answers[max(known, key=len)] if known else None
        if isinstance(answer, list):
            answer = answer.pop(0)
        if answer is MISSING:
            raise AzureRefused(f"az {line}", "ERROR: (ResourceNotFound) it is not there")
        if isinstance(answer, Exception):
            raise answer
        return answer

    def lines(self, beginning: str) -> list[str]:
        return [line for line in self.asked if line.startswith(beginning)]


def outputs(**values: Any) -> dict[str, Any]:
    """What `az deployment group show` answers."""
    return {"properties": {"outputs": {name: {"value": value} for name, value in values.items()}}}

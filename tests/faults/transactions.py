"""Every transaction that the code begins: a step of a way of `test_crash_points.py`, or why it is none.

A new one belongs either into that file's ``STEPS`` or, with its reason, into ``ELSEWHERE``.
"""

import ast
from collections.abc import Iterator
from dataclasses import dataclass

from tests.faults.process_server import ROOT

_SOURCES = ROOT / "src" / "opal"

REQUEST = "One commit answers one request. Who got no answer asks again; tests/services repeats such calls."
TURN = "A turn of work that is done again from its start, by what the database says is left: "
CLAIMED = "Claims with an end, and settles what it claimed; another's claim stays: "

ELSEWHERE: dict[str, str] = {
    "cli/database_session.py": "An operator's command, all of it in one commit.",
    "console/": REQUEST,
    "delivery_sender/": CLAIMED + "tests/services/test_delivery_sender.py",
    "upkeep/": TURN + "tests/services/test_upkeep.py",
    "web_api/": REQUEST,
    "webhook_sender/": CLAIMED + "tests/services/test_webhook_sender.py",
}
"""Begin of a file's path to the reason."""


@dataclass(frozen=True, slots=True)
class Beginner:
    """A function that begins transactions."""

    file: str
    name: str
    """With its class."""
    count: int

    @property
    def step(self) -> str:
        """As a crash point is named."""
        return f"commit {self.name}"

    @property
    def reason(self) -> str:
        """Why it is no step; empty where nobody gave one, or where a request is answered by two commits."""
        found = next((reason for begin, reason in ELSEWHERE.items() if self.file.startswith(begin)), "")
        return "" if found == REQUEST and self.count > 1 else found


def beginners() -> Iterator[Beginner]:
    """All of them."""
    for file in sorted(_SOURCES.rglob("*.py")):
        tree = ast.parse(file.read_text())
        classes = {
            child: node.name for node in tree.body if isinstance(node, ast.ClassDef) for child in node.body
        }
        for function in ast.walk(tree):
            if isinstance(function, ast.AsyncFunctionDef) and (count := _begun(function)):
                name = f"{classes[function]}." if function in classes else ""
                yield Beginner(file.relative_to(_SOURCES).as_posix(), f"{name}{function.name}", count)


def _begun(function: ast.AsyncFunctionDef) -> int:
    calls = [node.func for node in ast.walk(function) if isinstance(node, ast.Call)]
    return sum(isinstance(called, ast.Attribute) and called.attr == "transaction" for called in calls)

"""Every package that we chose has a row in docs/dependencies.md, is declared and is locked."""

import re
import tomllib
from pathlib import Path

from tests.project.source_tree import ROOT

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_ROW = re.compile(r"^\| `(?P<name>[a-z0-9._-]+)` \|(?P<cells>.*)\|$", re.MULTILINE)
_REQUIREMENTS = ROOT / "requirements"


def _chosen(file: Path) -> set[str]:
    """The packages that a `.in` file names itself."""
    lines = (line.strip() for line in file.read_text("utf-8").splitlines())
    return {_name(line) for line in lines if line and not line.startswith(("#", "-"))}


def _name(requirement: str) -> str:
    match = _NAME.match(requirement)
    assert match is not None, requirement
    return match[0].lower().replace("_", "-").replace(".", "-")


def _all_chosen() -> set[str]:
    return set().union(*(_chosen(file) for file in _REQUIREMENTS.glob("*.in")), _declared())


def _declared() -> set[str]:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))
    return {_name(requirement) for requirement in project["project"]["dependencies"]}


def test_every_chosen_package_has_a_row_and_every_row_a_package() -> None:
    rows = _ROW.findall((ROOT / "docs" / "dependencies.md").read_text("utf-8"))
    assert {name for name, _ in rows} == _all_chosen()
    bare = [name for name, cells in rows if not all(cell.strip() for cell in cells.split("|"))]
    assert not bare, f"an empty cell in the row of {bare}"


def test_the_project_declares_what_the_runtime_lock_is_made_from() -> None:
    assert _declared() == _chosen(_REQUIREMENTS / "runtime.in")


def test_every_lock_holds_what_was_chosen_for_it() -> None:
    loose = []
    for file in sorted(_REQUIREMENTS.glob("*.in")):
        lock = file.with_suffix(".txt").read_text("utf-8")
        pinned = {_name(line) for line in lock.splitlines() if _NAME.match(line)}
        loose += [f"{file.name}: {name}" for name in sorted(_chosen(file) - pinned)]
    assert not loose, f"not in its lock (docs/dependencies.md says how to renew it): {loose}"

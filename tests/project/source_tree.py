"""What the project tests look at: the tracked files, and opal's modules as syntax trees."""

import ast
import subprocess
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SOURCE = ROOT / "src"


@dataclass(frozen=True)
class Module:
    name: str
    path: Path
    tree: ast.Module

    @property
    def part(self) -> str:
        """The package or module directly under opal, such as ``queues`` or ``settings``."""
        names = self.name.split(".")
        return names[1] if len(names) > 1 else "opal"


@lru_cache(maxsize=1)
def tracked_files() -> tuple[Path, ...]:
    """Every file that git tracks or would track, and that exists."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    files = (ROOT / name for name in listing.stdout.split("\0") if name)
    return tuple(sorted({file for file in files if file.is_file()}))


def python_files(*tops: str) -> list[Path]:
    return [
        path
        for path in tracked_files()
        if path.suffix == ".py" and path.relative_to(ROOT).parts[0] in (tops or ("src", "tests"))
    ]


@lru_cache(maxsize=1)
def modules() -> tuple[Module, ...]:
    """Every module of the package opal."""
    found = []
    for path in python_files("src"):
        parts = list(path.relative_to(SOURCE).with_suffix("").parts)
        if parts[-1] == "__init__":
            parts.pop()
        found.append(Module(".".join(parts), path, ast.parse(path.read_text("utf-8"), str(path))))
    return tuple(found)


def imported_names(module: Module) -> list[tuple[str, int]]:
    """Every imported module with its line, ``from opal import x`` read as ``opal.x``."""
    names = []
    for node in ast.walk(module.tree):
        if isinstance(node, ast.Import):
            names += [(alias.name, node.lineno) for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0 and node.module:
            if node.module == "opal":
                names += [(f"opal.{alias.name}", node.lineno) for alias in node.names]
            else:
                names.append((node.module, node.lineno))
    return names


def where(path: Path, line: int) -> str:
    return f"{path.relative_to(ROOT)}:{line}"

"""`python -m docs.generate`, or `make docs`: fill the generated parts of docs from the code.

With `--check` nothing is written; exit code 1 and the names of pages that are stale.
"""

import sys
from collections.abc import Callable
from pathlib import Path

from docs.generate import (
    commands,
    costs,
    dashboard,
    errors,
    events,
    figures,
    scaling,
    scenes,
    settings,
    states,
)
from docs.generate.regions import fill

FOLDER = Path(__file__).resolve().parents[1]

PAGES: dict[str, Callable[[], dict[str, str]]] = {
    "cli.md": commands.parts,
    "costs.md": costs.parts,
    "errors.md": errors.parts,
    "operations/events.md": events.parts,
    "operations/metrics.md": figures.parts,
    "scaling.md": scaling.parts,
    "scenes.md": scenes.parts,
    "settings.md": settings.parts,
    "states.md": states.parts,
}

WHOLE: dict[str, Callable[[], str]] = {"operations/dashboard.json": dashboard.document}
"""Files that are generated from the first line to the last."""


def generated(name: str) -> str:
    """The page as it should be."""
    if name in WHOLE:
        return WHOLE[name]()
    try:
        return fill((FOLDER / name).read_text("utf-8"), PAGES[name]())
    except ValueError as error:
        raise ValueError(f"docs/{name}: {error}") from error


def stale() -> list[str]:
    """Names of the pages whose generated parts are not what the code says now."""
    return [name for name in (*PAGES, *WHOLE) if generated(name) != _written(name)]


def _written(name: str) -> str:
    path = FOLDER / name
    return path.read_text("utf-8") if path.exists() else ""


def main(arguments: list[str]) -> int:
    """Write, or check, all pages; returns the exit code."""
    old = stale()
    if "--check" not in arguments:
        for name in old:
            (FOLDER / name).write_text(generated(name), "utf-8")
    verb = "is stale; run `make docs`" if "--check" in arguments else "renewed"
    for name in old:
        sys.stdout.write(f"docs/{name} {verb}\n")
    return 1 if old and "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Files and functions that the documents name exist, so that a reader who follows them arrives."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from tests.project.source_tree import ROOT, modules, tracked_files

# A decision record speaks of its own day and is not rewritten; a changelog does the same.
_OF_THEIR_DAY = {"CHANGELOG.md", "decisions"}
_DOCUMENTS = [
    path for path in tracked_files() if path.suffix == ".md" and _OF_THEIR_DAY.isdisjoint(path.parts)
]
# Where a path may begin; `docs/api.md` and `queues/local.py` both read well.
_ROOTS = (ROOT, ROOT / "src" / "opal", ROOT / "samples", ROOT / "src" / "opal" / "marketplaces")
_CODE = re.compile(r"`([^`\n]+)`")
_PATH = re.compile(r"[\w./*-]+(\.(py|md|toml|in|txt)|/)")
_CALL = re.compile(r"(\w+)\(\)")
# Made when somebody runs something.
_MADE = ("opal-demo/", "opal-data/", "benchmarks/results/")


def _named(document: Path) -> Iterator[str]:
    for code in _CODE.findall(document.read_text("utf-8")):
        yield from code.split()


def _exists(path: str, document: Path) -> bool:
    # A file named after its folder's in the same breath, as in "`export_item.py`, `create_variants.py`".
    if "/" not in path and any(file.name == path for file in tracked_files()):
        return True
    return any(next(root.glob(path.rstrip("/")), None) for root in (*_ROOTS, document.parent))


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
def test_every_file_exists(document: Path) -> None:
    paths = {
        word for word in _named(document) if _PATH.fullmatch(word) and not word.startswith(("/", *_MADE))
    }
    lost = sorted(path for path in paths if not _exists(path, document))
    assert not lost, f"{document.relative_to(ROOT)} names what is not there: {lost}"


@pytest.mark.parametrize("document", _DOCUMENTS, ids=lambda path: path.name)
def test_every_function_exists(document: Path) -> None:
    known = {
        node.name
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    calls = {match[1] for word in _named(document) if (match := _CALL.fullmatch(word))}
    assert calls <= known, f"{document.relative_to(ROOT)} names what is not there: {sorted(calls - known)}"

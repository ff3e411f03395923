"""House rules a machine can keep: short files and functions, names that say what a thing is for."""

import ast
import re

import pytest
from tests.project.source_tree import ROOT, modules, python_files, tracked_files, where

LONGEST_FILE = 400
LONGEST_FUNCTION = 60
FORBIDDEN_WORDS = {"util", "utils", "helper", "helpers", "common", "misc", "manager", "managers"}
_UNFINISHED = re.compile(r"\b(TO" + r"DO|FIX" + r"ME|XX" + r"X|NotImplemented" + r"Error)\b")
_WORDS = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def _words(name: str) -> set[str]:
    return {word.lower() for word in _WORDS.findall(name)}


def test_files_stay_short() -> None:
    lengths = {
        path: len(path.read_text("utf-8").splitlines())
        for path in python_files("src", "tests", "samples", "benchmarks", "docs", "infra")
    }
    long = [
        f"{path.relative_to(ROOT)}: {length}" for path, length in lengths.items() if length > LONGEST_FILE
    ]
    assert not long, "\n".join(long)


def test_functions_stay_short() -> None:
    long = []
    for path in python_files("src", "tests", "samples", "benchmarks", "docs", "infra"):
        if "versions" in path.parts:  # a migration is one list of statements
            continue
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > LONGEST_FUNCTION:
                    long.append(f"{where(path, node.lineno)}: {node.name} has {length} lines")
    assert not long, "\n".join(long)


def test_no_path_is_a_junk_drawer() -> None:
    drawers = [
        str(path.relative_to(ROOT))
        for path in tracked_files()
        if any(_words(part) & FORBIDDEN_WORDS for part in path.relative_to(ROOT).with_suffix("").parts)
    ]
    assert not drawers, "\n".join(drawers)


def test_no_definition_is_named_by_a_word_that_says_nothing() -> None:
    empty = [
        f"{where(module.path, node.lineno)}: {node.name}"
        for module in modules()
        for node in ast.walk(module.tree)
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef)
        and _words(node.name) & FORBIDDEN_WORDS
    ]
    assert not empty, "\n".join(empty)


def test_every_module_says_what_it_is_for() -> None:
    silent = [str(module.path) for module in modules() if not ast.get_docstring(module.tree)]
    assert not silent, "\n".join(silent)


def test_nothing_in_the_product_is_marked_unfinished() -> None:
    marks = [
        where(module.path, number)
        for module in modules()
        for number, line in enumerate(module.path.read_text("utf-8").splitlines(), 1)
        if _UNFINISHED.search(line)
    ]
    assert not marks, "\n".join(marks)


@pytest.mark.parametrize(
    ("name", "words"),
    [("jobManager", {"job", "manager"}), ("http_utils", {"http", "utils"}), ("community", {"community"})],
)
def test_names_are_split_into_words(name: str, words: set[str]) -> None:
    assert _words(name) == words

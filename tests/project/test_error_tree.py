"""The package ``opal.errors`` shows all it has: in the drawn tree, and under its own name."""

import re

import opal.errors
from opal.errors import OpalError, walk

_LINE = re.compile(r"^(?P<branch>[│├└─ ]*)(?P<name>[A-Z]\w+)(  .*)?$")
_INDENT = len("├── ")


def _drawn() -> dict[str, str | None]:
    """Each class of the docstring's tree with its parent."""
    lines = (opal.errors.__doc__ or "").splitlines()
    tree = lines[lines.index("OpalError") :]
    parents: dict[str, str | None] = {}
    path: list[str] = []
    for line in tree:
        match = _LINE.match(line)
        if match is None:
            continue
        depth = len(match["branch"]) // _INDENT
        path[depth:] = [match["name"]]
        parents[match["name"]] = path[depth - 1] if depth else None
    return parents


def _own() -> list[type[OpalError]]:
    return [kind for kind in walk() if kind.__module__.startswith("opal.errors.")]


def _parent(kind: type[OpalError]) -> str | None:
    return None if kind is OpalError else kind.__mro__[1].__name__


def test_the_drawn_tree_is_the_tree() -> None:
    assert _drawn() == {kind.__name__: _parent(kind) for kind in _own()}


def test_every_error_can_be_imported_from_the_package() -> None:
    assert sorted(opal.errors.__all__) == sorted([*(kind.__name__ for kind in _own()), "walk"])
    assert all(getattr(opal.errors, kind.__name__) is kind for kind in _own())

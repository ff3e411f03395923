"""docs/errors.md from the error tree: code, HTTP status, whether a retry helps, meaning, what to do."""

from collections.abc import Callable, Iterable
from importlib import import_module
from inspect import cleandoc
from pkgutil import walk_packages

from docs.generate.regions import code, table

import opal
from opal.errors import Conflict, DependencyError, InvalidPhoto, ModelCorrupt, ModelMissing, OpalError, walk
from opal.http.errors import status_of

# First match counts; what matches none is about the request itself.
_FAMILIES: dict[str, Callable[[type[OpalError]], bool]] = {
    "command line": lambda kind: (
        kind.__module__.startswith(("opal.cli", "opal.backup")) or kind.code == "download_failed"
    ),
    "photos": lambda kind: issubclass(kind, InvalidPhoto),
    "dependencies": lambda kind: (
        kind is OpalError or issubclass(kind, (DependencyError, ModelMissing, ModelCorrupt))
    ),
    "state": lambda kind: kind.__module__ == "opal.errors.state" or issubclass(kind, Conflict),
    "requests": lambda kind: issubclass(kind, OpalError),
}
# Run when called, not to be imported.
_NO_MODULES = {"opal.__main__", "opal.database.migrations.env"}


def parts() -> dict[str, str]:
    """The generated parts of the page, one table per family."""
    import_everything()
    families: dict[str, list[type[OpalError]]] = {name: [] for name in _FAMILIES}
    # A class without a code of its own is a variant of its parent, or takes its code from elsewhere.
    for kind in (kind for kind in walk() if "code" in vars(kind)):
        families[_family(kind)].append(kind)
    return {name: _table(kinds, with_status=name != "command line") for name, kinds in families.items()}


def import_everything() -> None:
    """Import every module of opal, so that the tree has all its leaves."""
    for module in walk_packages(opal.__path__, "opal."):
        if module.name not in _NO_MODULES:
            import_module(module.name)


def meaning(kind: type[OpalError]) -> str:
    """What the client reads: the first line of the docstring."""
    return cleandoc(kind.__doc__ or "").splitlines()[0]


def advice(kind: type[OpalError]) -> str:
    """What to do about it: the further lines of the docstring, or those of the nearest parent with any.

    Raises ValueError for an expected error that would inherit the root's "a fault of Opal's own".
    """
    for ancestor in kind.__mro__:
        _, _, further = cleandoc(ancestor.__doc__ or "").partition("\n\n")
        if ancestor is OpalError and kind.expected:
            break
        if further and issubclass(ancestor, OpalError):
            return " ".join(further.split())
    raise ValueError(f"{kind.__name__}: its docstring does not say what to do about it")


def _family(kind: type[OpalError]) -> str:
    return next(name for name, belongs in _FAMILIES.items() if belongs(kind))


def _table(kinds: Iterable[type[OpalError]], *, with_status: bool) -> str:
    rows = []
    for kind in sorted(kinds, key=lambda kind: kind.code):
        retry = "yes" if kind.retryable else "no"
        row = (code(kind.code), str(status_of(kind)), retry, meaning(kind), advice(kind))
        rows.append(row if with_status else (row[0], *row[3:]))
    header = ("Code", "Status", "Retry", "Meaning", "What to do")
    return table(header if with_status else (header[0], *header[3:]), rows)

"""Which engines a caller may ask for by name: the default one and those that are named beside it.

Used by the placement endpoint, which loads them, by web-api, which lists them, and by `opal up`, which looks
for them. Loads no network.
"""

from collections.abc import Iterable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from opal.cutout.engines import ENGINES, OWN_FILE, names_a_file, verify_engine
from opal.errors import ModelCorrupt, ModelMissing, UnknownEngine

_TITLES = {
    "isnet": "Standard",
    "isnet-small": "Compact: the same network with coarser weights",
    "isnet-int8": "Quick: the same network in 8-bit arithmetic",
    OWN_FILE: "A network of your own",
}


@dataclass(frozen=True, slots=True)
class OfferedEngine:
    """One engine by the name that it is asked for and that its pictures tell."""

    name: str
    title: str
    """For people."""
    source: str
    """What `load_engine` calls it: a row of the table, or a file's path, which no client is told."""
    default: bool


def offered_engines(default: str, further: Iterable[str] = ()) -> list[OfferedEngine]:
    """The default engine first, then the others, each once. Raises UnknownEngine for a name that is none."""
    offered: dict[str, OfferedEngine] = {}
    for source in (default, *further):
        if names_a_file(source):
            name = OWN_FILE
        elif source in ENGINES:
            name = source
        else:
            raise UnknownEngine(f"There is no cut-out engine {source!r}. Known: {', '.join(ENGINES)}.")
        offered.setdefault(name, OfferedEngine(name, _TITLES[name], source, default=not offered))
    return list(offered.values())


def choose_engine(name: str, offered: Iterable[OfferedEngine]) -> OfferedEngine:
    """The engine that is offered under that name. Raises UnknownEngine naming those that are."""
    there = {engine.name: engine for engine in offered}
    if name not in there:
        raise UnknownEngine(f"No cut-out engine {name!r} is offered here. Offered: {', '.join(there)}.")
    return there[name]


def engines_here(models_dir: Path) -> list[str]:
    """The rows of the engines' table whose weights lie on this machine, every byte as it should be."""
    here = []
    for name in ENGINES:
        with suppress(ModelMissing, ModelCorrupt):
            verify_engine(name, models_dir)
            here.append(name)
    return here

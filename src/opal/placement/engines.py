"""The one table of placement engines: scene kind to the engine that paints it.

Called by `place.py`. A new kind of scene is a new row.
"""

from collections.abc import Callable

from opal.errors import UnknownEngine
from opal.placement.backdrop import BackdropEngine
from opal.placement.interface import PlacementEngine
from opal.placement.studio import StudioEngine

ENGINES: dict[str, Callable[[], PlacementEngine]] = {
    "transparent": StudioEngine,
    "solid": StudioEngine,
    "gradient": StudioEngine,
    "studio": StudioEngine,
    "backdrop": BackdropEngine,
}


def engine_for(kind: str) -> PlacementEngine:
    """The engine for a scene kind; raises UnknownEngine naming the kinds there are."""
    if kind not in ENGINES:
        raise UnknownEngine(f"No engine paints scenes of kind {kind!r}. Known: {', '.join(ENGINES)}.")
    return ENGINES[kind]()

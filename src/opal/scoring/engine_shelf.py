"""The cut-out engines that one endpoint offers, of which it keeps two at most. Called by ``score.py``.

A network takes up to a gigabyte once it has worked, its buffers included. The default one stays; of the
others, which only photos that are cut out anew ask for, the last one used stays until another is wanted.
"""

import threading
from collections.abc import Callable, Sequence

import structlog

from opal.cutout.interface import CutoutEngine
from opal.cutout.offer import OfferedEngine, choose_engine

Load = Callable[[OfferedEngine], CutoutEngine]

_log = structlog.get_logger(__name__)


class EngineShelf:
    """Safe for several threads. ``offered`` has the default engine first; it is loaded at once."""

    def __init__(self, offered: Sequence[OfferedEngine], load: Load) -> None:
        self._offered = offered
        self._load = load
        self._lock = threading.Lock()
        self._default = load(offered[0])
        self._further: tuple[str, CutoutEngine] | None = None

    def engine(self, name: str | None) -> CutoutEngine:
        """The engine that is offered under ``name``, loaded if need be; None is the default one.

        Raises UnknownEngine, and what loading raises.
        """
        if name is None:
            return self._default
        wanted = choose_engine(name, self._offered)
        if wanted.default:
            return self._default
        with self._lock:
            if self._further is None or self._further[0] != name:
                # The one before goes first, or three would be in memory; who still uses it keeps it so long.
                self._further = None
                self._further = (name, self._load(wanted))
                _log.info("engine loaded", action="scoring.engine_loaded", engine=name)
            return self._further[1]

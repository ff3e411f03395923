"""Runs the models in threads, a bounded number at a time, and says no early when too many wait."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context

import structlog

from opal.errors import DependencyError, ScoringBusy
from opal.messages.scoring_contract import ScoreRequest, ScoreResponse

_log = structlog.get_logger(__name__)


class ModelsLoading(DependencyError):
    """The models are still being loaded."""

    code = "models_loading"
    title = "Models are loading"
    expected = True


class ModelSlots:
    """``concurrency`` requests are worked on, as many again may wait, more are refused.

    ``load`` and ``score`` are the ``init`` and ``run`` of ``score.py``.
    """

    def __init__(
        self, load: Callable[[], None], score: Callable[[ScoreRequest], ScoreResponse], concurrency: int
    ) -> None:
        self._load = load
        self._score = score
        self._most = 2 * concurrency
        # Threads of its own: asyncio waits for its common ones before a process may end.
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="scoring")
        self.in_flight = 0
        self.ready = False
        self.failure: Exception | None = None

    async def load(self) -> None:
        """Load the models; afterwards either ``ready`` or ``failure`` is set."""
        loop = asyncio.get_running_loop()
        self.in_flight += 1
        try:
            await loop.run_in_executor(self._threads, self._load)
        except Exception as error:  # kept for the process to end with
            _log.error("models cannot be loaded", action="scoring.load_failed", reason=str(error))
            self.failure = error
        else:
            self.ready = True
            _log.info("models loaded", action="scoring.loaded")
        finally:
            self.in_flight -= 1

    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """Score one photo.

        Raises ``ModelsLoading``, ``ScoringBusy`` above twice the concurrency, and what ``score`` raises.
        """
        if not self.ready:
            raise ModelsLoading
        if self.in_flight >= self._most:
            raise ScoringBusy(f"{self.in_flight} requests are in hand; ask again in a moment.")
        loop = asyncio.get_running_loop()
        self.in_flight += 1
        # In the request's own context, so that what the models log carries its ids.
        running = loop.run_in_executor(self._threads, copy_context().run, self._score, request)
        # Counted until the thread is done, also when the client has gone away meanwhile.
        running.add_done_callback(self._done)
        return await asyncio.shield(running)

    def _done(self, running: "asyncio.Future[ScoreResponse]") -> None:
        self.in_flight -= 1
        if not running.cancelled():
            running.exception()  # seen, also when nobody waits for it any more

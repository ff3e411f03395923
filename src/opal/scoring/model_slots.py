"""Runs the models in threads, a bounded number at a time, and says no early when too many wait."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from typing import TypeVar

import structlog

from opal.errors import DependencyError, InvalidInput, ScoringBusy
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse
from opal.messages.scoring_contract import ScoreRequest, ScoreResponse

_Result = TypeVar("_Result")

_log = structlog.get_logger(__name__)


class ModelsLoading(DependencyError):
    """The models are still being loaded."""

    code = "models_loading"
    title = "Models are loading"
    expected = True


class ModelSlots:
    """``concurrency`` requests are worked on, as many again may wait, more are refused.

    Scenes and bare cut-outs are counted apart: a batch that fills every slot must not keep out those who wait
    for one picture. ``load``, ``score`` and ``cut_out`` are the functions of ``score.py``.
    """

    def __init__(
        self,
        load: Callable[[], None],
        score: Callable[[ScoreRequest], ScoreResponse],
        concurrency: int,
        cut_out: Callable[[CutoutRequest], CutoutResponse] | None = None,
    ) -> None:
        self._load = load
        self._score = score
        self._cut_out = cut_out
        self._most = 2 * concurrency
        # Threads of its own: asyncio waits for its common ones before a process may end.
        self._threads = ThreadPoolExecutor(concurrency, thread_name_prefix="scoring")
        self._in_hand: Counter[type] = Counter()
        self.ready = False
        self.failure: Exception | None = None

    @property
    def in_flight(self) -> int:
        """Everything that runs or waits here, loading included."""
        return self._in_hand.total()

    async def load(self) -> None:
        """Load the models; afterwards either ``ready`` or ``failure`` is set."""
        try:
            await self._run(ModelSlots, self._load)
        except Exception as error:  # kept for the process to end with
            _log.error("models cannot be loaded", action="scoring.load_failed", reason=str(error))
            self.failure = error
        else:
            self.ready = True
            _log.info("models loaded", action="scoring.loaded")

    async def score(self, request: ScoreRequest) -> ScoreResponse:
        """Score one photo.

        Cancelled before its turn, it never runs; later it runs to its end for nobody. Raises
        ``ModelsLoading``, ``ScoringBusy`` above twice the concurrency, and what ``score`` raises.
        """
        self._admit(ScoreRequest)
        return await self._run(ScoreRequest, lambda: self._score(request))

    async def cut_out(self, request: CutoutRequest) -> CutoutResponse:
        """Only cut a photo out; otherwise as ``score``. Raises ``InvalidInput`` where nothing does that."""
        cut_out = self._cut_out
        if cut_out is None:
            raise InvalidInput("task: this endpoint makes scenes only.")
        self._admit(CutoutRequest)
        return await self._run(CutoutRequest, lambda: cut_out(request))

    def _admit(self, kind: type) -> None:
        if not self.ready:
            raise ModelsLoading
        if self._in_hand[kind] >= self._most:
            raise ScoringBusy(f"{self.in_flight} requests are in hand; ask again in a moment.")

    async def _run(self, kind: type, work: Callable[[], _Result]) -> _Result:
        loop = asyncio.get_running_loop()
        self._in_hand[kind] += 1
        # In the request's own context, so that what the models log carries its ids.
        job = self._threads.submit(copy_context().run, work)

        def done(_job: "Future[_Result]") -> None:
            # The loop may be closed: then the process ends, and nobody counts.
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(self._done, kind)

        # Counted until the thread is done, also when the client has gone away meanwhile.
        job.add_done_callback(done)
        running = asyncio.wrap_future(job)
        running.add_done_callback(_seen)
        try:
            return await asyncio.shield(running)
        except asyncio.CancelledError:
            job.cancel()
            raise

    def _done(self, kind: type) -> None:
        self._in_hand[kind] -= 1


def _seen(running: "asyncio.Future[_Result]") -> None:
    if not running.cancelled():
        running.exception()  # seen, also when nobody waits for it any more

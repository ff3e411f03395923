"""Discrete events: photos arrive, orchestrators ask the endpoint, export workers export, KEDA scales both.

One item's way here is `Stage.work` of the two stages, as it is `orchestrator/process_item.py` and
`export_worker/export_item.py` in the product. simpy keeps the clock. The same seed gives the same run. Left
out: web-api (its share is in `capacity.py`), failures other than 429, and how Azure ML spreads requests,
which is taken to be perfect: any idle instance takes the next one.
"""

import math
import random
from collections.abc import Callable, Generator, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias, cast

import simpy
from infra.scaling.deployed import Deployed, Endpoint, Worker
from infra.scaling.keda import SYNC_S, Autoscaler

Events: TypeAlias = Generator[simpy.Event, Any, Any]


@dataclass(frozen=True, slots=True)
class Duration:
    """Seconds, log-normal: `mean`, and `spread` as standard deviation by mean (0: always the same)."""

    mean: float
    spread: float = 0.0

    def draw(self, rng: random.Random) -> float:
        """One value."""
        if self.spread == 0.0:
            return self.mean
        sigma2 = math.log1p(self.spread**2)
        return rng.lognormvariate(math.log(self.mean) - sigma2 / 2, math.sqrt(sigma2))


@dataclass(frozen=True, slots=True)
class Times:
    """What an item takes, and what the workers' settings say (`opal/settings.py`)."""

    endpoint: Duration
    """One request, at an instance that works on nothing else."""
    orchestrator_cpu: Duration
    """vCPU seconds of the orchestrator, beside waiting for the endpoint."""
    orchestrator_wait: Duration
    """Round trips to database, queue and blobs."""
    export_cpu: Duration
    """vCPU seconds of the export worker."""
    start: Duration
    """From KEDA's decision until a replica takes messages."""
    grace_s: float = 20.0
    """How long a replica that was told to stop finishes what it has in hand."""
    attempts: int = 3
    """Tries at the endpoint per delivery."""
    first_wait_s: float = 1.0
    longest_wait_s: float = 5.0
    retry_base_s: float = 2.0
    retry_max_s: float = 120.0


@dataclass(slots=True)
class Item:
    """One photo and when it got where, in seconds since the start."""

    arrived: float
    queued: float
    """When it came into the queue that it is in, or was in last."""
    deliveries: int = 0
    waited: dict[str, float] = field(default_factory=dict)
    """Seconds in each queue until it was taken for the first time."""
    exported: float | None = None


@dataclass(frozen=True, slots=True)
class Sample:
    """A look at one stage."""

    at: float
    length: int
    """Messages that wait."""
    age_s: float
    """How long the oldest of them has waited."""
    replicas: int
    """Wanted, and paid: starting ones as well."""


class Queue:
    """A queue as KEDA and the workers see it."""

    def __init__(self, env: simpy.Environment, *, counts_locked: bool) -> None:
        self._env = env
        self._counts_locked = counts_locked
        self.waiting = simpy.Store(env)
        self.locked = 0
        self.longest = 0

    def put(self, item: Item) -> None:
        """A message arrives, or is back."""
        item.queued = self._env.now
        self.waiting.put(item)
        self.longest = max(self.longest, len(self.waiting.items))

    @property
    def length(self) -> int:
        """What Service Bus tells KEDA. Scheduled copies are not in it."""
        return len(self.waiting.items) + (self.locked if self._counts_locked else 0)

    @property
    def age_s(self) -> float:
        """How long the oldest waiting message has waited."""
        return self._env.now - self.waiting.items[0].queued if self.waiting.items else 0.0


class PlacementEndpoint:
    """Azure ML's endpoint: takes twice what it works on, answers 429 to the rest."""

    def __init__(
        self, env: simpy.Environment, size: Endpoint, duration: Duration, rng: random.Random
    ) -> None:
        self._env, self._size, self._duration, self._rng = env, size, duration, rng
        self._instances = simpy.Resource(env, capacity=size.at_work)
        self.busy_s = 0.0
        self.refused = 0

    def score(self) -> Generator[simpy.Event, Any, bool]:
        """One request; False when there was no room."""
        if self._instances.count + len(self._instances.queue) >= self._size.most:
            self.refused += 1
            return False
        with self._instances.request() as turn:
            yield turn
            seconds = self._duration.draw(self._rng)
            self.busy_s += seconds
            yield self._env.timeout(seconds)
        return True


class Replica:
    """One process of a worker app, from KEDA's decision to its end."""

    def __init__(self, stage: "Stage") -> None:
        self._stage, self._env = stage, stage.env
        self.began = stage.env.now
        self.stopping = False
        # The cores work on one item after another, which gives the same throughput as side by side.
        self.cores = simpy.Resource(stage.env, capacity=1)
        self._idle: set[simpy.Process] = set()
        self._busy: set[simpy.Process] = set()
        stage.env.process(self._live())

    def stop(self) -> None:
        """SIGTERM: take nothing more, finish for `grace_s`, give back the rest."""
        self.stopping = True
        for slot in tuple(self._idle):
            slot.interrupt()
        self._env.process(self._end())

    def compute(self, vcpu_seconds: float) -> Events:
        """Use the cores."""
        with self.cores.request() as turn:
            yield turn
            yield self._env.timeout(vcpu_seconds / self._stage.worker.cpu)

    def _live(self) -> Events:
        yield self._env.timeout(self._stage.times.start.draw(self._stage.rng))
        if not self.stopping:
            for _ in range(self._stage.worker.concurrency):
                slot = self._env.process(self._slot())
                self._idle.add(slot)

    def _slot(self) -> Events:
        me, stage = self._env.active_process, self._stage
        assert me is not None
        while not self.stopping:
            taking = stage.queue.waiting.get()
            try:
                item = yield taking
            except simpy.Interrupt:
                if taking.triggered:
                    stage.queue.put(cast(Item, taking.value))
                taking.cancel()
                break
            self._idle.discard(me)
            self._busy.add(me)
            yield from self._handle(item)
            self._busy.discard(me)
            self._idle.add(me)
        self._idle.discard(me)

    def _handle(self, item: Item) -> Events:
        stage = self._stage
        item.deliveries += 1
        item.waited.setdefault(stage.name, self._env.now - item.queued)
        stage.queue.locked += 1
        try:
            done = yield from stage.work(self)
            delay = None if done else stage.retry_delay(item.deliveries)
        except simpy.Interrupt:
            stage.given_back += 1
            delay = 0.0
        finally:
            stage.queue.locked -= 1
        if delay is None:
            item.deliveries = 0
            stage.finish(item)
        else:
            self._env.process(_later(self._env, stage.queue, item, delay))

    def _end(self) -> Events:
        if self._busy:
            ended = simpy.AllOf(self._env, list(self._busy))
            yield ended | self._env.timeout(self._stage.times.grace_s)
        for slot in tuple(self._busy):
            slot.interrupt()
        self._stage.replica_s += self._env.now - self.began


def _later(env: simpy.Environment, queue: Queue, item: Item, delay: float) -> Events:
    """A scheduled copy: in the queue when its time has come."""
    yield env.timeout(delay)
    queue.put(item)


@dataclass(slots=True)
class Stage:
    """A queue, the app that takes from it, and the autoscaler between them."""

    name: str
    env: simpy.Environment
    queue: Queue
    worker: Worker
    times: Times
    rng: random.Random
    work: Callable[[Replica], Generator[simpy.Event, Any, bool]]
    """Handles an item on that replica; False when it must come again later."""
    finish: Callable[[Item], None]
    autoscaler: Autoscaler
    replicas: list[Replica] = field(default_factory=list)
    replica_s: float = 0.0
    """Paid seconds of replicas that have ended."""
    given_back: int = 0
    samples: list[Sample] = field(default_factory=list)

    def start(self) -> None:
        """Start the clocks of KEDA and Kubernetes, which know nothing of each other."""
        self._set(self.autoscaler.replicas)
        for period, decide in (
            (self.worker.rule.polling_s, self.autoscaler.poll),
            (SYNC_S, self.autoscaler.sync),
        ):
            self.env.process(self._clock(period, decide))

    def retry_delay(self, deliveries: int) -> float:
        """As `worker/settlement.py` has it."""
        grown = self.times.retry_base_s * 2.0 ** min(deliveries - 1, 30)
        return min(grown, self.times.retry_max_s) * self.rng.uniform(0.8, 1.2)

    def paid_s(self) -> float:
        """Replica seconds until now."""
        return self.replica_s + sum(self.env.now - each.began for each in self.replicas)

    def look(self) -> None:
        """Write a sample down."""
        queue = self.queue
        self.samples.append(Sample(self.env.now, len(queue.waiting.items), queue.age_s, len(self.replicas)))

    def _clock(self, period: float, decide: Callable[[float, int], int]) -> Events:
        yield self.env.timeout(self.rng.uniform(0.0, period))
        while True:
            self._set(decide(self.env.now, self.queue.length))
            yield self.env.timeout(period)

    def _set(self, wanted: int) -> None:
        while len(self.replicas) < wanted:
            self.replicas.append(Replica(self))
        while len(self.replicas) > wanted:
            self.replicas.pop().stop()


class Simulation:
    """Both stages of one environment. Put items in with `arrive`, let time pass with `run`."""

    def __init__(
        self, size: Deployed, times: Times, *, seed: int, counts_locked: bool = True, look_s: float = 5.0
    ) -> None:
        self.env = simpy.Environment()
        self.items: list[Item] = []
        self.exported = 0
        self._rng = random.Random(seed)
        self._times = times
        self.endpoint = PlacementEndpoint(self.env, size.endpoint, times.endpoint, self._rng)
        # Each orchestrator keeps to the bound by itself, as `scoring_client/client.py` does.
        self._bound = size.endpoint.most
        self._turns: dict[Replica, simpy.Resource] = {}
        self.exports = self._stage("exports", size.export_worker, counts_locked, self._export, self._end)
        self.jobs = self._stage("jobs", size.orchestrator, counts_locked, self._process, self._complete)
        for stage in self.stages:
            stage.start()
        self.env.process(self._look(look_s))

    @property
    def stages(self) -> tuple[Stage, Stage]:
        """In an item's order."""
        return self.jobs, self.exports

    def arrive(self, times: Iterator[float]) -> None:
        """Items at those moments, in order."""
        self.env.process(self._arrivals(times))

    def run(self, until: float) -> None:
        """Let time pass until that second."""
        self.env.run(until)

    def _stage(
        self,
        name: str,
        worker: Worker,
        counts_locked: bool,
        work: Callable[[Replica], Generator[simpy.Event, Any, bool]],
        finish: Callable[[Item], None],
    ) -> Stage:
        queue = Queue(self.env, counts_locked=counts_locked)
        scaler = Autoscaler(worker.rule)
        return Stage(name, self.env, queue, worker, self._times, self._rng, work, finish, scaler)

    def _arrivals(self, times: Iterator[float]) -> Events:
        for moment in times:
            yield self.env.timeout(moment - self.env.now)
            item = Item(arrived=self.env.now, queued=self.env.now)
            self.items.append(item)
            self.jobs.queue.put(item)

    def _process(self, replica: Replica) -> Generator[simpy.Event, Any, bool]:
        """An orchestrator's item: its own work, then the endpoint, patiently."""
        times, rng = self._times, self._rng
        yield from replica.compute(times.orchestrator_cpu.draw(rng))
        yield self.env.timeout(times.orchestrator_wait.draw(rng))
        if replica not in self._turns:
            self._turns[replica] = simpy.Resource(self.env, capacity=self._bound)
        turns = self._turns[replica]
        for attempt in range(times.attempts):
            if attempt:
                grown = times.first_wait_s * 2.0 ** (attempt - 1) + rng.uniform(0.0, times.first_wait_s)
                yield self.env.timeout(min(grown, times.longest_wait_s))
            with turns.request() as turn:
                yield turn
                answered = yield from self.endpoint.score()
            if answered:
                return True
        return False

    def _complete(self, item: Item) -> None:
        self.exports.queue.put(item)

    def _export(self, replica: Replica) -> Generator[simpy.Event, Any, bool]:
        yield from replica.compute(self._times.export_cpu.draw(self._rng))
        return True

    def _end(self, item: Item) -> None:
        item.exported = self.env.now
        self.exported += 1

    def _look(self, every_s: float) -> Events:
        while True:
            for stage in self.stages:
                stage.look()
            yield self.env.timeout(every_s)


def poisson(per_second: float, until: float, rng: random.Random) -> Iterator[float]:
    """Moments of independent arrivals."""
    now = rng.expovariate(per_second)
    while now < until:
        yield now
        now += rng.expovariate(per_second)

"""What docs/scaling.md tells of: loads, each simulated on an environment, and what came of them.

`python -m infra.scaling` runs them all. The tests run the quick ones again and hold the page to them.
"""

import random
import statistics
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from infra.costs import usage
from infra.scaling.capacity import endpoint_rate, sized
from infra.scaling.deployed import Deployed, Worker, deployed
from infra.scaling.simulation import Duration, Item, Sample, Simulation, Times, poisson
from infra.service_times import export_cpu_s, service_times

from opal.settings import ScoringSettings, WorkerSettings

SEED = 1
ENVIRONMENT = "prod"
BURST = 2000
"""A catalogue that arrives as one job."""
COLD_STARTS = 200


@dataclass(frozen=True, slots=True)
class Outcome:
    """One run in figures; times in seconds."""

    arrived: int
    exported: int
    jobs_wait_p50: float
    jobs_wait_p95: float
    exports_wait_p95: float
    total_p50: float
    """From arrival in `jobs` until the pictures are there."""
    total_p95: float
    longest_jobs: int
    longest_exports: int
    most_orchestrators: int
    most_export_workers: int
    orchestrator_h: float
    """Paid replica hours."""
    export_worker_h: float
    endpoint_busy: float
    """Share of the instances' time, until the last photo that got through."""
    refused: int
    """429s."""
    given_back: int
    last_at: float
    """When the last one that got through had its pictures."""


@dataclass(frozen=True, slots=True)
class Run:
    """An outcome, and how it went: a sample of both stages every few seconds."""

    outcome: Outcome
    jobs: Sequence[Sample]
    exports: Sequence[Sample]


def times(pictures: float) -> Times:
    """Service times as they were measured, for items with so many presets, and the workers' own settings."""
    found, worker, scoring = service_times(), WorkerSettings(), ScoringSettings()

    def duration(name: str) -> Duration:
        return Duration(found[name].seconds, found[name].spread)

    return Times(
        endpoint=duration("endpoint"),
        orchestrator_cpu=duration("orchestrator-cpu"),
        orchestrator_wait=duration("orchestrator-wait"),
        export_cpu=Duration(export_cpu_s(pictures), found["export-picture"].spread),
        start=duration("replica-start"),
        grace_s=worker.grace_s,
        attempts=scoring.attempts,
        retry_base_s=worker.retry_base_s,
        retry_max_s=worker.retry_max_s,
    )


def run(
    size: Deployed, arrivals: Iterator[float], until: float, *, seed: int = SEED, counts_locked: bool = True
) -> Run:
    """Simulate until that second, or until everything is through."""
    pictures = usage(ENVIRONMENT).per["pictures"]
    simulation = Simulation(size, times(pictures), seed=seed, counts_locked=counts_locked)
    simulation.arrive(arrivals)
    simulation.run(until)
    return Run(_outcome(simulation, size), simulation.jobs.samples, simulation.exports.samples)


def steady(
    size: Deployed, per_minute: float, minutes: float, *, seed: int = SEED, counts_locked: bool = True
) -> Run:
    """Photos at a steady rate, into an environment without workers."""
    until = minutes * 60
    arrivals = poisson(per_minute / 60, until, random.Random(seed))
    return run(size, arrivals, until, seed=seed, counts_locked=counts_locked)


def burst(size: Deployed, minutes: float = 45) -> Run:
    """A whole catalogue at once, then nothing."""
    return run(size, iter([0.0] * BURST), minutes * 60)


def cold_starts(size: Deployed) -> list[float]:
    """Seconds until the pictures of a lone photo are there, one figure per start from nothing, sorted."""
    found = []
    for seed in range(COLD_STARTS):
        moment = random.Random(seed).uniform(0.0, 60.0)
        outcome = run(size, iter([moment]), 600.0, seed=seed).outcome
        found.append(outcome.total_p50)
    return sorted(found)


def with_instances(size: Deployed, instances: int) -> Deployed:
    """The environment with another number of instances, and orchestrators enough for them."""
    endpoint = replace(size.endpoint, instances=instances)
    most = max(1, endpoint.most // size.orchestrator.concurrency)
    rule = replace(size.orchestrator.rule, most=most)
    return replace(size, endpoint=endpoint, orchestrator=replace(size.orchestrator, rule=rule))


def with_target(size: Deployed, share: float) -> Deployed:
    """The environment with so many messages per replica, as a multiple of what a replica has in hand."""

    def changed(worker: Worker) -> Worker:
        messages = max(1, round(share * worker.concurrency))
        return replace(worker, rule=replace(worker.rule, messages_per_replica=messages))

    return replace(size, orchestrator=changed(size.orchestrator), export_worker=changed(size.export_worker))


def _outcome(simulation: Simulation, size: Deployed) -> Outcome:
    done = [item for item in simulation.items if item.exported is not None]
    jobs, exports = simulation.stages
    total = [(item.exported or 0.0) - item.arrived for item in done]
    now = simulation.env.now
    last_at = max((item.exported or 0.0 for item in done), default=0.0)
    return Outcome(
        arrived=len(simulation.items),
        exported=len(done),
        jobs_wait_p50=quantile(_waits(simulation.items, "jobs", now), 0.5),
        jobs_wait_p95=quantile(_waits(simulation.items, "jobs", now), 0.95),
        exports_wait_p95=quantile([item.waited["exports"] for item in done], 0.95),
        total_p50=quantile(total, 0.5),
        total_p95=quantile(total, 0.95),
        longest_jobs=jobs.queue.longest,
        longest_exports=exports.queue.longest,
        most_orchestrators=max(each.replicas for each in jobs.samples),
        most_export_workers=max(each.replicas for each in exports.samples),
        orchestrator_h=round(jobs.paid_s() / 3600, 2),
        export_worker_h=round(exports.paid_s() / 3600, 2),
        endpoint_busy=round(simulation.endpoint.busy_s / (max(last_at, 1.0) * size.endpoint.at_work), 3),
        refused=simulation.endpoint.refused,
        given_back=jobs.given_back + exports.given_back,
        last_at=round(last_at, 1),
    )


def _waits(items: Sequence[Item], stage: str, now: float) -> list[float]:
    """Waits until taken; who waits still has waited until now."""
    return [item.waited.get(stage, now - item.arrived) for item in items]


def quantile(values: Sequence[float], share: float) -> float:
    """The value below which that share of them lies; 0 of none."""
    if not values:
        return 0.0
    if len(values) == 1:
        return round(values[0], 1)
    cuts = statistics.quantiles(values, n=100, method="inclusive")
    return round(cuts[round(share * 100) - 1], 1)


def _as_it_is() -> Deployed:
    return deployed(ENVIRONMENT)


def _as_it_was() -> Deployed:
    """Before the simulation: two in hand and twenty messages per replica of both, four orchestrators."""
    size = deployed(ENVIRONMENT)
    orchestrator, exporter = size.orchestrator, size.export_worker
    jobs = replace(orchestrator.rule, messages_per_replica=20, most=size.endpoint.most // 2)
    exports = replace(exporter.rule, messages_per_replica=20)
    return replace(
        size,
        orchestrator=replace(orchestrator, concurrency=2, rule=jobs),
        export_worker=replace(exporter, rule=exports),
    )


RUNS: Mapping[str, Callable[[], Run]] = {
    "1 a minute": lambda: steady(_as_it_is(), 1, 180),
    "23 a minute: a million a month": lambda: steady(_as_it_is(), 23, 60),
    "80 a minute, settings as they were": lambda: steady(_as_it_was(), 80, 60),
    "80 a minute": lambda: steady(_as_it_is(), 80, 60),
    "100 a minute": lambda: steady(_as_it_is(), 100, 60),
    "100 a minute, sized": lambda: steady(sized(ENVIRONMENT, 100 / 60), 100, 60),
    "694 a minute: a million a day, sized": lambda: steady(sized(ENVIRONMENT, 694 / 60), 694, 30),
    "10,000 a minute, sized": lambda: steady(sized(ENVIRONMENT, 10_000 / 60), 10_000, 10),
    "2,000 at once": lambda: burst(_as_it_is()),
    "2,000 at once, 20 instances": lambda: burst(with_instances(_as_it_is(), 20)),
}
"""What is simulated, by the page's name for it. *Sized*: limits raised as `capacity.sized` says."""
QUICK = ("1 a minute", "23 a minute: a million a month", "2,000 at once")
"""Runs that take no second each."""

TRIAL_SEEDS = (1, 2, 3, 4, 5)
SHARES = (1, 1.5, 2, 3, 5, 10, 20)
"""Messages per replica by what it has in hand, as tried out."""


@dataclass(frozen=True, slots=True)
class Trial:
    """What messages per replica come to in an hour with the endpoint four fifths busy: means of runs."""

    share: float
    counts_locked: bool
    jobs_wait_p95: float
    total_p95: float
    replica_h: float
    """Paid hours of both workers together."""


def trials() -> list[Trial]:
    """Every share, with messages in hand counted by Service Bus or not: which holds is not documented."""
    return [_trial(share, counts_locked=locked) for locked in (True, False) for share in SHARES]


def _trial(share: float, *, counts_locked: bool) -> Trial:
    size = with_target(_as_it_is(), share)
    per_minute = 0.8 * 60 * size.endpoint.at_work * endpoint_rate()
    found = [
        steady(size, per_minute, 60, seed=seed, counts_locked=counts_locked).outcome for seed in TRIAL_SEEDS
    ]
    return Trial(
        share,
        counts_locked,
        round(statistics.mean(each.jobs_wait_p95 for each in found), 1),
        round(statistics.mean(each.total_p95 for each in found), 1),
        round(statistics.mean(each.orchestrator_h + each.export_worker_h for each in found), 2),
    )

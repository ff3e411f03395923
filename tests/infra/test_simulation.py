"""The simulation against what is known without it: queueing theory, conservation, the endpoint's bound."""

import random
from dataclasses import replace
from math import exp

import pytest
from infra.scaling.capacity import erlang_c
from infra.scaling.deployed import Deployed, Endpoint, Worker
from infra.scaling.keda import Rule
from infra.scaling.simulation import Duration, Simulation, Times, poisson

_NOTHING = Duration(0.0)
_TIMES = Times(
    endpoint=Duration(2.0, 0.3),
    orchestrator_cpu=Duration(0.02),
    orchestrator_wait=Duration(0.1),
    export_cpu=Duration(1.0, 0.3),
    start=Duration(10.0),
)


class _Exponential(Duration):
    """Memoryless, as Erlang's formula wants it."""

    def draw(self, rng: random.Random) -> float:
        return rng.expovariate(1.0 / self.mean)


def _worker(concurrency: int, least: int, most: int, messages: int = 4) -> Worker:
    return Worker(1.0, concurrency, Rule(messages, least, most, polling_s=15.0))


def _size(orchestrator: Worker, export_worker: Worker, instances: int = 4) -> Deployed:
    return Deployed(orchestrator, export_worker, Endpoint(instances, 1, "any"))


_ELASTIC = _size(_worker(2, 0, 4), _worker(2, 0, 10))


def _simulated(size: Deployed, times: Times = _TIMES, *, seed: int = 3, minutes: float = 20) -> Simulation:
    simulation = Simulation(size, times, seed=seed)
    simulation.arrive(poisson(1.0, minutes * 60, random.Random(seed)))
    simulation.run(minutes * 60)
    return simulation


@pytest.mark.parametrize(("servers", "offered", "known"), [(1, 0.5, 0.5), (2, 1.0, 1 / 3), (3, 2.0, 4 / 9)])
def test_erlangs_formula_has_its_textbook_values(servers: int, offered: float, known: float) -> None:
    assert erlang_c(servers, offered) == pytest.approx(known)
    assert erlang_c(servers, float(servers)) == 1.0


@pytest.mark.parametrize(("servers", "load"), [(1, 0.6), (3, 0.7), (8, 0.8)])
def test_waits_are_erlangs_when_nothing_scales(servers: int, load: float) -> None:
    # One orchestrator with as many slots as the endpoint has instances, always there: M/M/c.
    service_s = 2.0
    size = _size(_worker(servers, 1, 1), _worker(1, 1, 1), instances=servers)
    times = replace(
        _TIMES,
        endpoint=_Exponential(service_s),
        orchestrator_cpu=_NOTHING,
        orchestrator_wait=_NOTHING,
        export_cpu=_NOTHING,
        start=_NOTHING,
    )
    per_second = load * servers / service_s
    simulation = Simulation(size, times, seed=7, look_s=1e6)
    simulation.arrive(poisson(per_second, 12_000 / per_second, random.Random(11)))
    simulation.run(13_000 / per_second)
    waits = [item.waited["jobs"] for item in simulation.items[500:]]
    must_wait = erlang_c(servers, load * servers)
    drain = (servers - load * servers) / service_s
    assert sum(waits) / len(waits) == pytest.approx(must_wait / drain, rel=0.2)
    assert sum(wait > 0 for wait in waits) / len(waits) == pytest.approx(must_wait, rel=0.1)
    # Who waits at all waits exponentially.
    late = sum(wait > 1 / drain for wait in waits) / len(waits)
    assert late == pytest.approx(must_wait * exp(-1), rel=0.2)


def _everywhere(simulation: Simulation) -> int:
    """Items that are somewhere: waiting, in hand, or through."""
    waiting = sum(len(stage.queue.waiting.items) + stage.queue.locked for stage in simulation.stages)
    return waiting + simulation.exported


@pytest.mark.parametrize("seed", range(4))
def test_no_item_is_lost_or_made(seed: int) -> None:
    simulation = Simulation(_ELASTIC, replace(_TIMES, grace_s=0.5), seed=seed)
    # Heavy, then nothing, then heavy: replicas come, go in the middle of their work, and come again.
    rng = random.Random(seed)
    bursts = sorted(rng.uniform(start, start + 60) for start in (0, 500, 1000, 1500) for _ in range(120))
    simulation.arrive(iter(bursts))
    for moment in range(100, 3001, 100):
        simulation.run(moment)
        assert _everywhere(simulation) == len(simulation.items)
    assert simulation.exported == len(simulation.items) == 480
    assert all(stage.queue.locked == 0 and not stage.replicas for stage in simulation.stages)


def test_what_is_in_hand_is_given_back_and_done_by_another() -> None:
    # The exports take longer than the grace, and the queue looks empty while they are in hand.
    times = replace(_TIMES, export_cpu=Duration(400.0), grace_s=5.0)
    size = _size(_worker(2, 0, 1), _worker(1, 0, 1))
    simulation = Simulation(size, times, seed=1, counts_locked=False)
    simulation.arrive(iter([1.0]))
    simulation.run(420.0)
    [item] = simulation.items
    assert simulation.exports.given_back >= 1
    assert item.exported is None
    assert len(simulation.exports.queue.waiting.items) + simulation.exports.queue.locked == 1


def test_the_same_seed_is_the_same_run() -> None:
    first, second, other = (_simulated(_ELASTIC, seed=seed, minutes=5) for seed in (5, 5, 6))
    assert first.jobs.samples == second.jobs.samples
    assert [item.exported for item in first.items] == [item.exported for item in second.items]
    assert first.jobs.samples != other.jobs.samples


def test_the_endpoint_refuses_what_is_above_its_bound_and_it_comes_again() -> None:
    # Twelve in hand at three orchestrators, each within its own bound of four; room for four together.
    size = _size(_worker(4, 3, 3), _worker(2, 4, 4), instances=2)
    simulation = Simulation(size, _TIMES, seed=2)
    simulation.arrive(iter([0.0] * 60))
    simulation.run(600.0)
    assert simulation.endpoint.refused > 0
    assert simulation.exported == 60
    within = _size(_worker(4, 1, 1), _worker(2, 4, 4), instances=2)
    quiet = Simulation(within, _TIMES, seed=2)
    quiet.arrive(iter([0.0] * 60))
    quiet.run(600.0)
    assert quiet.endpoint.refused == 0


def test_replicas_are_paid_from_the_decision_to_the_end() -> None:
    size = _size(_worker(1, 2, 2), _worker(1, 0, 1))
    simulation = Simulation(size, _TIMES, seed=1)
    simulation.run(1000.0)
    assert simulation.jobs.paid_s() == pytest.approx(2000.0)
    assert simulation.exports.paid_s() == 0.0


def test_durations_have_the_mean_and_spread_that_they_say() -> None:
    rng, duration = random.Random(1), Duration(3.0, 0.4)
    drawn = [duration.draw(rng) for _ in range(20_000)]
    mean = sum(drawn) / len(drawn)
    assert mean == pytest.approx(3.0, rel=0.02)
    spread = (sum((each - mean) ** 2 for each in drawn) / len(drawn)) ** 0.5 / mean
    assert spread == pytest.approx(0.4, rel=0.05)
    assert Duration(3.0).draw(rng) == 3.0


def test_arrivals_are_as_many_as_asked_and_in_order() -> None:
    moments = list(poisson(2.0, 1000.0, random.Random(1)))
    assert len(moments) == pytest.approx(2000, rel=0.07)
    assert moments == sorted(moments)

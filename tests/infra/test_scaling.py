"""docs/scaling.md is what infra/ says: settings are read from it, and runs come out as they were stored."""

from dataclasses import replace

import pytest
from infra.costs import prices, usage
from infra.parameters import ENVIRONMENTS, FOLDER, parameters
from infra.scaling.capacity import (
    UTILISATION,
    ceilings,
    endpoint_rate,
    export_rate,
    fleet,
    limits,
    month,
    orchestrator_rate,
    settled_age_s,
    sized,
)
from infra.scaling.deployed import deployed, instance
from infra.scaling.results import inputs, stored_inputs, stored_runs
from infra.scaling.scenarios import ENVIRONMENT, QUICK, RUNS, Outcome, times
from infra.service_times import export_cpu_s, service_times
from tests.infra.bicep import config

from opal.settings import WorkerSettings

_DOCS = FOLDER.parent / "docs" / "scaling"
_FIGURES = tuple(Outcome.__dataclass_fields__)


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_what_is_simulated_is_what_bicep_sets(name: str) -> None:
    has, size = parameters(name), deployed(name)
    scale = config("app", "app")["properties"]["template"]["scale"]
    for app, worker in (("orchestrator", size.orchestrator), ("exportWorker", size.export_worker)):
        assert worker.concurrency == has["workers"][app]["concurrency"]
        assert worker.rule.messages_per_replica == has["workers"][app]["messagesPerReplica"]
        assert worker.rule.most == has["apps"][app]["maxReplicas"]
        assert worker.rule.least == has["apps"][app]["minReplicas"] == 0
        assert worker.rule.polling_s == scale["pollingInterval"]
        assert worker.rule.cooldown_s == scale["cooldownPeriod"]
        assert worker.cpu == float(has["apps"][app]["cpu"])
    assert (size.endpoint.instances, size.endpoint.concurrency) == (
        has["scoring"]["instances"],
        has["scoring"]["concurrency"],
    )


def test_grace_ends_before_container_apps_kills() -> None:
    template = config("app", "app")["properties"]["template"]
    assert times(1.0).grace_s == WorkerSettings().grace_s < template["terminationGracePeriodSeconds"]


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_the_bill_is_for_the_machines_that_azureml_starts(name: str) -> None:
    # The number of instances is the parameter file's; the deployment's own is what dev has by hand.
    machine, count = instance("deployment-stub.yml")
    assert usage(name).endpoint_machine == machine
    assert count == parameters("dev")["scoring"]["instances"]
    assert machine in prices()


def test_the_gpu_deployment_is_priced_and_as_many() -> None:
    machine, count = instance("deployment.yml")
    assert machine in prices()
    assert count == parameters("dev")["scoring"]["instances"]


def test_every_service_time_says_how_it_came_about() -> None:
    for name, time in service_times().items():
        assert time.evidence in {"measured", "derived", "assumed"}, name
        assert len(time.how) > 10
        assert time.seconds > 0
    assert service_times()["endpoint-gpu"].evidence == "assumed"
    assert service_times()["endpoint"].seconds < service_times()["endpoint-cpu"].seconds


def test_figures_and_charts_are_of_these_settings() -> None:
    why = "the settings or service times have moved: run `make scaling`"
    assert stored_inputs() == inputs(), why
    charts = sorted(_DOCS.glob("*.svg"))
    assert len(charts) == 8
    for chart in charts:
        assert inputs() in chart.read_text("utf-8"), f"{chart.name}: {why}"


@pytest.mark.parametrize("name", QUICK)
def test_the_quick_runs_come_out_as_stored(name: str) -> None:
    found, stored = RUNS[name]().outcome, stored_runs()[name]
    for figure in _FIGURES:
        assert getattr(found, figure) == pytest.approx(getattr(stored, figure), rel=0.02, abs=0.11), figure


def test_every_run_is_stored_and_what_is_sized_keeps_up() -> None:
    assert set(stored_runs()) == set(RUNS)
    for name, outcome in stored_runs().items():
        if "sized" in name:
            assert outcome.endpoint_busy <= UTILISATION + 0.02
            assert outcome.exported > 0.9 * outcome.arrived


def test_rates_are_the_formulae() -> None:
    size = deployed(ENVIRONMENT)
    found = service_times()
    assert endpoint_rate() == pytest.approx(1 / found["endpoint"].seconds)
    held_s = (
        found["endpoint"].seconds
        + found["orchestrator-wait"].seconds
        + found["orchestrator-cpu"].seconds / 0.5
    )
    assert orchestrator_rate(replace(size.orchestrator, cpu=0.5)) == pytest.approx(
        size.orchestrator.concurrency / held_s
    )
    assert export_rate(replace(size.export_worker, cpu=1.0), 6) == pytest.approx(1 / export_cpu_s(6))
    slow = replace(size.orchestrator, concurrency=10_000)
    assert orchestrator_rate(slow) == pytest.approx(slow.cpu / found["orchestrator-cpu"].seconds)
    worker = size.export_worker
    waiting = worker.rule.messages_per_replica - worker.concurrency
    assert settled_age_s(worker, 0.5) == pytest.approx(waiting / 0.5)


def test_a_fleet_carries_its_load_and_one_less_does_not() -> None:
    per_second = 12.5
    needed = fleet(ENVIRONMENT, per_second)
    assert needed.instances * endpoint_rate() * UTILISATION >= per_second
    assert (needed.instances - 1) * endpoint_rate() * UTILISATION < per_second
    size = sized(ENVIRONMENT, per_second)
    assert size.endpoint.instances == needed.instances
    # And its orchestrators keep within what the endpoint takes.
    assert size.orchestrator.rule.most * size.orchestrator.concurrency <= size.endpoint.most
    assert fleet(ENVIRONMENT, 0.001).instances == 1


@pytest.mark.parametrize("name", ENVIRONMENTS)
def test_ceilings_are_in_order_and_the_endpoints_own_comes_before_azures(name: str) -> None:
    found = {each.part: each for each in ceilings(name)}
    assert [each.per_second for each in ceilings(name)] == sorted(each.per_second for each in found.values())
    own, azures = found["Placement endpoint"], found["Endpoint's instances"]
    ratio = limits()["endpoint-instances"] / deployed(name).endpoint.instances
    assert azures.per_second / own.per_second == pytest.approx(ratio)
    assert own.per_day == pytest.approx(86_400 * own.per_second)


def test_a_month_of_more_costs_more_and_less_an_image() -> None:
    few, many = (sum(line.dollars for line in month(ENVIRONMENT, rate)) for rate in (1.0, 100.0))
    assert few < many < 100 * few

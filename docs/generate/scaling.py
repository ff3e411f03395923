"""The tables of docs/scaling.md: capacity, reckoned now, and what the simulation found when it last ran."""

from collections import defaultdict
from collections.abc import Iterable

from docs.generate.regions import code, table
from infra.costs import Line, usage
from infra.parameters import ENVIRONMENTS, parameters
from infra.scaling.capacity import (
    MONTH_MINUTES,
    UTILISATION,
    ceilings,
    connections_per_replica,
    endpoint_rate,
    export_rate,
    fleet,
    limits,
    month,
    orchestrator_rate,
    settled_age_s,
    user_connections,
    web_api_rate,
)
from infra.scaling.deployed import deployed
from infra.scaling.keda import FIRST_STEP, STABILISATION_S, SYNC_S, TOLERANCE
from infra.scaling.results import stored_cold_start, stored_runs, stored_trials
from infra.scaling.scenarios import ENVIRONMENT
from infra.service_times import machine, measured_on, service_times

LOADS = {
    "1": 1.0,
    "100": 100.0,
    "694 (a million a day)": 694.0,
    "2,083 (the same in a peak of three times that)": 2083.0,
    "10,000": 10_000.0,
}
"""Images a minute, as the page names them."""

_COST_PARTS = {
    "Placement endpoint": "endpoint",
    "web-api": "apps",
    "orchestrator": "apps",
    "export-worker": "apps",
    "billing-service": "apps",
    "Blobs": "blobs and egress",
    "Egress": "blobs and egress",
    "PostgreSQL": "database",
}
_COST_COLUMNS = ("endpoint", "apps", "blobs and egress", "database", "the rest")


def parts() -> dict[str, str]:
    """Every generated part of the page."""
    return {
        "service times": _service_times(),
        "settings": _settings(),
        "rates": _rates(),
        "fleets": _fleets(),
        "costs": _costs(),
        "runs": _runs(),
        "cold start": _cold_start(),
        "trials": _trials(),
        "ceilings": _ceilings(),
    }


def _service_times() -> str:
    rows = [
        (
            code(name),
            f"{time.seconds:g}",
            f"{time.spread:.0%}" if time.spread else "",
            time.evidence,
            time.how,
        )
        for name, time in service_times().items()
    ]
    head = f"Measured on {measured_on()}: {machine()}."
    return f"{head}\n\n" + table(("What", "Seconds", "Spread", "Evidence", "How"), rows)


def _settings() -> str:
    rows = []
    for environment in ENVIRONMENTS:
        size = deployed(environment)
        for name, worker in (("orchestrator", size.orchestrator), ("export-worker", size.export_worker)):
            rule = worker.rule
            rows.append(
                (
                    environment,
                    name,
                    f"{worker.cpu:g}",
                    str(worker.concurrency),
                    str(rule.messages_per_replica),
                    f"{rule.least} to {rule.most}",
                    f"{rule.polling_s:g} s",
                    f"{rule.cooldown_s:g} s",
                )
            )
        rows.append(
            (environment, f"endpoint, {size.endpoint.machine}", "", str(size.endpoint.concurrency), "",
             f"{size.endpoint.instances}", "", "")
        )  # fmt: skip
    head = (
        "Environment",
        "Part",
        "vCPU",
        "In hand",
        "Messages per replica",
        "Replicas",
        "Looked at every",
        "None after",
    )
    rule_line = (
        f"Fixed by the platform: Kubernetes' autoscaler looks every {SYNC_S:g} s, leaves a difference "
        f"of {TOLERANCE:.0%} alone, goes up to {FIRST_STEP} or to twice as many at a time, and down to the "
        f"largest wish of the last {STABILISATION_S:g} s."
    )
    return table(head, rows) + f"\n\n{rule_line}"


def _rates() -> str:
    has, size, per = parameters(ENVIRONMENT), deployed(ENVIRONMENT), usage(ENVIRONMENT).per
    pictures = per["pictures"]
    orchestrator, worker = size.orchestrator, size.export_worker
    apis = has["apps"]["webApi"]["maxReplicas"]
    found = (
        ("endpoint, one instance", endpoint_rate() * size.endpoint.concurrency, size.endpoint.instances, ""),
        ("orchestrator", orchestrator_rate(orchestrator), orchestrator.rule.most, orchestrator),
        ("export-worker", export_rate(worker, pictures), worker.rule.most, worker),
        ("web-api", web_api_rate(has), apis, ""),
    )
    rows = [
        (
            part,
            f"{rate:.2f}",
            str(count),
            f"{60 * rate * count:,.0f}",
            "" if isinstance(scaled, str) else f"{settled_age_s(scaled, rate):.0f} s",
        )
        for part, rate, count, scaled in found
    ]
    return table(
        (
            "Part of prod",
            "Images/s each",
            "At most",
            "Images a minute together",
            "Queue's age when settled, at most",
        ),
        rows,
    )


def _fleets() -> str:
    rows = []
    for name, per_minute in LOADS.items():
        needed = fleet(ENVIRONMENT, per_minute / 60)
        size = parameters(ENVIRONMENT)["apps"]
        replicas = {
            "orchestrator": needed.orchestrators,
            "exportWorker": needed.export_workers,
            "webApi": needed.web_apis,
        }
        cores = sum(count * float(size[app]["cpu"]) for app, count in replicas.items())
        connections = sum(replicas.values()) * connections_per_replica(parameters(ENVIRONMENT))
        rows.append(
            (
                name,
                f"{needed.instances:,}",
                f"{needed.orchestrators:,}",
                f"{needed.export_workers:,}",
                f"{needed.web_apis:,}",
                f"{cores:,.0f}",
                f"{connections:,}",
            )
        )
    head = (
        "Images a minute", "Instances", "Orchestrators", "Export workers", "web-apis", "vCPU of these apps",
        "PostgreSQL connections",
    )  # fmt: skip
    has = f"{limits()['endpoint-instances']:.0f} instances, {limits()['container-cores']:.0f} vCPU"
    lead = (
        f"Each part at work {UTILISATION:.0%} of its time. Without asking, Azure gives {has} and "
        f"{user_connections(parameters(ENVIRONMENT)):,} connections."
    )
    return f"{lead}\n\n{table(head, rows)}"


def _costs() -> str:
    rows = []
    for name, per_minute in LOADS.items():
        images = per_minute * MONTH_MINUTES
        sums = _summed(month(ENVIRONMENT, per_minute))
        each = [f"{sums[column] / images * 1000:,.2f}" for column in _COST_COLUMNS]
        total = sum(sums.values())
        rows.append((name, *each, f"**{total / images * 1000:,.2f}**", f"{total:,.0f}"))
    return table(("Images a minute", *_COST_COLUMNS, "USD per thousand", "USD a month"), rows)


def _summed(lines: Iterable[Line]) -> dict[str, float]:
    sums: dict[str, float] = defaultdict(float)
    for line in lines:
        sums[_COST_PARTS.get(line.part, "the rest")] += line.dollars
    return sums


def _runs() -> str:
    rows = [
        (
            name,
            f"{run.exported:,} of {run.arrived:,}",
            f"{run.jobs_wait_p95:,.0f}",
            f"{run.exports_wait_p95:,.0f}",
            f"{run.total_p50:,.0f} / {run.total_p95:,.0f}",
            f"{run.longest_jobs:,} / {run.longest_exports:,}",
            f"{run.most_orchestrators} / {run.most_export_workers}",
            f"{run.orchestrator_h:.1f} / {run.export_worker_h:.1f}",
            f"{run.endpoint_busy:.0%}",
            f"{run.refused:,}",
        )
        for name, run in stored_runs().items()
    ]
    head = (
        "Load", "Done", "Waited for an orchestrator, p95 s", "for an export worker, p95 s",
        "Pictures after, p50 / p95 s", "Longest queues", "Most replicas", "Replica hours",
        "Endpoint busy", "429s",
    )  # fmt: skip
    return table(head, rows)


def _cold_start() -> str:
    cold = stored_cold_start()
    return (
        f"A lone photo that finds no worker has its pictures after {cold['p50']:.0f} s in the middle, "
        f"{cold['p95']:.0f} s in 95 of 100 cases, {cold['most']:.0f} s at most (of 200)."
    )


def _trials() -> str:
    by_share: dict[float, dict[bool, tuple[str, str]]] = defaultdict(dict)
    for trial in stored_trials():
        by_share[trial.share][trial.counts_locked] = (f"{trial.total_p95:.0f}", f"{trial.replica_h:.1f}")
    rows = [(f"{share:g}", *found[True], *found[False]) for share, found in by_share.items()]
    return table(
        (
            "Messages per replica, by what it has in hand",
            "p95 s, counted",
            "replica hours",
            "p95 s, not counted",
            "replica hours",
        ),
        rows,
    )


def _ceilings() -> str:
    rows = [
        (
            str(place),
            each.part,
            f"{each.per_day:,.0f}",
            f"{each.per_second * 60:,.0f}",
            each.because,
            "infra/" if each.ours else "Azure",
        )
        for place, each in enumerate(ceilings(ENVIRONMENT), 1)
    ]
    return table(("", "Part", "Images a day", "a minute", "Because of", "Set by"), rows)

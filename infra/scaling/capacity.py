"""Capacity by formulae: what each part carries, how many of it a load takes, and which limit comes first.

Fed by `service_times.toml`, `usage.toml`, `limits.toml` and the parameter files; told in docs/scaling.md.
"""

import math
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from infra.costs import Line, bill_of, usage
from infra.parameters import FOLDER, parameters
from infra.scaling.deployed import Deployed, Worker, deployed
from infra.service_times import export_cpu_s, seconds

UTILISATION = 0.8
"""Share of its time that a part is meant to work; what is left takes up that photos come unevenly."""
OVERFLOW = 10
"""Connections that SQLAlchemy opens at most beyond those that the pool keeps."""
MONTH_MINUTES = 730 * 60
_MB_OF_GBIT = 125


@dataclass(frozen=True, slots=True)
class Ceiling:
    """Images a second that one part carries, everything else being there."""

    part: str
    per_second: float
    because: str
    ours: bool
    """Set in infra/, and so a line to change; otherwise Azure's."""

    @property
    def per_day(self) -> float:
        """The same, the day through."""
        return self.per_second * 86_400


@dataclass(frozen=True, slots=True)
class Fleet:
    """How many of each a load takes."""

    instances: int
    orchestrators: int
    export_workers: int
    web_apis: int


@cache
def limits() -> dict[str, float]:
    """Azure's limits by name, in the units of limits.toml."""
    return {name: float(each["amount"]) for name, each in _limits_file()["limit"].items()}


@cache
def _limits_file() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "limits.toml").read_text("utf-8"))


def user_connections(has: Mapping[str, Any]) -> int:
    """Connections that the environment's PostgreSQL has for us."""
    return int(_limits_file()["database_connections"][has["database"]["sku"]])


def connections_per_replica(has: Mapping[str, Any]) -> int:
    """Connections that one replica of any app opens at most."""
    return int(has["database"]["poolSize"]) + OVERFLOW


def endpoint_rate() -> float:
    """Images a second of one request at a time."""
    return 1.0 / seconds("endpoint")


def orchestrator_rate(worker: Worker) -> float:
    """Images a second of one orchestrator that never waits for a free instance."""
    waits_s = seconds("orchestrator-cpu") / worker.cpu + seconds("orchestrator-wait") + seconds("endpoint")
    return min(worker.concurrency / waits_s, worker.cpu / seconds("orchestrator-cpu"))


def export_rate(worker: Worker, pictures: float) -> float:
    """Images a second of one export worker, whose cores are the bound."""
    return worker.cpu / export_cpu_s(pictures)


def web_api_rate(has: Mapping[str, Any]) -> float:
    """Images a second of one web-api, whose core is the bound."""
    return float(has["apps"]["webApi"]["cpu"]) / seconds("web-api-cpu")


def fleet(environment: str, per_second: float) -> Fleet:
    """What carries that many images a second at `UTILISATION`, in replicas of the environment's sizes."""
    has, size = parameters(environment), deployed(environment)

    def needed(rate: float) -> int:
        return max(1, math.ceil(per_second / (rate * UTILISATION)))

    return Fleet(
        instances=needed(endpoint_rate() * size.endpoint.concurrency),
        orchestrators=needed(orchestrator_rate(size.orchestrator)),
        export_workers=needed(export_rate(size.export_worker, usage(environment).per["pictures"])),
        web_apis=needed(web_api_rate(has)),
    )


def sized(environment: str, per_second: float) -> Deployed:
    """The environment with limits that let that load through, its other settings as they are."""
    size, wanted = deployed(environment), fleet(environment, per_second)

    def up_to(worker: Worker, most: int) -> Worker:
        return replace(worker, rule=replace(worker.rule, most=max(most, worker.rule.most)))

    instances = max(size.endpoint.instances, wanted.instances)
    endpoint = replace(size.endpoint, instances=instances)
    return Deployed(
        # As many as keep within what the endpoint takes before it answers 429.
        orchestrator=up_to(size.orchestrator, endpoint.most // size.orchestrator.concurrency),
        # Half as many again, so that what has piled up while replicas started is worked off.
        export_worker=up_to(size.export_worker, math.ceil(1.5 * wanted.export_workers)),
        endpoint=endpoint,
    )


def settled_age_s(worker: Worker, rate: float) -> float:
    """How long a message waits at most in a steady queue: the length that adds a replica, by its rate.

    `rate` is that of one replica, images a second. What is in hand counts as length.
    """
    return max(0.0, worker.rule.messages_per_replica - worker.concurrency) / rate


def erlang_c(servers: int, offered: float) -> float:
    """Probability that one must wait in M/M/c; `offered` is arrivals × mean service time."""
    if offered >= servers:
        return 1.0
    term = total = 1.0
    for number in range(1, servers):
        term *= offered / number
        total += term
    last = term * offered / servers * servers / (servers - offered)
    return last / (total + last)


def ceilings(environment: str) -> list[Ceiling]:
    """Every limit that is known, the lowest first."""
    return sorted(
        [*_our_ceilings(environment), *_azures_ceilings(environment)], key=lambda each: each.per_second
    )


def _our_ceilings(environment: str) -> list[Ceiling]:
    has, size, per = parameters(environment), deployed(environment), usage(environment).per
    instances, workers = size.endpoint.instances, size.export_worker.rule.most
    asked = size.orchestrator.rule.most
    apis, daily_gb = has["apps"]["webApi"]["maxReplicas"], has["logs"]["dailyGb"]
    return [
        Ceiling(
            "Placement endpoint",
            instances * size.endpoint.concurrency * endpoint_rate(),
            f"{instances} × {size.endpoint.machine}",
            ours=True,
        ),
        Ceiling(
            "Orchestrators", asked * orchestrator_rate(size.orchestrator), f"{asked} replicas", ours=True
        ),
        Ceiling(
            "Export workers",
            workers * export_rate(size.export_worker, per["pictures"]),
            f"{workers} replicas",
            ours=True,
        ),
        Ceiling("web-api", apis * web_api_rate(has), f"{apis} replicas", ours=True),
        Ceiling(
            "Logs",
            daily_gb * 1e6 / per["log_kb"] / 86_400,
            f"Log Analytics stops at {daily_gb} GB a day",
            ours=True,
        ),
    ]


def _azures_ceilings(environment: str) -> list[Ceiling]:
    has, size, per = parameters(environment), deployed(environment), usage(environment).per
    azure = limits()
    # Of one image a second: replicas of each app, and their cores.
    replicas = {
        "orchestrator": 1 / orchestrator_rate(size.orchestrator),
        "exportWorker": 1 / export_rate(size.export_worker, per["pictures"]),
        "webApi": 1 / web_api_rate(has),
    }
    cores = sum(count * float(has["apps"][app]["cpu"]) for app, count in replicas.items())
    connections = sum(replicas.values()) * connections_per_replica(has)
    return [
        *_endpoints_ceilings(size, per),
        *_blobs_ceilings(per),
        Ceiling(
            "Container Apps' cores",
            azure["container-cores"] / cores,
            f"{azure['container-cores']:.0f} vCPU of an environment",
            ours=False,
        ),
        Ceiling(
            "PostgreSQL's connections",
            user_connections(has) / connections,
            f"{user_connections(has):,} connections, {connections_per_replica(has)} a replica",
            ours=False,
        ),
        Ceiling(
            "Service Bus",
            azure["queue-credits"] / per["queue_operations"],
            f"{azure['queue-credits']:,.0f} credits/s; {per['queue_operations']} an image",
            ours=False,
        ),
    ]


def _endpoints_ceilings(size: Deployed, per: Mapping[str, float]) -> list[Ceiling]:
    bandwidth, most = limits()["endpoint-bandwidth"], limits()["endpoint-instances"]
    inline_mb = (per["photo_mb"] + per["outputs_mb"]) * 4 / 3
    return [
        Ceiling(
            "Endpoint, photos inline",
            bandwidth / inline_mb,
            f"{bandwidth:g} MB/s; {inline_mb:.1f} MB an image both ways, in base64",
            ours=False,
        ),
        Ceiling(
            "Endpoint, by reference",
            bandwidth * 1000 / per["endpoint_kb"],
            f"{bandwidth:g} MB/s; {per['endpoint_kb']:g} kB an image",
            ours=False,
        ),
        Ceiling(
            "Endpoint's instances",
            most * size.endpoint.concurrency * endpoint_rate(),
            f"{most:.0f} instances of a deployment",
            ours=False,
        ),
    ]


def _blobs_ceilings(per: Mapping[str, float]) -> list[Ceiling]:
    """Photo, scene and matte, pictures: each written once, the photo read by both workers, outputs by one."""
    azure = limits()
    exported_mb = per["pictures"] * per["picture_mb"]
    written_mb = per["photo_mb"] + per["outputs_mb"] + exported_mb
    read_mb = 2 * per["photo_mb"] + per["outputs_mb"] + exported_mb * per["downloads"]
    requests = 3 + per["pictures"] + 4 + per["pictures"] * per["downloads"]
    return [
        Ceiling(
            "Blob requests",
            azure["blob-requests"] / requests,
            f"{azure['blob-requests']:,.0f}/s; {requests:.0f} an image",
            ours=False,
        ),
        Ceiling(
            "Blob bytes in",
            azure["blob-ingress"] * _MB_OF_GBIT / written_mb,
            f"{azure['blob-ingress']:g} Gbit/s; {written_mb:.1f} MB an image",
            ours=False,
        ),
        Ceiling(
            "Blob bytes out",
            azure["blob-egress"] * _MB_OF_GBIT / read_mb,
            f"{azure['blob-egress']:g} Gbit/s; {read_mb:.1f} MB an image",
            ours=False,
        ),
    ]


def month(environment: str, per_minute: float) -> list[Line]:
    """A month's bill when that many images come every minute, with the instances that it takes."""
    images = round(per_minute * MONTH_MINUTES)
    has = parameters(environment)
    instances = max(has["scoring"]["instances"], fleet(environment, per_minute / 60).instances)
    use = replace(usage(environment), images=images, bursts=0)
    return bill_of({**has, "scoring": {**has["scoring"], "instances": instances}}, use)

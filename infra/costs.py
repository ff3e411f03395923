"""What an environment costs a month, part by part: its parameters × what it is used for × what Azure asks.

`python -m docs.generate` writes the tables of docs/costs.md with it; `scaling/capacity.py` has other loads.
"""

import tomllib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from infra.parameters import FOLDER, parameters
from infra.service_times import export_cpu_s, seconds

_FREE_REQUESTS = 2_000_000
_FREE_QUEUE_OPERATIONS = 13_000_000
_FREE_LOGS_GB = 5
_FREE_EGRESS_GB = 100
# Seconds that KEDA leaves a worker running when its queue is empty (modules/app.bicep).
_COOLDOWN_S = 300


@dataclass(frozen=True, slots=True)
class Price:
    """One line of prices.toml: US dollars per unit, and how sure it is."""

    amount: float
    unit: str
    evidence: str
    source: str


@dataclass(frozen=True, slots=True)
class Line:
    """One line of the bill: so many units of a price, US dollars a month."""

    part: str
    what: str
    quantity: float
    price: str

    @property
    def dollars(self) -> float:
        """What it costs a month."""
        return self.quantity * prices()[self.price].amount


@dataclass(frozen=True, slots=True)
class Use:
    """What an environment is used for; ``per`` is for one image."""

    images: int
    bursts: int
    stored_months: int
    endpoint_machine: str
    switches: int
    per: Mapping[str, float]

    def of(self, name: str) -> float:
        """The month's sum of something that each image takes."""
        return self.images * self.per[name]


@cache
def _price_list() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "prices.toml").read_text("utf-8"))


@cache
def prices() -> dict[str, Price]:
    """Every price by name."""
    return {name: Price(**fields) for name, fields in _price_list()["price"].items()}


def prices_read() -> date:
    """The day on which the prices were read."""
    day: date = _price_list()["read"]
    return day


def usage(environment: str) -> Use:
    """What ``environment`` is reckoned to be used for."""
    table = tomllib.loads((FOLDER / "usage.toml").read_text("utf-8"))
    return Use(per=table["per_image"], **table[environment])


def bill(environment: str) -> list[Line]:
    """Every line of a month's bill of ``environment``."""
    return bill_of(parameters(environment), usage(environment))


def bill_of(has: Mapping[str, Any], use: Use) -> list[Line]:
    """The same for parameters and a use of one's own."""
    hours = float(_price_list()["hours_per_month"])
    return [
        *_apps(has, use, hours),
        *_database(has, hours),
        *_queues(use),
        *_pictures(has, use),
        *_endpoint(has, use, hours),
        Line("Registry", f"{has['registrySku']} tier", hours / 24, f"registry-{has['registrySku']}"),
        Line("Logs", "above 5 GB", _above(use.of("log_kb") / 1e6, _FREE_LOGS_GB), "logs"),
        Line("Key Vault", "secrets read", 1.0, "vault"),
    ]


def _apps(has: Mapping[str, Any], use: Use, hours: float) -> Iterator[Line]:
    idle_s = use.bursts * _COOLDOWN_S
    orchestrator_s = seconds("orchestrator-wait") + seconds("endpoint")
    export_s = export_cpu_s(use.per["pictures"]) / float(has["apps"]["exportWorker"]["cpu"])
    busy = {
        # An orchestrator waits for several items at a time; an export worker's cores are busy with each.
        "orchestrator": use.images * orchestrator_s / has["workers"]["orchestrator"]["concurrency"] + idle_s,
        "exportWorker": use.images * export_s + idle_s,
    }
    for name, size in has["apps"].items():
        always = size["minReplicas"] * hours * 3600
        paid_s = max(always, busy.get(name, 0.0))
        what = f"{size['minReplicas']} always on" if always >= paid_s else f"{paid_s / 3600:,.0f} h at work"
        yield Line(_title(name), f"CPU, {what}", paid_s * float(size["cpu"]), "app-cpu")
        yield Line(_title(name), "memory", paid_s * float(size["memory"].removesuffix("Gi")), "app-memory")
    yield Line(
        "Requests", "above 2 million", _above(use.of("requests"), _FREE_REQUESTS) / 1e6, "app-requests"
    )
    yield Line("Network", "addresses in and out", 2 * hours, "public-address")
    yield Line("Network", "load balancer", hours, "load-balancer")
    yield Line("Network", "private DNS zone", 1, "dns-zone")


def _database(has: Mapping[str, Any], hours: float) -> Iterator[Line]:
    server = has["database"]
    copies = 2 if server["zoneRedundant"] else 1
    what = f"{server['sku']}{' and its standby' if copies == 2 else ''}"
    yield Line("PostgreSQL", what, copies * hours, server["sku"])
    yield Line("PostgreSQL", "storage", copies * server["storageGb"], "database-storage")


def _queues(use: Use) -> Iterator[Line]:
    more = _above(use.of("queue_operations"), _FREE_QUEUE_OPERATIONS)
    yield Line("Service Bus", "Standard tier", 1, "servicebus-base")
    yield Line("Service Bus", "above 13 million", more / 1e6, "servicebus-operations")


def _pictures(has: Mapping[str, Any], use: Use) -> Iterator[Line]:
    per = use.per
    exported_mb = per["pictures"] * per["picture_mb"]
    stored_gb = use.stored_months * use.images * (per["photo_mb"] + per["outputs_mb"] + exported_mb) / 1000
    downloaded_gb = use.images * exported_mb * per["downloads"] / 1000
    writes = use.images * (1 + 2 + per["pictures"])
    reads = use.images * (2 + 2 + per["pictures"] * per["downloads"])
    yield Line("Blobs", "stored, all of it hot", stored_gb, f"blob-{has['storageSku']}")
    yield Line("Blobs", "writes", writes / 1e4, "blob-writes")
    yield Line("Blobs", "reads", reads / 1e4, "blob-reads")
    yield Line("Egress", "above 100 GB", _above(downloaded_gb, _FREE_EGRESS_GB), "egress")


def _endpoint(has: Mapping[str, Any], use: Use, hours: float) -> Iterator[Line]:
    instances, machine = has["scoring"]["instances"], use.endpoint_machine
    yield Line("Placement endpoint", f"{instances} × {machine}", instances * hours, machine)
    yield Line("Placement endpoint", "both colours during a switch", instances * use.switches, machine)


def _above(quantity: float, free: float) -> float:
    return max(0.0, quantity - free)


def _title(name: str) -> str:
    """`exportWorker` as the service is called."""
    return "".join(f"-{letter.lower()}" if letter.isupper() else letter for letter in name)

"""What one item takes, part by part: `service_times.toml` as values. Called by `costs.py` and `scaling/`."""

import tomllib
from dataclasses import dataclass
from datetime import date
from functools import cache
from typing import Any

from infra.parameters import FOLDER


@dataclass(frozen=True, slots=True)
class ServiceTime:
    """One figure, and how it came about."""

    seconds: float
    evidence: str
    """`measured`, `derived` from such a figure, or `assumed`."""
    how: str
    spread: float = 0.0
    """Standard deviation from item to item, as a share of `seconds`."""


@cache
def _file() -> dict[str, Any]:
    return tomllib.loads((FOLDER / "service_times.toml").read_text("utf-8"))


@cache
def service_times() -> dict[str, ServiceTime]:
    """Every figure by name."""
    return {name: ServiceTime(**fields) for name, fields in _file()["time"].items()}


def seconds(name: str) -> float:
    """One figure's seconds."""
    return service_times()[name].seconds


def export_cpu_s(pictures: float) -> float:
    """vCPU seconds of the export worker for an item with so many presets: a start, and each picture."""
    return seconds("export-item") + pictures * seconds("export-picture")


def measured_on() -> date:
    """The day of the measurements."""
    day: date = _file()["measured"]
    return day


def machine() -> str:
    """What they were made on."""
    return str(_file()["machine"])

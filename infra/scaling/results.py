"""What the simulation found when it was last run, and whether it still would: `results.json` as values.

Called by `__main__.py`, `charts.py`, `docs.generate.scaling` and tests/infra.
"""

import hashlib
import json
from dataclasses import asdict
from functools import cache
from pathlib import Path
from typing import Any

from infra.costs import usage
from infra.scaling.capacity import ceilings
from infra.scaling.deployed import deployed
from infra.scaling.scenarios import ENVIRONMENT, Outcome, Trial, times

RESULTS = Path(__file__).parent / "results.json"


def inputs() -> str:
    """A short hash of all figures that simulation and charts start from."""
    per = usage(ENVIRONMENT).per
    found = {
        "deployed": asdict(deployed(ENVIRONMENT)),
        "times": asdict(times(per["pictures"])),
        "ceilings": [(each.part, each.per_second, each.ours) for each in ceilings(ENVIRONMENT)],
    }
    return hashlib.sha256(json.dumps(found, sort_keys=True).encode()).hexdigest()[:16]


@cache
def _stored() -> dict[str, Any]:
    return dict(json.loads(RESULTS.read_text("utf-8")))


def stored_inputs() -> str:
    """The hash that the stored figures were made from."""
    return str(_stored()["inputs"])


def stored_runs() -> dict[str, Outcome]:
    """Every run's outcome by name."""
    return {name: Outcome(**fields) for name, fields in _stored()["runs"].items()}


def stored_trials() -> list[Trial]:
    """What numbers of messages per replica came to."""
    return [Trial(**fields) for fields in _stored()["trials"]]


def stored_cold_start() -> dict[str, float]:
    """Seconds of a lone photo from nothing: `p50`, `p95`, `most`."""
    return dict(_stored()["cold_start"])

"""`make scaling`: simulate everything again, keep the figures, draw the charts. Takes a minute.

Writes `infra/scaling/results.json`, from which `python -m docs.generate` fills docs/scaling.md, and the
charts in docs/scaling/, for which it needs matplotlib, as the benchmarks' requirements have it.
"""

import json
import sys
from dataclasses import asdict
from pathlib import Path

from infra.scaling.charts import draw_all
from infra.scaling.deployed import deployed
from infra.scaling.results import RESULTS, inputs
from infra.scaling.scenarios import ENVIRONMENT, RUNS, cold_starts, quantile, trials

CHARTS = Path(__file__).resolve().parents[2] / "docs" / "scaling"


def main() -> int:
    """Run, store, draw."""
    runs = {}
    for name, simulate in RUNS.items():
        runs[name] = simulate()
        outcome = runs[name].outcome
        sys.stdout.write(
            f"{name:40} {outcome.exported:,} of {outcome.arrived:,}, 95 % within {outcome.total_p95:.0f} s\n"
        )
    tried = trials()
    cold = cold_starts(deployed(ENVIRONMENT))
    found = {
        "inputs": inputs(),
        "runs": {name: asdict(run.outcome) for name, run in runs.items()},
        "trials": [asdict(trial) for trial in tried],
        "cold_start": {"p50": quantile(cold, 0.5), "p95": quantile(cold, 0.95), "most": round(cold[-1], 1)},
    }
    RESULTS.write_text(json.dumps(found, indent=1) + "\n", "utf-8")
    CHARTS.mkdir(exist_ok=True)
    draw_all(CHARTS, runs, tried)
    return 0


if __name__ == "__main__":
    sys.exit(main())

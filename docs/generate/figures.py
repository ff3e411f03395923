"""docs/operations/metrics.md from ``opal.telemetry.metrics``."""

from docs.generate.regions import code, table
from prometheus_client import Counter, Gauge, Histogram

from opal.telemetry import metrics

Figure = Counter | Gauge | Histogram


def parts() -> dict[str, str]:
    """The generated part of the page."""
    rows = []
    for figure in figures():
        [described] = figure.describe()
        rows.append(
            (
                code(f"{described.name}_total" if described.type == "counter" else described.name),
                described.type,
                ", ".join(map(code, figure._labelnames)),
                described.documentation,
            )
        )
    return {"metrics": table(("Figure", "Type", "Labels", "Meaning"), rows)}


def figures() -> list[Figure]:
    """All figures of Opal's own, in the order in which they are declared."""
    return [each for each in vars(metrics).values() if isinstance(each, Counter | Gauge | Histogram)]


def series() -> dict[str, set[str]]:
    """Every name that a query may use, with its labels; those that Prometheus adds are left out."""
    known = {}
    for figure in figures():
        [described] = figure.describe()
        labels = set(figure._labelnames)
        match described.type:
            case "counter":
                known[f"{described.name}_total"] = labels
            case "histogram":
                known |= {f"{described.name}_{part}": labels for part in ("sum", "count")}
                known[f"{described.name}_bucket"] = labels | {"le"}
            case _:
                known[described.name] = labels
    return known

"""From measured cut-outs to means per group of photos, and to the bars that Opal sets itself."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from benchmarks.cutouts.cases import Case
from benchmarks.cutouts.measures import Measures

REMBG = "rembg"
WRONG_IOU, SURE = 0.95, 0.8
"""Below this overlap a cut-out wants a person's look; below this confidence it gets one."""
MEASURES = ("mae", "iou", "boundary", "holes")
_TITLES = {"mae": "MAE", "iou": "IoU"}


@dataclass(frozen=True, slots=True)
class Result:
    """One maker's cut-out of one case, measured; `seconds` are the best of all rounds."""

    case: Case
    maker: str
    measures: Measures
    seconds: float
    cpu_seconds: float
    peak_mib: float
    steps: dict[str, float]
    failed: str | None
    confidence: float | None = None
    """How sure Opal is of it, 0..1; rembg does not say."""

    def as_json(self) -> dict[str, Any]:
        """What the JSON file keeps of it."""
        return {
            "photo": self.case.name,
            "kind": self.case.kind,
            "megapixels": round(self.case.pixels / 1e6, 2),
            "enlarged": self.case.enlarged,
            "maker": self.maker,
            **{
                name: value if value is None else round(value, 5)
                for name, value in asdict(self.measures).items()
            },
            "seconds": round(self.seconds, 3),
            "cpu_seconds": round(self.cpu_seconds, 3),
            "peak_mib": round(self.peak_mib),
            "steps": {name: round(seconds, 4) for name, seconds in self.steps.items()},
            "failed": self.failed,
            "confidence": self.confidence,
        }


@dataclass(frozen=True, slots=True)
class Bar:
    """One thing that is wanted, and what was measured."""

    wanted: str
    measured: str
    met: bool


def size_of(case: Case) -> str:
    """The group of photos by size that a case belongs to."""
    if case.enlarged:
        return "enlarged"
    return "6 MP and more" if case.large else "below 6 MP"


def mean(values: Iterable[float | None]) -> float | None:
    """The mean of those that are there, None when none is."""
    there = [value for value in values if value is not None]
    return sum(there) / len(there) if there else None


def summary(results: Sequence[Result]) -> dict[str, Any]:
    """Means of one maker's results; `seconds` per photo that was made, `peak_mib` of the worst."""
    made = [result for result in results if result.failed is None]
    return {
        "photos": len(results),
        **{name: mean(getattr(result.measures, name) for result in results) for name in MEASURES},
        "seconds": mean(result.seconds for result in made),
        "cpu_seconds": mean(result.cpu_seconds for result in made),
        "peak_mib": max(result.peak_mib for result in results),
        "failed": sum(result.failed is not None for result in results),
    }


def grouped(results: Sequence[Result]) -> dict[tuple[str, str], dict[str, list[Result]]]:
    """Results by (size, kind) and maker; the kind "all" holds every photo of its size."""
    groups: dict[tuple[str, str], dict[str, list[Result]]] = {}
    for result in results:
        for kind in ("all", result.case.kind):
            group = groups.setdefault((size_of(result.case), kind), {})
            group.setdefault(result.maker, []).append(result)
    return groups


def bars(results: Sequence[Result], maker: str) -> list[Bar]:
    """What is wanted of `maker` beside rembg, over the same photos."""
    ours = [result for result in results if result.maker == maker]
    theirs = [result for result in results if result.maker == REMBG]
    speed = 3.5 if "int8" in maker else 2.3
    rows = [_outside(ours), _holes(ours), _doubted(ours)]
    if theirs:
        pairs = list(zip(ours, theirs, strict=True))
        rows += [
            *(_speed(pairs, size, speed) for size in dict.fromkeys(size_of(each.case) for each in ours)),
            _memory(ours, theirs),
            *(_boundary(pairs, size) for size in dict.fromkeys(size_of(each.case) for each in ours)),
            _nowhere_worse(pairs, "mae"),
            _nowhere_worse(pairs, "iou"),
        ]
    return [row for row in rows if row is not None]


_Pairs = Sequence[tuple[Result, Result]]


def _speed(pairs: _Pairs, size: str, wanted: float) -> Bar | None:
    chosen = [
        pair for pair in pairs if size_of(pair[0].case) == size and not any(each.failed for each in pair)
    ]
    if not chosen:
        return None
    ratio = sum(their.seconds for _, their in chosen) / sum(our.seconds for our, _ in chosen)
    cpu = sum(their.cpu_seconds for _, their in chosen) / sum(our.cpu_seconds for our, _ in chosen)
    measured = f"{ratio:.2f} x (CPU time {cpu:.2f} x)"
    return Bar(f"{size}: at least {wanted} x rembg's speed", measured, ratio >= wanted)


def _memory(ours: Sequence[Result], theirs: Sequence[Result]) -> Bar:
    ratio = max(each.peak_mib for each in ours) / max(each.peak_mib for each in theirs)
    return Bar("peak memory at most half of rembg's", f"{ratio:.2f} x", ratio <= 0.5)


def _outside(ours: Sequence[Result]) -> Bar | None:
    large = [each for each in ours if each.case.large and each.steps]
    if not large:
        return None
    share = 1.0 - sum(each.steps["network"] for each in large) / sum(each.seconds for each in large)
    return Bar(
        "6 MP and more: at most 20 % of the time outside the network", f"{100 * share:.0f} %", share <= 0.2
    )


def _holes(ours: Sequence[Result]) -> Bar | None:
    recall = mean(each.measures.holes for each in ours)
    return None if recall is None else Bar("hole recall at least 0.95", f"{recall:.3f}", recall >= 0.95)


def _doubted(ours: Sequence[Result]) -> Bar | None:
    """A cut-out that is not right must not look sure: it is what a person is asked to look at."""
    judged = [each for each in ours if each.confidence is not None]
    if not judged:
        return None
    wrong = [each for each in judged if each.measures.iou < WRONG_IOU]
    missed = [each for each in wrong if (each.confidence or 0.0) >= SURE]
    alarms = sum((each.confidence or 0.0) < SURE for each in judged if each not in wrong)
    measured = f"{len(wrong) - len(missed)} of {len(wrong)}; {alarms} of {len(judged) - len(wrong)} others"
    return Bar(f"confidence below {SURE} wherever IoU is below {WRONG_IOU}", measured, not missed)


def _boundary(pairs: _Pairs, size: str) -> Bar | None:
    large = [pair for pair in pairs if pair[0].case.large and size_of(pair[0].case) == size]
    if not large:
        return None
    theirs = sum(their.measures.boundary for _, their in large)
    lower = 1.0 - sum(our.measures.boundary for our, _ in large) / theirs
    return Bar(
        f"{size}: boundary error at least 25 % lower",
        f"{100 * abs(lower):.0f} % {'lower' if lower >= 0 else 'higher'}",
        lower >= 0.25,
    )


def _nowhere_worse(pairs: _Pairs, name: str) -> Bar:
    """Over every photo: MAE is better small, IoU is better large."""
    sign = 1.0 if name == "mae" else -1.0
    worst, photo = max(
        (sign * (getattr(our.measures, name) - getattr(their.measures, name)), our.case.name)
        for our, their in pairs
    )
    measured = f"{worst:+.4f} ({photo})" if worst > 0 else "better everywhere"
    return Bar(f"{_TITLES[name]} nowhere worse by more than 0.002", measured, worst <= 0.002)

"""`report.json`, the same for `opal demo` and `opal process`: what became of every photo."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from opal import __version__


class ReportError(BaseModel):
    """Why a photo failed; `code` is stable."""

    code: str
    message: str


class ReportRule(BaseModel):
    """One rule of the preset: what was measured, the limit, and whether it passed."""

    model_config = ConfigDict(extra="ignore")

    rule: str
    measured: Any
    limit: Any
    passed: bool


class ReportVariant(BaseModel):
    """One finished picture; `path` is relative to the report.

    `backdrop_enlargement` is above 1 where the scene's backdrop had fewer pixels than the picture.
    """

    preset: str
    path: str
    width: int
    height: int
    bytes: int
    format: str
    compliance: list[ReportRule]
    fidelity: dict[str, Any] = {}
    backdrop_enlargement: float | None = None


class ReportItem(BaseModel):
    """One photo; paths are relative to the report.

    `fidelity` is that of the picture that kept the product least. It speaks of what the matte kept;
    whether the matte has all of the product is what `confidence` and its reasons are about.
    """

    source: str
    status: str
    seconds: float
    error: ReportError | None = None
    matte: str | None = None
    scene: str | None = None
    confidence: float | None = None
    confidence_reasons: list[str] = []
    fidelity: dict[str, Any] = {}
    variants: list[ReportVariant] = []

    @property
    def failed(self) -> bool:
        """Whether the photo has not all of its pictures."""
        return self.status != "exported"

    @property
    def rules_passed(self) -> tuple[int, int]:
        """Rules that passed, and rules in all."""
        results = [rule.passed for variant in self.variants for rule in variant.compliance]
        return sum(results), len(results)


class Report(BaseModel):
    """A run over some photos."""

    opal: str = __version__
    seconds: float
    items: list[ReportItem]

    @property
    def failures(self) -> int:
        """How many photos failed."""
        return sum(item.failed for item in self.items)


def write_report(report: BaseModel, path: Path) -> None:
    """Store the report whole or not at all."""
    unfinished = path.with_suffix(".json.part")
    unfinished.write_text(report.model_dump_json(indent=2) + "\n", "utf-8")
    unfinished.replace(path)


def least_faithful(variants: Iterable[ReportVariant]) -> dict[str, Any]:
    """The fidelity figures of the picture with the smallest share of unchanged pixels."""

    def kept(variant: ReportVariant) -> float:
        share = variant.fidelity.get("share_within_de1")
        return 1.0 if share is None else float(share)

    worst = min(variants, key=kept, default=None)
    return worst.fidelity if worst is not None else {}


# Below it the table says why.
_DOUBTFUL = 0.9

SUMMARY_COLUMNS = ("photo", "status", "seconds#", "confidence#", "ΔE ≤ 1#", "rules#", "pictures#", "remark")


def summary_rows(items: Iterable[ReportItem]) -> list[tuple[object, ...]]:
    """The rows of the table that both commands end with."""
    rows: list[tuple[object, ...]] = []
    for item in items:
        passed, total = item.rules_passed
        kept = item.fidelity.get("share_within_de1")
        rows.append(
            (
                item.source,
                item.status,
                f"{item.seconds:.1f}",
                None if item.confidence is None else f"{item.confidence:.2f}",
                None if kept is None else f"{kept:.2%}",
                f"{passed}/{total}" if total else None,
                len(item.variants) or None,
                f"{item.error.code}: {item.error.message}" if item.error else _remark(item),
            )
        )
    return rows


def _remark(item: ReportItem) -> str:
    """Why a person should look: a light that was matched, what makes the cut-out doubtful, broken rules."""
    doubtful = item.confidence is not None and item.confidence < _DOUBTFUL
    doubts = item.confidence_reasons if doubtful else []
    broken = [
        f"{variant.preset}: {rule.rule} {rule.measured} ({rule.limit})"
        for variant in item.variants
        for rule in variant.compliance
        if not rule.passed
    ]
    match = item.fidelity.get("light_match")
    matched = [f"light matched to the backdrop, mean ΔE {match['mean_de']}"] if match else []
    return "; ".join([*matched, *(doubt.rstrip(".") for doubt in doubts), *broken])

"""`report.json`, the same for `opal demo` and `opal process`: what became of every photo."""

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, Self

from pydantic import BaseModel, ConfigDict

from opal import __version__
from opal.cli.shown_name import ShownText
from opal.cli.whole_file import write_whole
from opal.items.review import needs_review
from opal.report_page import wording


class ReportError(BaseModel):
    """Why a photo failed; `code` is stable."""

    code: str
    message: ShownText


class ReportRule(BaseModel):
    """One rule of the preset: what was measured, the limit, and whether it passed.

    `fixed` is what was done automatically to keep it. A channel refuses what breaks a `required` rule; an
    `advised` one is only its recommendation.
    """

    model_config = ConfigDict(extra="ignore")

    rule: str
    measured: Any
    limit: Any
    passed: bool
    level: str = "required"
    fixed: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the channel would refuse the picture for it."""
        return not self.passed and self.level == "required"


class ReportPlaced(BaseModel):
    """How the product came into a picture; `scale` is picture pixels per photo pixel."""

    model_config = ConfigDict(extra="ignore")

    scale: float
    upscaled: bool = False
    """Enlarged: `scale` is above 1."""
    capped: bool = False
    """Smaller than asked, as the photo has too few pixels."""
    straightened_degrees: float = 0.0
    """Clockwise turn before placing; 0.0: none."""


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
    placed: ReportPlaced | None = None
    compliance: list[ReportRule]
    fidelity: dict[str, Any] = {}
    backdrop_enlargement: float | None = None


class ReportItem(BaseModel):
    """One photo; paths are relative to the report.

    `fidelity` is that of the picture that kept the product least. It speaks of what the matte kept;
    whether the matte has all of the product is what `confidence` and its reasons are about.
    """

    source: ShownText
    status: str
    seconds: float
    error: ReportError | None = None
    halved: bool = False
    """Worked on at half its sides, as OPAL_PHOTO_OVERSIZE says."""
    matte: str | None = None
    scene: str | None = None
    confidence: float | None = None
    confidence_reasons: list[str] = []
    review: bool = False
    """Confidence below OPAL_REVIEW_BELOW: a person should look at the pictures before they are used."""
    fidelity: dict[str, Any] = {}
    variants: list[ReportVariant] = []

    def marked(self, below: float) -> Self:
        """The same photo, marked for review as the setting says now."""
        review = self.confidence is not None and needs_review(self.confidence, below)
        return self.model_copy(update={"review": review})

    @property
    def failed(self) -> bool:
        """Whether the photo has not all of its pictures."""
        return self.status != "exported"

    @property
    def rules_passed(self) -> tuple[int, int]:
        """Rules that are not broken, and rules in all; advice that is not followed breaks none."""
        results = [not rule.failed for variant in self.variants for rule in variant.compliance]
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

    @property
    def reviews(self) -> int:
        """How many photos are marked for review."""
        return sum(item.review for item in self.items)


def write_report(report: BaseModel, path: Path) -> None:
    """Store the report whole or not at all."""
    write_whole(path, (report.model_dump_json(indent=2) + "\n").encode())


def least_faithful(variants: Iterable[ReportVariant]) -> dict[str, Any]:
    """The fidelity figures of an altered picture, else of that with the least share of unchanged pixels."""

    def kept(variant: ReportVariant) -> tuple[bool, float]:
        share = variant.fidelity.get("share_within_de1")
        return not variant.fidelity.get("altered"), 1.0 if share is None else float(share)

    worst = min(variants, key=kept, default=None)
    return worst.fidelity if worst is not None else {}


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
    """Why a person should look, or might: a doubtful cut-out, broken rules, what was done to the product."""
    broken = [
        f"{variant.preset}: {rule.rule} {rule.measured} ({rule.limit})"
        for variant in item.variants
        for rule in variant.compliance
        if rule.failed
    ]
    doubts = [doubt.rstrip(".") for doubt in item.confidence_reasons]
    match = item.fidelity.get("light_match")
    matched = [f"light matched to the backdrop, mean ΔE {match['mean_de']}"] if match else []
    said = "; ".join([*doubts, *broken, *unasked(item.variants), *matched])
    return f"review: {said}" if item.review else said


def unasked(variants: Sequence[ReportVariant]) -> list[str]:
    """What was done to the product that nobody asked for, and in which pictures."""
    return wording.unasked(
        (each.preset, each.placed, bool(each.fidelity.get("altered"))) for each in variants
    )


def review_line(report: Report) -> str:
    """How many photos a person should look at, as a sentence; empty when none."""
    if not report.reviews:
        return ""
    verb = "wants" if report.reviews == 1 else "want"
    return f"{report.reviews} of {len(report.items)} photos {verb} a look (review)."

"""What `opal check` found: its JSON, its table of broken rules, and its summary."""

from collections import Counter
from collections.abc import Iterable
from typing import Literal

from pydantic import BaseModel

from opal import __version__
from opal.cli.report import ReportError
from opal.cli.shown_name import ShownText
from opal.marketplaces.compliance import RuleResult
from opal.marketplaces.rule import Limit

Verdict = Literal["passed", "failed", "not judged"]


class CheckedRule(BaseModel):
    """One rule and what the file was measured to be; `why` says why a rule was not judged."""

    rule: str
    verdict: Verdict
    measured: Limit | None
    limit: str
    level: str
    unit: str
    authority: str
    source: str | None
    why: str | None = None

    @property
    def broken(self) -> bool:
        """Whether the channel would refuse the picture for it."""
        return self.verdict == "failed" and self.level == "required"


class CheckedPreset(BaseModel):
    """One preset's rules; `passed` when no required one is broken, whatever could not be judged."""

    preset: str
    passed: bool
    rules: list[CheckedRule]


class CheckedPicture(BaseModel):
    """One file; width and height as it is looked at, all else as the file has it.

    `product` says how it was found: by the file's own transparency, cut out, or not looked for, as no rule
    needs it or the picture is too small.
    """

    file: ShownText
    error: ReportError | None = None
    format: str | None = None
    width: int | None = None
    height: int | None = None
    bytes: int | None = None
    digital_source_type: str | None = None
    product: Literal["own transparency", "cut out", "not looked for"] | None = None
    confidence: float | None = None
    confidence_reasons: list[str] = []
    review: bool = False
    """The product was found with little confidence: a person should look at what was measured of it."""
    presets: list[CheckedPreset] = []

    @property
    def passed(self) -> bool:
        """Whether it could be read and breaks no required rule."""
        return self.error is None and all(preset.passed for preset in self.presets)


class CheckReport(BaseModel):
    """All pictures of one `opal check`."""

    opal: str = __version__
    seconds: float
    passed: int
    failed: int
    unreadable: int
    pictures: list[CheckedPicture]

    @classmethod
    def of(cls, pictures: list[CheckedPicture], seconds: float) -> "CheckReport":
        """The report with its counts."""
        passed = sum(picture.passed for picture in pictures)
        unreadable = sum(picture.error is not None for picture in pictures)
        return cls(
            seconds=seconds,
            passed=passed,
            failed=len(pictures) - passed - unreadable,
            unreadable=unreadable,
            pictures=pictures,
        )


def checked_preset(preset: str, results: Iterable[RuleResult]) -> CheckedPreset:
    """A preset's rows as they are reported."""
    rules = [_checked_rule(result) for result in results]
    return CheckedPreset(preset=preset, passed=not any(rule.broken for rule in rules), rules=rules)


def _checked_rule(result: RuleResult) -> CheckedRule:
    verdict: Verdict = "passed" if result.passed else "failed"
    return CheckedRule(
        rule=result.rule,
        verdict="not judged" if result.not_judged else verdict,
        measured=result.measured,
        limit=result.limit,
        level=result.level,
        unit=result.unit,
        authority=result.authority,
        source=result.source,
        why=result.not_judged,
    )


BROKEN_COLUMNS = ("picture", "preset", "rule", "measured", "limit", "level", "whose rule")


def broken_rows(report: CheckReport) -> list[tuple[object, ...]]:
    """One row per rule that is not kept, what a channel requires before what it advises."""
    rows: list[tuple[object, ...]] = []
    for picture in report.pictures:
        for preset in picture.presets:
            failed = [rule for rule in preset.rules if rule.verdict == "failed"]
            for rule in sorted(failed, key=lambda rule: not rule.broken):
                found = measured_text(rule.measured, rule.unit)
                who = (rule.level, rule.authority)
                rows.append((picture.file, preset.preset, rule.rule, found, rule.limit, *who))
    return rows


def measured_text(measured: Limit | None, unit: str = "") -> str:
    """A measured value for people."""
    if measured is None:
        return "none found"
    if isinstance(measured, bool):
        return "yes" if measured else "no"
    text = f"{measured:,}" if isinstance(measured, int) and unit == "bytes" else str(measured)
    return f"{text} {unit}" if unit else text


def summary_lines(report: CheckReport) -> list[str]:
    """What the table does not say: how many pictures are right, by preset, and what was not judged."""
    lines = [
        f"{report.passed} of {len(report.pictures)} pictures keep every required rule that a file can show, "
        f"{report.failed} do not, {report.unreadable} cannot be read."
    ]
    judged = [preset for picture in report.pictures for preset in picture.presets]
    names = list(dict.fromkeys(preset.preset for preset in judged))
    if len(names) > 1:
        right = Counter(preset.preset for preset in judged if preset.passed)
        total = Counter(preset.preset for preset in judged)
        lines.append(
            "By preset: " + ", ".join(f"{name} {right[name]} of {total[name]}" for name in names) + "."
        )
    unjudged = Counter(
        rule.rule for preset in judged for rule in preset.rules if rule.verdict == "not judged"
    )
    if unjudged:
        lines.append(
            "Not judged: " + ", ".join(f"{rule} ({count})" for rule, count in unjudged.items()) + "."
        )
    reviews = sum(picture.review for picture in report.pictures)
    if reviews:
        lines.append(
            f"In {reviews} of them the product was found with little confidence; look at them (review)."
        )
    return lines

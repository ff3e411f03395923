"""Holds a finished file against its preset's rules: one row per rule, measured value beside the limit.

Called by export-worker for every variant, and by `opal check` for any other file. `measurements.py` says what
each rule measures.
"""

from pydantic import BaseModel, ConfigDict, Field

from opal.images.finished import FinishedPicture
from opal.marketplaces.measurements import MEASUREMENTS, Look, Measured, NotJudged, Placed
from opal.marketplaces.presets import Preset
from opal.marketplaces.rule import Level, Limit, Rule


class RuleResult(BaseModel):
    """One rule's outcome. `measured` and `limit` are numbers where the rule is about a number."""

    model_config = ConfigDict(frozen=True)

    rule: str
    measured: Limit | None
    limit: str = Field(description="For people, such as `>= 0.85` or `= 255,255,255`.")
    minimum: float | None = None
    maximum: float | None = None
    passed: bool
    not_judged: str | None = Field(
        default=None, description="Why a file that somebody else made does not show it; then not passed."
    )
    level: Level = "required"
    fixed: str | None = Field(
        default=None, description="What was done by itself to keep the rule (`fixes.py`)."
    )
    unit: str = ""
    authority: str = "own"
    source: str | None = None

    @property
    def failed(self) -> bool:
        """Whether the channel would refuse the picture for it."""
        return not self.passed and self.not_judged is None and self.level == "required"


def check(picture: FinishedPicture, preset: Preset, placed: Placed) -> tuple[RuleResult, ...]:
    """Measure a file that was read back and judge it by every rule of `preset`, in the preset's order."""
    look = Look(picture, placed, preset)
    return tuple(_judge(rule, MEASUREMENTS[rule.rule](look)) for rule in preset.rules)


def _judge(rule: Rule, found: Measured) -> RuleResult:
    measured = None if isinstance(found, NotJudged) else found
    return RuleResult(
        rule=rule.rule,
        measured=measured,
        limit=limit_text(rule),
        minimum=rule.minimum,
        maximum=rule.maximum,
        passed=measured is not None and rule.allows(measured),
        not_judged=found.why if isinstance(found, NotJudged) else None,
        level=rule.level,
        unit=rule.unit,
        authority=rule.authority,
        source=rule.source,
    )


def limit_text(rule: Rule) -> str:
    """A rule's limit as people write it."""
    parts = []
    if rule.minimum is not None:
        parts.append(f">= {rule.minimum:g}" if rule.minimum < 1e6 else f">= {rule.minimum:.0f}")
    if rule.maximum is not None:
        parts.append(f"<= {rule.maximum:g}" if rule.maximum < 1e6 else f"<= {rule.maximum:.0f}")
    if rule.equals is not None:
        value = {True: "yes", False: "no"}[rule.equals] if isinstance(rule.equals, bool) else rule.equals
        parts.append(f"= {value}" + (f" +/- {rule.tolerance:g}" if rule.tolerance else ""))
    if rule.one_of is not None:
        parts.append("one of " + ", ".join(rule.one_of))
    return " and ".join(parts)

"""The words of the page: rules, figures and verdicts for people, the same in every report."""

from collections.abc import Iterable, Mapping
from typing import Any, Protocol

from opal.marketplaces.rule import Limit
from opal.report_page.page import Kind, PageRule, Verdict


def page_rule(
    rule: str,
    measured: Limit | None,
    limit: object,
    *,
    passed: bool,
    required: bool,
    judged: bool = True,
    note: str = "",
) -> PageRule:
    """One rule's outcome as the page has it; a rule that is only advised is never failed."""
    missed: Verdict = "failed" if required else "advice not followed"
    verdict: Verdict = "not judged" if not judged else "passed" if passed else missed
    found = value_text(rule, measured) if judged else "–"
    return PageRule(rule_name(rule), found, str(limit), verdict, note)


class ReportedRule(Protocol):
    """A rule's outcome as the services' and the command line's reports have it."""

    rule: str
    measured: Any
    limit: Any
    passed: bool
    level: str
    fixed: str | None


def reported_rule(rule: ReportedRule) -> PageRule:
    """One rule of a report as the page has it."""
    required = rule.level == "required"
    return page_rule(
        rule.rule, rule.measured, rule.limit, passed=rule.passed, required=required, note=rule.fixed or ""
    )


def kind_of(*, failed: bool, broken: bool, review: bool) -> Kind:
    """The section of a photo that has its pictures, or will never have them."""
    if failed:
        return "failed"
    return "broken" if broken else "review" if review else "good"


def failure_text(message: str, code: str) -> str:
    """Why a photo failed; the code is what docs/errors.md lists."""
    return f"{message} [{code}]"


def picture_facts(width: int | None, height: int | None, kind: str | None, size: int | None) -> str:
    """What a picture is: ``2000 × 2000 jpeg, 412.3 kB``."""
    return f"{width} × {height} {kind}, {sized(size or 0)}"


def fidelity_text(fidelity: Mapping[str, Any]) -> str:
    """The figures of a fidelity report in a line; empty where nothing was compared."""
    share = fidelity.get("share_within_de1")
    if share is None:
        return ""
    parts = [f"{share:.2%} of the product's pixels within ΔE 1 of the photo"]
    for name, title, digits in (("max_de", "largest ΔE", 1), ("ssim", "SSIM", 4)):
        if fidelity.get(name) is not None:
            parts.append(f"{title} {fidelity[name]:.{digits}f}")
    parts.append("altered" if fidelity.get("altered") else "not altered")
    return ", ".join(parts)


def sized(count: int) -> str:
    """A number of bytes for people."""
    for size, unit in ((1_000_000, "MB"), (1000, "kB")):
        if count >= size:
            return f"{count / size:.1f} {unit}"
    return f"{count} bytes"


def value_text(rule: str, measured: Limit | None) -> str:
    """A measured value for people; its unit follows from the rule."""
    if measured is None:
        return "none found"
    if isinstance(measured, bool):
        return "yes" if measured else "no"
    if rule == "bytes" and isinstance(measured, int):
        return f"{measured:,}"
    return f"{measured} px" if rule in _PIXELS else str(measured)


class Placed(Protocol):
    """How a product came into a picture."""

    scale: float
    upscaled: bool
    capped: bool


def unasked(pictures: Iterable[tuple[str, Placed | None, bool]]) -> list[str]:
    """What was done to the product that nobody asked for, and in which pictures.

    Of each: its preset, how the product was placed, and whether it was altered.
    """
    told = list(pictures)
    placed = [(preset, how) for preset, how, _ in told if how is not None]
    done = {
        "the product was altered": [preset for preset, _, altered in told if altered],
        "enlarged": [f"{preset} {how.scale:.2f} ×" for preset, how in placed if how.upscaled],
        "smaller than asked": [preset for preset, how in placed if how.capped],
    }
    return [f"{what}: {', '.join(where)}" for what, where in done.items() if where]


def rule_name(rule: str) -> str:
    """A rule's name in words."""
    return {"bytes": "file size in bytes", "dpi": "dots per inch", "ai_marking": "marking of AI"}.get(
        rule, rule.replace("_", " ")
    )


_PIXELS = frozenset(
    {"width", "height", "longest_side", "shortest_side", "side_sum", "clearance", "product_longest_side"}
)

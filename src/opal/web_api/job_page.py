"""A job's report as the page for people. Used for `report.html`, alone and in the archive."""

from collections.abc import Callable, Sequence
from typing import Any

from opal.database.jobs import Job
from opal.report_page.page import TITLES, Kind, Lazily, PagePhoto, PagePicture, ReportPage, link
from opal.report_page.wording import (
    failure_text,
    fidelity_text,
    kind_of,
    picture_facts,
    reported_rule,
    unasked,
)
from opal.web_api.job_report import ArchivedItem, ArchivedVariant, ArchiveReport
from opal.web_api.recipe import presets_of
from opal.web_api.reports import PlacedReport, RuleReport

_TITLES: dict[Kind, str] = {**TITLES, "waiting": "Without pictures"}
_UNFAILED = frozenset({"created", "uploaded", "queued", "processing", "completed", "cancelled"})
# What browsers show.
_SHOWN = frozenset({"jpeg", "png", "webp", "avif"})

Where = Callable[[ArchivedVariant], str | None]
"""The address of a picture, or of its thumbnail; None for none."""


def archive_page(job: Job, report: ArchiveReport) -> ReportPage:
    """The page that lies in the archive beside the pictures, which it shows themselves."""
    return job_page(job, report, href=_in_archive, thumbnail=_in_archive_if_shown)


def job_page(
    job: Job,
    report: ArchiveReport,
    *,
    href: Where,
    thumbnail: Where,
    counted: str | None = None,
    **more: Any,
) -> ReportPage:
    """The page of the photos in ``report``; ``more`` are further fields of the page."""
    total = len(report.items)
    return ReportPage(
        title=f"Pictures of {job.name or job.id}",
        counted=counted or f"{total} photo{'' if total == 1 else 's'}",
        seconds=report.seconds,
        photos=Lazily(lambda item: _photo(item, href, thumbnail), report.items),
        titles={kind: _TITLES[kind] for kind in ("failed", "broken", "review", "waiting", "good")},
        presets=presets_of(job.recipe),
        **more,
    )


def _in_archive(variant: ArchivedVariant) -> str | None:
    return None if variant.expired_at or variant.rejected else link(variant.path)


def _in_archive_if_shown(variant: ArchivedVariant) -> str | None:
    return _in_archive(variant) if variant.format in _SHOWN else None


def _photo(item: ArchivedItem, href: Where, thumbnail: Where) -> PagePhoto:
    pictures = [_picture(variant, href, thumbnail) for variant in item.variants]
    facts = [item.sku or "", "" if item.confidence is None else f"confidence {item.confidence:.2f}"]
    facts.append(item.status if item.status in _UNFAILED else "")
    facts.append("" if item.verdict is None else f"{item.verdict} by a person")
    facts.append(f"revision {item.revision}" if item.revision else "")
    return PagePhoto(
        name=item.source,
        kind=_kind(item),
        thumbnail=next((picture.thumbnail for picture in pictures if picture.thumbnail), None),
        facts=", ".join(filter(None, facts)),
        remarks=[*item.confidence_reasons, *_unasked(item.variants)],
        error=None if item.error is None else failure_text(item.error.message, item.error.code),
        pictures=pictures,
    )


def _kind(item: ArchivedItem) -> Kind:
    if item.status in _UNFAILED:
        return "waiting"
    broken = any(_breaks(rule) for variant in item.variants for rule in variant.compliance)
    altered = any(_altered(variant) for variant in item.variants)
    looked_at = item.verdict is not None
    review = (item.review or altered) and not looked_at
    return kind_of(failed=item.error is not None, broken=broken, review=review)


def _breaks(rule: RuleReport) -> bool:
    return not rule.passed and rule.level == "required"


def _unasked(variants: Sequence[ArchivedVariant]) -> list[str]:
    return unasked((each.preset, each.placed, _altered(each)) for each in variants)


def _altered(variant: ArchivedVariant) -> bool:
    return variant.fidelity is not None and bool(variant.fidelity.altered)


def _picture(variant: ArchivedVariant, href: Where, thumbnail: Where) -> PagePicture:
    facts = [picture_facts(variant.width, variant.height, variant.format, variant.bytes)]
    facts.append("" if variant.fidelity is None else fidelity_text(variant.fidelity.model_dump()))
    facts.append(_placed(variant.placed))
    facts.append("rejected: not in the archive" if variant.rejected else "")
    facts.append(
        "" if variant.expired_at is None else f"removed for its age on {variant.expired_at:%Y-%m-%d}"
    )
    return PagePicture(
        title=variant.preset,
        href=href(variant),
        thumbnail=thumbnail(variant),
        facts="; ".join(filter(None, facts)),
        rules=[reported_rule(rule) for rule in variant.compliance],
    )


def _placed(placed: PlacedReport | None) -> str:
    if placed is None or not placed.straightened_degrees:
        return ""
    way = "clockwise" if placed.straightened_degrees > 0 else "anticlockwise"
    return f"turned upright by {abs(placed.straightened_degrees):.1f}° {way}"

"""`report.html`, the page for people of `opal process`, beside its `report.json`."""

from collections.abc import Sequence
from pathlib import Path

from opal.cli.process_failures import retry_command
from opal.cli.report import Report, ReportItem, ReportVariant, unasked
from opal.cli.shown_name import shown
from opal.errors import InvalidInput
from opal.marketplaces.presets import load_presets
from opal.report_page.page import (
    GENERATOR,
    TITLES,
    Kind,
    PagePhoto,
    PagePicture,
    ReportPage,
    link,
    write_page,
)
from opal.report_page.wording import failure_text, fidelity_text, kind_of, picture_facts, reported_rule

PAGE_NAME = "report.html"
_THUMBNAILS = "_thumbnails"
"""No photo's folder has this name: theirs begin with a letter or number."""


def thumbnail_path(folder: str, picture: str | None = None) -> str:
    """Where the thumbnail of a photo's picture lies in the result folder; that of the photo without one."""
    return f"{_THUMBNAILS}/{folder}/{picture or '_photo'}.webp"


def refuse_foreign_page(out: Path) -> None:
    """Raise InvalidInput where the result folder has a page of that name that Opal did not write."""
    path = out / PAGE_NAME
    if path.exists() and GENERATOR.encode() not in path.read_bytes()[:2000]:
        raise InvalidInput(f"{path} is not a page of `opal process`; choose another --out.")


def write_process_page(report: Report, folders: Sequence[str], out: Path) -> None:
    """Write the page of everything in a result folder; `folders` are the subfolders of the report's items."""
    known = load_presets()
    used = dict.fromkeys(variant.preset for item in report.items for variant in item.variants)
    page = ReportPage(
        title=f"Pictures in {shown(out.resolve().name)}",
        counted=f"{len(report.items)} photo{'' if len(report.items) == 1 else 's'}",
        seconds=report.seconds,
        photos=[_photo(item, folder, out) for item, folder in zip(report.items, folders, strict=True)],
        titles=TITLES,
        presets=[known[name] for name in used if name in known],
        notes=[f"To do again what failed: {retry_command(out)}"] if report.failures else [],
    )
    write_page(page, out / PAGE_NAME)


def _photo(item: ReportItem, folder: str, out: Path) -> PagePhoto:
    remarks = [*item.confidence_reasons, *unasked(item.variants)]
    facts = [] if item.confidence is None else [f"confidence {item.confidence:.2f}"]
    facts.append(f"{item.seconds:.1f} s")
    if item.halved:
        facts.append("worked on at half its sides")
    error = None if item.error is None else failure_text(item.error.message, item.error.code)
    return PagePhoto(
        name=item.source,
        kind=_kind(item),
        thumbnail=_existing(thumbnail_path(folder), out),
        facts=", ".join(facts),
        remarks=remarks,
        error=error,
        pictures=[_picture(variant, folder, out) for variant in item.variants],
    )


def _kind(item: ReportItem) -> Kind:
    broken = any(rule.failed for variant in item.variants for rule in variant.compliance)
    altered = any(variant.fidelity.get("altered") for variant in item.variants)
    return kind_of(failed=item.failed, broken=broken, review=item.review or altered)


def _existing(path: str, out: Path) -> str | None:
    return link(path) if (out / path).is_file() else None


def _picture(variant: ReportVariant, folder: str, out: Path) -> PagePicture:
    # A picture of a run before there were thumbnails is shown itself.
    thumbnail = _existing(thumbnail_path(folder, variant.preset), out) or link(variant.path)
    told = [picture_facts(variant.width, variant.height, variant.format, variant.bytes)]
    return PagePicture(
        title=variant.preset,
        href=link(variant.path),
        thumbnail=thumbnail,
        facts="; ".join(filter(None, [*told, fidelity_text(variant.fidelity)])),
        rules=[reported_rule(rule) for rule in variant.compliance],
    )

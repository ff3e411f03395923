"""What `opal demo` shows on its contact sheet: which pictures, in which order, with which words."""

from collections.abc import Sequence
from datetime import date
from pathlib import Path

from opal.cli.contact_sheet import Column, Row, Tile, write_contact_sheet
from opal.cli.demo_run import PRESETS, DemoPhoto
from opal.cli.report import Report, ReportItem, ReportVariant
from opal.marketplaces.presets import load_presets

_CUTOUT = "cutout-png"


def write_demo_sheet(path: Path, out: Path, photos: Sequence[DemoPhoto], report: Report) -> None:
    """Draw original, cut-out, scene and every variant of every photo; results lie under ``out``."""
    pictures = sum(len(item.variants) for item in report.items)
    passed = sum(item.rules_passed[0] for item in report.items)
    rules = sum(item.rules_passed[1] for item in report.items)
    subtitle = " · ".join(
        (
            f"{len(report.items)} photos",
            f"{pictures} pictures",
            f"{passed} of {rules} rules met (under each picture: its own, and the product's unchanged share)",
            f"{report.seconds:.0f} s",
            f"{date.today():%-d %B %Y}",  # noqa: DTZ011 - the day where the reader sits
        )
    )
    rows = [_row(out, photo, item) for photo, item in zip(photos, report.items, strict=True)]
    write_contact_sheet(path, f"Opal {report.opal}", subtitle, _columns(), rows)


def _columns() -> list[Column]:
    presets = load_presets()
    columns = [
        Column("Original", "As sent"),
        Column("Cut-out", "On transparency"),
        Column("Scene", "In the photo's aspect"),
    ]
    for name in PRESETS:
        preset = presets[name]
        if name != _CUTOUT and preset.width and preset.height:
            size = f"{preset.width} × {preset.height} {preset.format.upper()}"
            columns.append(Column(preset.title, size, preset.width / preset.height))
    return columns


def _row(out: Path, photo: DemoPhoto, item: ReportItem) -> Row:
    original = Tile(photo.path, f"{photo.path.suffix[1:].upper()} · {_size(photo.path.stat().st_size)}")
    facts = [f"scene {photo.scene}", f"{item.seconds:.1f} s"]
    if item.failed or item.scene is None:
        reason = f"{item.error.code}: {item.error.message}" if item.error else item.status
        return Row(photo.path.stem, " · ".join(facts), (original,), reason)
    variants = {variant.preset: variant for variant in item.variants}
    if item.confidence is not None:
        facts.append(f"confidence {item.confidence:.2f}{', wants a look' if item.review else ''}")
    facts += [reason.rstrip(".").lower() for reason in item.confidence_reasons]
    tiles = [
        original,
        _variant_tile(out, variants[_CUTOUT]),
        Tile(out / item.scene),
        *(_variant_tile(out, variants[name]) for name in PRESETS if name != _CUTOUT),
    ]
    return Row(photo.path.stem, " · ".join(facts), tuple(tiles))


def _variant_tile(out: Path, variant: ReportVariant) -> Tile:
    broken = [rule.rule for rule in variant.compliance if rule.failed]
    total = len(variant.compliance)
    words = f"not met: {', '.join(broken)}" if broken else f"{total}/{total}"
    kept = variant.fidelity.get("share_within_de1")
    unchanged = "" if kept is None else f" · ΔE ≤ 1: {kept:.0%}"
    return Tile(out / variant.path, f"{words}{unchanged}", not broken)


def _size(count: int) -> str:
    return f"{count / 1000:,.0f} kB" if count < 1_000_000 else f"{count / 1e6:,.1f} MB"

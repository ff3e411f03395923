"""An item's pictures, ready to show: addresses, reports in words, where the photo lies in them.

Used by ``item_page.py`` and ``review_pages.py``.
"""

import asyncio
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, Final

from opal.assembly import Parts
from opal.blobs.interface import Permission
from opal.console.provenance import Provenance, read_provenance
from opal.console.words import words
from opal.database.variants import VariantRow
from opal.items.item import Item
from opal.marketplaces.presets import Preset
from opal.report_page.page import PageRule
from opal.report_page.wording import page_rule, sized
from opal.web_api.reports import RuleReport

# What browsers show at its own size.
_SHOWN: Final = frozenset({"jpeg", "png", "webp", "avif"})
_SHOWN_SIDE: Final = 2048
_LONG_NUMBER: Final = re.compile(r"(?<![\d.#a-f])\d{5,}(?![\d.a-f])")
_SIGNED: Final = {"none": "item.unsigned", "valid": "item.signed_by", "broken": "item.signed_broken"}


@dataclass(frozen=True, slots=True)
class Figure:
    """One line of a report: what it is, and how much."""

    name: str
    value: str
    bad: bool = False


@dataclass(frozen=True, slots=True)
class Lying:
    """Where the photo lies in a picture: turned clockwise, then scaled, then moved; picture pixels."""

    scale: float
    x: float
    y: float
    degrees: float


@dataclass(frozen=True, slots=True)
class ShownVariant:
    """One finished picture."""

    preset: str
    title: str
    facts: str
    width: int
    height: int
    thumbnail: str | None
    shown: str | None
    """The picture itself where browsers show its format, else a WebP of it; None once it has expired."""
    download: str | None
    filename: str
    transparent: bool
    rules: Sequence[PageRule]
    fidelity: Sequence[Figure]
    provenance: Sequence[Figure]
    lying: Lying | None
    """None for pictures of before it was kept."""

    @property
    def broken(self) -> int:
        """Rules for which the channel would refuse it."""
        return sum(rule.verdict == "failed" for rule in self.rules)

    @property
    def advised(self) -> int:
        """Advice that is not followed."""
        return sum(rule.verdict == "advice not followed" for rule in self.rules)


async def shown_variants(
    parts: Parts, item: Item, rows: Sequence[VariantRow], presets: Sequence[Preset], stem: str
) -> list[ShownVariant]:
    """The pictures in the order in which their presets were asked for."""
    titles = {preset.name: preset.title for preset in presets}
    order = {name: index for index, name in enumerate(titles)}
    listed = sorted(rows, key=lambda row: order.get(row.preset, len(order)))
    return list(await asyncio.gather(*(_shown(parts, item, row, titles, stem) for row in listed)))


async def _shown(
    parts: Parts, item: Item, row: VariantRow, titles: dict[str, str], stem: str
) -> ShownVariant:
    filename = f"{stem}-{row.preset}.{row.path.rpartition('.')[2]}"
    base = f"/v1/jobs/{item.job_id}/items/{item.id}/preview?preset={row.preset}&v={item.revision}"
    there = row.expired_at is None
    download = await _download(parts, row, filename) if there else None
    own = row.format in _SHOWN
    return ShownVariant(
        preset=row.preset,
        title=titles.get(row.preset, row.preset),
        facts=f"{row.width} × {row.height} {row.format.upper()}, {sized(row.bytes)}",
        width=row.width,
        height=row.height,
        thumbnail=f"{base}&side=320" if there else None,
        shown=None if not there else download if own else f"{base}&side={_SHOWN_SIDE}",
        download=download,
        filename=filename,
        transparent=row.format in {"png", "webp", "avif", "tiff"},
        rules=[_rule(RuleReport.model_validate(rule)) for rule in row.compliance],
        fidelity=_fidelity(row.fidelity or {}),
        provenance=_provenance(await read_provenance(parts.blobs, row)) if there else [],
        lying=_lying(row.placed or {}),
    )


async def _download(parts: Parts, row: VariantRow, filename: str) -> str:
    lifetime = timedelta(seconds=parts.settings.blob.url_lifetime_s)
    signed = await parts.blobs.signed_url(
        "exports", row.path, Permission.READ, lifetime, download_name=filename
    )
    return signed.url


def _rule(rule: RuleReport) -> PageRule:
    required = rule.level == "required"
    limit = _LONG_NUMBER.sub(lambda found: f"{int(found[0]):,}", rule.limit)
    for sign, symbol in (("<=", "≤"), (">=", "≥")):
        limit = limit.replace(f"{sign} ", f"{symbol}\N{NO-BREAK SPACE}").replace(sign, symbol)
    return page_rule(
        rule.rule, rule.measured, limit, passed=rule.passed, required=required, note=rule.fixed or ""
    )


def _fidelity(told: dict[str, Any]) -> list[Figure]:
    """The figures that there are; older pictures lack some."""
    share = told.get("share_within_de1")
    if share is None:
        return []
    say = words().say
    altered = bool(told.get("altered"))
    figures = [
        Figure(say("item.product"), say("item.altered" if altered else "item.unaltered"), bad=altered),
        Figure(say("item.within_de1"), f"{share:.2%}"),
    ]
    measured = (
        ("max_de", "item.max_de", 2),
        ("mean_de", "item.mean_de", 2),
        ("ssim", "item.ssim", 4),
        ("silhouette_iou", "item.silhouette_iou", 4),
    )
    there = [(told[name], title, digits) for name, title, digits in measured if told.get(name) is not None]
    return [*figures, *(Figure(say(title), f"{value:.{digits}f}") for value, title, digits in there)]


def _provenance(told: Provenance | None) -> list[Figure]:
    if told is None:
        return []
    say = words().say
    kind = f"source_type.{told.source_type or 'none'}"
    source = say(kind) if words().has(kind) else str(told.source_type)
    signed = say(_SIGNED[told.signature], signer=told.signer or "")
    return [
        Figure(say("item.source_type"), source),
        Figure(say("item.signed"), signed, bad=told.signature == "broken"),
    ]


def _lying(placed: dict[str, Any]) -> Lying | None:
    if placed.get("offset_x") is None or placed.get("offset_y") is None:
        return None
    return Lying(
        placed["scale"], placed["offset_x"], placed["offset_y"], placed.get("straightened_degrees", 0.0)
    )

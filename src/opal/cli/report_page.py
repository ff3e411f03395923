"""The page for people that `opal process` and `opal check` write: what it shows, and its rendering.

`process_page.py` and `check_page.py` fill it in. One HTML file without script, and without anything from
elsewhere but thumbnails by relative link; whatever a file is called, its name is text here.
"""

import os
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from opal import __version__
from opal.cli.whole_file import whole_file
from opal.marketplaces.presets import Limit, Preset

GENERATOR = '<meta name="generator" content="Opal'
"""By this a page is known to be ours to overwrite."""

Verdict = Literal["failed", "advice not followed", "not judged", "passed"]
Kind = Literal["failed", "broken", "review", "good"]


@dataclass(frozen=True, slots=True)
class PageRule:
    """One rule's outcome; `note` says what was fixed, or why it was not judged."""

    rule: str
    measured: str
    limit: str
    verdict: Verdict
    note: str = ""


@dataclass(frozen=True, slots=True)
class PagePicture:
    """One finished or checked picture and its rules."""

    title: str
    href: str | None
    thumbnail: str | None
    facts: str
    rules: Sequence[PageRule]

    @property
    def told(self) -> list[PageRule]:
        """Rules that get a row each: those not kept first, then those kept because something was done."""
        return [
            *(rule for rule in self.rules if rule.verdict == "failed"),
            *(rule for rule in self.rules if rule.verdict == "advice not followed"),
            *(rule for rule in self.rules if rule.verdict == "passed" and rule.note),
        ]

    @property
    def unjudged(self) -> str:
        """Rules that the file does not show, each with the reason."""
        rules = [rule for rule in self.rules if rule.verdict == "not judged"]
        return " ".join(f"{rule.rule} ({rule.limit}): {rule.note}" for rule in rules)

    @property
    def kept(self) -> list[PageRule]:
        """Rules that are kept without further ado."""
        return [rule for rule in self.rules if rule.verdict == "passed" and not rule.note]

    @property
    def failed(self) -> int:
        """How many rules a channel would refuse it for."""
        return sum(rule.verdict == "failed" for rule in self.rules)


@dataclass(frozen=True, slots=True)
class PagePhoto:
    """One photo or file, with all its pictures."""

    name: str
    kind: Kind
    thumbnail: str | None
    facts: str
    remarks: Sequence[str] = ()
    error: str | None = None
    pictures: Sequence[PagePicture] = ()

    @property
    def rules(self) -> int:
        """Rules in all."""
        return sum(len(picture.rules) for picture in self.pictures)

    @property
    def kept(self) -> int:
        """How many rules are kept without further ado."""
        return sum(len(picture.kept) for picture in self.pictures)

    @property
    def kept_text(self) -> str:
        """Those, a line each below their picture's name: a cell each makes a page of thousands too heavy."""
        lines = []
        for picture in self.pictures:
            lines.append(picture.title)
            lines += [f"  {rule.rule}: {rule.measured} ({rule.limit})" for rule in picture.kept]
        return "\n".join(lines)

    @property
    def failed(self) -> int:
        """Rules broken in all."""
        return sum(picture.failed for picture in self.pictures)


@dataclass(frozen=True, slots=True)
class Section:
    """Photos that share a fate; `opened` shows their details at once."""

    kind: Kind
    title: str
    photos: Sequence[PagePhoto]
    opened: bool


@dataclass(frozen=True, slots=True)
class PagePreset:
    """Where a preset's rules come from."""

    name: str
    title: str
    description: str
    sources: Sequence[str]


@dataclass(frozen=True, slots=True)
class ReportPage:
    """The whole page; `titles` names the four sections, failures first."""

    title: str
    counted: str
    """How many of what, such as `3 photos`."""
    seconds: float
    photos: Sequence[PagePhoto]
    titles: dict[Kind, str]
    presets: Sequence[Preset]
    notes: Sequence[str] = ()
    written: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def sections(self) -> list[Section]:
        """Those that have photos: what a person has to act on comes first and is open."""
        grouped = {kind: [photo for photo in self.photos if photo.kind == kind] for kind in self.titles}
        return [
            Section(kind, title, grouped[kind], opened=kind != "good")
            for kind, title in self.titles.items()
            if grouped[kind]
        ]

    @property
    def sources(self) -> list[PagePreset]:
        """The presets in use with the pages that their rules are from."""
        return [
            PagePreset(
                preset.name,
                preset.title,
                preset.description,
                list(dict.fromkeys(filter(_is_web_address, (rule.source or "" for rule in preset.rules)))),
            )
            for preset in self.presets
        ]


def write_page(page: ReportPage, path: Path) -> None:
    """Store the page whole or not at all. Raises OSError."""
    pieces = _environment().get_template("report.html.jinja").generate(page=page, opal=__version__)
    with whole_file(path) as file:
        file.writelines(piece.encode() for piece in pieces)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("opal.cli", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def link(path: Path | str) -> str:
    """A relative path as the value of `href` or `src`, whatever its name is made of."""
    return quote(os.fsencode(path).replace(os.sep.encode(), b"/"))


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


def rule_name(rule: str) -> str:
    """A rule's name in words."""
    return {"bytes": "file size in bytes", "dpi": "dots per inch", "ai_marking": "marking of AI"}.get(
        rule, rule.replace("_", " ")
    )


_PIXELS = frozenset(
    {"width", "height", "longest_side", "shortest_side", "side_sum", "clearance", "product_longest_side"}
)


def _is_web_address(source: str) -> bool:
    # A user's own preset may say anything here.
    return source.startswith(("https://", "http://"))

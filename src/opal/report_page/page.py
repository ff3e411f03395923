"""What the page shows, and its rendering.

Filled in by `opal process`, `opal check` and web-api, with the words of `wording.py`. One HTML file without
script, and without anything from elsewhere but thumbnails by relative link; whatever a file is called, its
name is text here.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Literal, TypeVar, overload
from urllib.parse import quote

from jinja2 import Environment, PackageLoader, StrictUndefined

from opal import __version__
from opal.marketplaces.presets import Preset

GENERATOR = '<meta name="generator" content="Opal'
"""By this a page is known to be ours to overwrite."""

Verdict = Literal["failed", "advice not followed", "not judged", "passed"]
Kind = Literal["failed", "broken", "review", "waiting", "good"]

TITLES: dict[Kind, str] = {
    "failed": "Failed",
    "broken": "Break a rule",
    "review": "Want a look",
    "good": "In order",
}
"""Of the sections, in their order: what a person has to act on comes first."""


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


S = TypeVar("S")
T = TypeVar("T")


class Lazily(Sequence[T]):
    """What a function makes of each of some things, made anew whenever it is asked for."""

    def __init__(self, make: Callable[[S], T], things: Sequence[S]) -> None:
        self._make: Callable[[Any], T] = make
        self._things: Sequence[Any] = things

    @overload
    def __getitem__(self, place: int) -> T: ...
    @overload
    def __getitem__(self, place: slice) -> "Lazily[T]": ...
    def __getitem__(self, place: int | slice) -> "T | Lazily[T]":
        """The thing at a place, or those of a slice."""
        if isinstance(place, slice):
            return Lazily(self._make, self._things[place])
        return self._make(self._things[place])

    def __len__(self) -> int:
        """How many there are."""
        return len(self._things)


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
    """The whole page, or one of several; `titles` names the sections, failures first.

    `photos` may make each photo when it is asked for, more than once: thousands need not be there together.
    """

    title: str
    counted: str
    """How many of what, such as `3 photos`."""
    seconds: float
    photos: Sequence[PagePhoto]
    titles: dict[Kind, str]
    presets: Sequence[Preset]
    notes: Sequence[str] = ()
    embedded: bool = False
    """Thumbnails are in the page itself; nothing at all is loaded."""
    before: str | None = None
    """Address of the page before, and `after` of the one after, where there are several."""
    after: str | None = None
    written: datetime = field(default_factory=lambda: datetime.now(UTC))

    @property
    def sections(self) -> list[Section]:
        """Those that have photos: what a person has to act on comes first and is open."""
        places: dict[Kind, list[int]] = {kind: [] for kind in self.titles}
        for place, photo in enumerate(self.photos):
            places[photo.kind].append(place)
        return [
            Section(kind, title, Lazily(self.photos.__getitem__, places[kind]), opened=kind != "good")
            for kind, title in self.titles.items()
            if places[kind]
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
    unfinished = path.with_name(f".{path.name}.part")
    try:
        with unfinished.open("w", encoding="utf-8") as file:
            file.writelines(render(page))
        unfinished.replace(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise


def render(page: ReportPage) -> Iterator[str]:
    """The page's HTML, piece by piece."""
    return _environment().get_template("report.html.jinja").generate(page=page, opal=__version__)


def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("opal.report_page", "pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


def link(path: Path | str) -> str:
    """A relative path as the value of `href` or `src`, whatever its name is made of."""
    return quote(os.fsencode(path).replace(os.sep.encode(), b"/"))


def _is_web_address(source: str) -> bool:
    # A user's own preset may say anything here.
    return source.startswith(("https://", "http://"))

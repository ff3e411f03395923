"""The page for people of `opal check --html`."""

import os
from collections.abc import Sequence
from pathlib import Path

from opal.cli.check_report import CheckedPicture, CheckedPreset, CheckedRule, CheckReport, summary_lines
from opal.errors import InvalidInput
from opal.marketplaces.presets import Preset
from opal.report_page.page import TITLES, Kind, PagePhoto, PagePicture, PageRule, ReportPage, link, write_page
from opal.report_page.wording import failure_text, kind_of, page_rule, picture_facts

_TITLES: dict[Kind, str] = {**TITLES, "failed": "Cannot be read"}


class CheckPage:
    """One page and its folder of thumbnails, which lies beside it and has its name."""

    def __init__(self, path: Path) -> None:
        """Raises InvalidInput for a name that is not a page's; it may be a picture's by mistake."""
        if path.suffix.lower() not in {".html", ".htm"} or path.is_dir():
            raise InvalidInput(f"{path} is no name for a page; let it end in .html.")
        self._path = path
        self._folder = path.with_name(f"{path.stem}_thumbnails")

    def thumbnail(self, number: int) -> Path:
        """Where the thumbnail of the picture of that number goes; the folder is made."""
        self._folder.mkdir(parents=True, exist_ok=True)
        return self._folder / f"{number:06d}.webp"

    def write(self, report: CheckReport, paths: Sequence[Path], presets: Sequence[Preset]) -> None:
        """Write the page of pictures that lie at these paths."""
        photos = [
            self._photo(picture, path, self.thumbnail(number))
            for number, (picture, path) in enumerate(zip(report.pictures, paths, strict=True))
        ]
        names = ", ".join(preset.name for preset in presets)
        page = ReportPage(
            title=f"Pictures held against {names}",
            counted=f"{len(photos)} picture{'' if len(photos) == 1 else 's'}",
            seconds=report.seconds,
            photos=photos,
            titles=_TITLES,
            presets=presets,
            notes=summary_lines(report),
        )
        write_page(page, self._path)

    def _photo(self, picture: CheckedPicture, path: Path, thumbnail: Path) -> PagePhoto:
        if picture.error is not None:
            error = failure_text(picture.error.message, picture.error.code)
            return PagePhoto(picture.file, "failed", None, "", error=error)
        facts = picture_facts(picture.width, picture.height, picture.format, picture.bytes)
        if picture.product == "own transparency":
            facts += "; the product was measured by the file's own transparency"
        kind = kind_of(failed=False, broken=not picture.passed, review=picture.review)
        href = link(_from(path, self._path.parent))
        return PagePhoto(
            name=picture.file,
            kind=kind,
            thumbnail=link(f"{self._folder.name}/{thumbnail.name}"),
            facts=facts,
            remarks=picture.confidence_reasons,
            pictures=[_picture(preset, href) for preset in picture.presets],
        )


def _from(path: Path, folder: Path) -> str:
    """The path as seen from a folder; as it is where no way leads there (another drive)."""
    try:
        return os.path.relpath(path, folder)
    except ValueError:
        return str(path.resolve())


def _picture(checked: CheckedPreset, href: str) -> PagePicture:
    rules = [_rule(rule) for rule in checked.rules]
    return PagePicture(checked.preset, href, None, "", rules)


def _rule(rule: CheckedRule) -> PageRule:
    own = "Opal's own rule" if rule.broken and rule.authority == "own" else ""
    return page_rule(
        rule.rule,
        rule.measured,
        rule.limit,
        passed=rule.verdict == "passed",
        required=rule.level == "required",
        judged=rule.verdict != "not judged",
        note=rule.why or own,
    )

"""The result folder of `opal process`: which photo owns which subfolder, and what is done already."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pydantic import BaseModel, Field, ValidationError

from opal.cli.photo_files import result_folders
from opal.cli.report import Report, ReportItem, write_report
from opal.errors import InvalidInput

REPORT_NAME = "report.json"


class KeptSource(BaseModel):
    """What a subfolder was made from; equal hashes mean that it need not be made again."""

    path: str
    sha256: str
    recipe: str


class FolderReport(Report):
    """The report of a result folder: everything in it, with its sources by subfolder, in the items' order."""

    sources: dict[str, KeptSource] = Field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Work:
    """One photo to make, or one that an earlier run has made (``done``)."""

    photo: Path
    folder: str
    sha256: str
    done: ReportItem | None


class ResultFolder:
    """Reads the folder's report once, and rewrites it as photos are done. Safe for several threads."""

    def __init__(self, out: Path, recipe: Mapping[str, object], *, review_below: float = 0.0) -> None:
        self.out = out
        self._recipe = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        self._review_below = review_below
        self._lock = Lock()
        self._items: dict[str, ReportItem] = {}
        self._sources: dict[str, KeptSource] = {}
        self._read()

    def plan(self, photos: list[Path]) -> list[Work]:
        """Give every photo its subfolder: the one it had, or a new one that no other photo owns."""
        owners = {kept.path: folder for folder, kept in self._sources.items()}
        known = [photo for photo in photos if str(photo.resolve()) in owners]
        fresh = [photo for photo in photos if str(photo.resolve()) not in owners]
        # The names in use come first, so that new photos get the numbers after them.
        folders = result_folders([*(Path(f"{folder}.x") for folder in self._sources), *fresh])
        names = dict(zip(fresh, folders[len(self._sources) :], strict=True))
        names.update({photo: owners[str(photo.resolve())] for photo in known})
        return [self._work(photo, names[photo]) for photo in photos]

    def note(self, work: Work, item: ReportItem) -> None:
        """Remember what became of ``work``."""
        with self._lock:
            self._items[work.folder] = item
            self._sources[work.folder] = KeptSource(
                path=str(work.photo.resolve()), sha256=work.sha256, recipe=self._recipe
            )

    def save(self, seconds: float) -> None:
        """Write the report of the folder as it is now."""
        with self._lock:
            report = FolderReport(
                seconds=seconds, items=list(self._items.values()), sources=dict(self._sources)
            )
        write_report(report, self.out / REPORT_NAME)

    def _work(self, photo: Path, folder: str) -> Work:
        try:
            with photo.open("rb") as file:
                digest = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError:
            # Unreadable now; the processing says so with its own code.
            return Work(photo, folder, "", None)
        kept, item = self._sources.get(folder), self._items.get(folder)
        same = kept is not None and kept.sha256 == digest and kept.recipe == self._recipe
        whole = item is not None and not item.failed and self._all_there(item)
        return Work(photo, folder, digest, item if same and whole else None)

    def _all_there(self, item: ReportItem) -> bool:
        paths = [*(variant.path for variant in item.variants), *filter(None, (item.matte,))]
        return all((self.out / path).is_file() for path in paths)

    def _read(self) -> None:
        path = self.out / REPORT_NAME
        if not path.exists():
            return
        try:
            report = FolderReport.model_validate_json(path.read_bytes())
        except ValidationError:
            report = None
        # Somebody else's file of that name is not ours to overwrite.
        if report is None or len(report.sources) != len(report.items):
            raise InvalidInput(f"{path} is not a report of `opal process`; choose another --out.")
        self._sources = dict(report.sources)
        # The pictures are the same whatever the setting was then; the mark is of today.
        marked = [item.marked(self._review_below) for item in report.items]
        self._items = dict(zip(report.sources, marked, strict=True))

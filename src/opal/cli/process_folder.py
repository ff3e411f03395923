"""The result folder of `opal process`: which photo owns which subfolder, and what is done already."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from threading import Lock

from pydantic import Field, ValidationError

from opal.cli.photo_files import result_folders
from opal.cli.process_failures import Failures, RunOptions, read_failures
from opal.cli.process_journal import Entry, Journal, KeptSource
from opal.cli.process_page import refuse_foreign_page, write_process_page
from opal.cli.report import Report, ReportItem, write_report
from opal.cli.shown_name import path_key
from opal.errors import InvalidInput

REPORT_NAME = "report.json"


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
    """Reads the folder's report and journal once, and writes down what is begun and done.

    Safe for several threads; one process at a time has it.
    """

    def __init__(
        self, out: Path, recipe: Mapping[str, object], options: RunOptions, *, review_below: float = 0.0
    ) -> None:
        """Raises InvalidInput for a folder that another run works in, or whose reports are not ours."""
        self.out = out
        self._recipe = hashlib.sha256(json.dumps(recipe, sort_keys=True).encode()).hexdigest()
        self._options = {**read_failures(out).options, self._recipe: options}
        self._review_below = review_below
        self._lock = Lock()
        self._items: dict[str, ReportItem] = {}
        self._sources: dict[str, KeptSource] = {}
        self._read()
        self._journal = Journal(out)
        self._replay()

    def plan(self, photos: list[Path]) -> list[Work]:
        """Give every photo its subfolder: the one it had, or a new one that no other photo owns.

        What will be made anew counts as not made from here on, whatever becomes of this run.
        """
        owners = {kept.path: folder for folder, kept in self._sources.items()}
        known = [photo for photo in photos if path_key(photo.resolve()) in owners]
        fresh = [photo for photo in photos if path_key(photo.resolve()) not in owners]
        names = dict(zip(fresh, result_folders(fresh, in_use=self._sources), strict=True))
        names.update({photo: owners[path_key(photo.resolve())] for photo in known})
        works = [self._work(photo, names[photo]) for photo in photos]
        begun = [Entry(folder=work.folder, source=self._source(work)) for work in works if work.done is None]
        self._journal.write(begun)
        for entry in begun:
            self._take(entry)
        return works

    def note(self, work: Work, item: ReportItem) -> None:
        """Remember what became of ``work``."""
        entry = Entry(folder=work.folder, source=self._source(work), item=item)
        with self._lock:
            self._journal.write([entry])
            self._take(entry)

    def save(self, seconds: float, *, ended: bool) -> None:
        """Write the reports of the folder as it is now, and the list of what failed.

        The journal goes once the run has `ended`.
        """
        with self._lock:
            sources = {folder: self._sources[folder] for folder in self._items}
            report = FolderReport(seconds=seconds, items=list(self._items.values()), sources=sources)
        write_report(report, self.out / REPORT_NAME)
        write_process_page(report, list(sources), self.out)
        failed = [(sources[folder], item) for folder, item in zip(sources, report.items, strict=True)]
        Failures.of(((source, item) for source, item in failed if item.failed), self._options).save(self.out)
        if ended:
            self._journal.remove()

    def close(self) -> None:
        """Let another run have the folder; what the journal says stays for it."""
        self._journal.close()

    def _take(self, entry: Entry) -> None:
        self._sources[entry.folder] = entry.source
        if entry.item is None:
            self._items.pop(entry.folder, None)
        else:
            self._items[entry.folder] = entry.item

    def _replay(self) -> None:
        for entry in self._journal.entries():
            self._take(entry)
        # The pictures are the same whatever the setting was then; the mark is of today.
        self._items = {folder: item.marked(self._review_below) for folder, item in self._items.items()}

    def _source(self, work: Work) -> KeptSource:
        return KeptSource(path=path_key(work.photo.resolve()), sha256=work.sha256, recipe=self._recipe)

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
        try:
            whole = all((self.out / each.path).stat().st_size == each.bytes for each in item.variants)
        except OSError:
            return False
        return whole and (item.matte is None or (self.out / item.matte).is_file())

    def _read(self) -> None:
        path = self.out / REPORT_NAME
        refuse_foreign_page(self.out)
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
        self._items = dict(zip(report.sources, report.items, strict=True))

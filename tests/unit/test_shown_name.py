"""Any file's name can be printed, stored and told apart."""

import json
import os
from pathlib import Path

import pytest

from opal.cli.report import Report, ReportError, ReportItem
from opal.cli.shown_name import path_key, shown

LATIN = os.fsdecode(b"caf\xe9.jpg")


@pytest.mark.parametrize(
    ("name", "text"),
    [("café.jpg", "café.jpg"), (LATIN, "caf\\xe9.jpg"), ("half \ud83d.jpg", "half \\ud83d.jpg")],
)
def test_a_name_becomes_text(name: str, text: str) -> None:
    assert shown(name) == text


def test_a_report_holds_any_name() -> None:
    error = ReportError(code="file_unusable", message=f"{LATIN}: Permission denied.")
    item = ReportItem(source=LATIN, status="failed", seconds=0.0, error=error)
    kept = json.loads(Report(seconds=1.0, items=[item]).model_dump_json())["items"][0]
    assert (kept["source"], kept["error"]["message"]) == ("caf\\xe9.jpg", "caf\\xe9.jpg: Permission denied.")


def test_two_paths_never_have_one_key() -> None:
    paths = [Path("/photos") / name for name in (LATIN, "caf\\xe9.jpg", "café.jpg", "caf%E9.jpg")]
    assert len({path_key(path) for path in paths}) == 4
    assert path_key(paths[0]).encode()

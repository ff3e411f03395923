"""The generated parts of docs/*.md are what the code says now, and the generator refuses half a page."""

import subprocess
import sys

import pytest
from docs.generate.regions import code, fill, table
from tests.project.source_tree import ROOT

from opal.items.states import ItemState, JobStatus


def test_every_generated_page_is_fresh() -> None:
    # A process of its own: what other tests imported must neither add to the pages nor hide a fault.
    check = [sys.executable, "-m", "docs.generate", "--check"]
    done = subprocess.run(check, cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{done.stdout}{done.stderr[-2000:]}\nRun `make docs`."


def test_every_state_and_status_is_explained() -> None:
    page = (ROOT / "docs" / "states.md").read_text("utf-8")
    silent = [state for state in (*ItemState, *JobStatus) if f"\n| {code(state)} | " not in page]
    assert not silent


def test_a_part_goes_between_its_marks_and_nothing_else_changes() -> None:
    page = "before\n<!-- begin generated: a (make docs) -->\nold\n<!-- end generated -->\nafter\n"
    filled = fill(page, {"a": "new"})
    assert filled == page.replace("old\n", "\nnew\n\n")
    assert fill(filled, {"a": "new"}) == filled


@pytest.mark.parametrize("parts", [{}, {"a": "", "b": ""}, {"b": ""}])
def test_marks_and_parts_must_agree(parts: dict[str, str]) -> None:
    page = "<!-- begin generated: a (make docs) -->\n<!-- end generated -->\n"
    with pytest.raises(ValueError, match="no marks for"):
        fill(page, parts)


def test_a_cell_cannot_end_its_row() -> None:
    assert table(("x", "y"), [("a|b", "c\nd")]).splitlines()[-1] == "| a\\|b | c d |"

"""`report.json` and its table: who wants a look, and nothing is enlarged without saying so."""

import pytest

from opal.cli.report import Report, ReportItem, ReportPlaced, ReportVariant, review_line, summary_rows
from opal.cli.terminal import one_line


def _variant(placed: ReportPlaced | None) -> ReportVariant:
    return ReportVariant(
        preset="square-1x1", path="p", width=1, height=1, bytes=1, format="png", compliance=[], placed=placed
    )


def _item(confidence: float | None, *, placed: ReportPlaced | None = None) -> ReportItem:
    reasons = [] if confidence == 1.0 else ["There are 2 separate subjects."]
    return ReportItem(
        source="mug.jpg",
        status="exported" if confidence is not None else "failed",
        seconds=1.0,
        confidence=confidence,
        confidence_reasons=reasons,
        variants=[_variant(placed)],
    )


@pytest.mark.parametrize(
    ("confidence", "below", "review"),
    [(0.7, 0.8, True), (0.8, 0.8, False), (0.7, 0.0, False), (0.0, 0.0, False), (None, 0.8, False)],
)
def test_the_mark_follows_the_setting_also_for_pictures_of_an_earlier_run(
    confidence: float | None, below: float, review: bool
) -> None:
    assert _item(confidence).marked(below).review is review


def test_the_summary_says_how_many_want_a_look() -> None:
    items = [_item(confidence).marked(0.8) for confidence in (1.0, 0.7, 0.5)]
    report = Report(seconds=1.0, items=items)
    assert (report.reviews, report.failures) == (2, 0)
    assert review_line(report) == "2 of 3 photos want a look (review)."
    assert review_line(Report(seconds=1.0, items=items[:2])) == "1 of 2 photos wants a look (review)."
    assert review_line(Report(seconds=1.0, items=items[:1])) == ""
    remarks = [row[-1] for row in summary_rows(items)]
    assert remarks == ["", *["review: There are 2 separate subjects"] * 2]


def test_the_table_says_what_was_enlarged_or_kept_smaller() -> None:
    placed = ReportPlaced(scale=2.0, upscaled=True, capped=True)
    [row] = summary_rows([_item(1.0, placed=placed)])
    assert row[-1] == "enlarged: square-1x1 2.00 ×; smaller than asked: square-1x1"
    [row] = summary_rows([_item(1.0, placed=ReportPlaced(scale=0.5))])
    assert row[-1] == ""


@pytest.mark.parametrize(
    ("text", "line"),
    [("a\nb.jpg", "a b.jpg"), ("\x1b[31mred.jpg", "\\x1b[31mred.jpg"), ("ΔE ≤ 1 [bold]", "ΔE ≤ 1 [bold]")],
)
def test_a_name_cannot_steer_the_terminal(text: str, line: str) -> None:
    assert one_line(text) == line

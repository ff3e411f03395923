"""`report.html`: names are text, what wants attention comes first, and nothing is fetched from elsewhere."""

import os
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from urllib.parse import unquote

import pytest

from opal.cli.process_page import refuse_foreign_page, thumbnail_path, write_process_page
from opal.cli.report import Report, ReportError, ReportItem, ReportRule, ReportVariant
from opal.errors import InvalidInput
from opal.report_page.page import link
from opal.report_page.wording import sized, value_text

NASTY = '<script>alert("x")</script>&amp;{{ 7*7 }}\' onload=x.jpg'
_EMPTY = {"meta", "img", "br"}


class Read(HTMLParser):
    """Tags with their attributes, texts, and whether every element is closed by its own tag."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        # A cell's own end tag may be left out.
        if tag not in _EMPTY and tag not in {"td", "th"}:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def all(self, tag: str) -> list[dict[str, str | None]]:
        return [attributes for name, attributes in self.tags if name == tag]


def rule(name: str = "fill_share", *, passed: bool = True, **more: str) -> ReportRule:
    return ReportRule(rule=name, measured=0.5, limit=">= 0.85", passed=passed, **more)


def item(source: str, *rules: ReportRule, folder: str = "mug", review: bool = False) -> ReportItem:
    variant = ReportVariant(
        preset="amazon-main",
        path=f"{folder}/amazon-main.jpg",
        width=2000,
        height=2000,
        bytes=123_456,
        format="jpeg",
        compliance=list(rules or (rule(),)),
        fidelity={"share_within_de1": 0.99, "ssim": 0.999, "altered": False},
    )
    reasons = ["There are 2 separate subjects."] if review else []
    return ReportItem(
        source=source,
        status="exported",
        seconds=1.0,
        confidence=0.7,
        review=review,
        confidence_reasons=reasons,
        variants=[variant],
    )


def failed(source: str, message: str = "It is damaged.") -> ReportItem:
    return ReportItem(
        source=source, status="failed", seconds=0.0, error=ReportError(code="image_corrupt", message=message)
    )


def page(out: Path, *items: ReportItem, folders: list[str] | None = None) -> Read:
    names = folders or [f"photo-{number}" for number in range(len(items))]
    write_process_page(Report(seconds=2.0, items=list(items)), names, out)
    return Read((out / "report.html").read_text("utf-8"))


def test_a_name_is_text_and_never_markup(tmp_path: Path) -> None:
    read = page(tmp_path, failed(NASTY, NASTY), item(NASTY, rule(passed=False, fixed=NASTY)))
    assert not read.open
    assert not read.all("script")
    assert {name for _, attributes in read.tags for name in attributes}.isdisjoint({"onload", "onerror"})
    text = "".join(read.texts)
    assert text.count(NASTY) == 4
    assert NASTY in str(read.all("img")[-1]["alt"])


def test_failures_and_what_wants_a_look_come_first_and_are_open(tmp_path: Path) -> None:
    read = page(
        tmp_path,
        item("good.jpg"),
        item("review.jpg", review=True),
        item("broken.jpg", rule(passed=False)),
        failed("failed.jpg"),
        item("advised.jpg", rule(passed=False, level="advised")),
    )
    names = [text for text in read.texts if text.endswith(".jpg")]
    assert names == ["failed.jpg", "broken.jpg", "review.jpg", "good.jpg", "advised.jpg"]
    photos = [attributes for attributes in read.all("details") if attributes["class"] == "photo"]
    assert ["open" in attributes for attributes in photos] == [True, True, False, False]
    assert [attributes["href"] for attributes in read.all("a")][:4] == [
        "#failed",
        "#broken",
        "#review",
        "#good",
    ]


def test_every_rule_is_there_with_measure_limit_verdict_and_what_was_fixed(tmp_path: Path) -> None:
    read = page(
        tmp_path,
        item(
            "mug.jpg",
            rule("fill_share", passed=False),
            rule("bytes", fixed="quality lowered from 95 to 88"),
            rule("width", passed=False, level="advised"),
            rule("longest_side"),
        ),
    )
    text = "|".join(read.texts)
    assert "fill share|0.5|>= 0.85|✗ failed" in text
    assert "file size in bytes|0.5|>= 0.85|✓ passed: quality lowered from 95 to 88" in text
    assert "width|0.5 px|>= 0.85|! advice not followed" in text
    assert "longest side: 0.5 px (>= 0.85)" in text
    assert "1 of 4 rules broken" in text
    assert "99.00% of the product's pixels within ΔE 1 of the photo" in text


def test_nothing_comes_from_elsewhere_and_thumbnails_wait(tmp_path: Path) -> None:
    (tmp_path / "_thumbnails" / "mug é").mkdir(parents=True)
    (tmp_path / thumbnail_path("mug é", "amazon-main")).touch()
    read = page(tmp_path, item("mug.jpg", folder="mug é"), folders=["mug é"])
    [policy] = [tag["content"] for tag in read.all("meta") if "http-equiv" in tag]
    assert "default-src 'none'" in str(policy)
    assert not read.all("link")
    [thumbnail] = read.all("img")
    assert thumbnail["loading"] == "lazy"
    assert unquote(str(thumbnail["src"])) == "_thumbnails/mug é/amazon-main.webp"
    assert thumbnail["src"] == str(thumbnail["src"]).encode("ascii").decode()


def test_a_picture_of_a_run_before_there_were_thumbnails_is_shown_itself(tmp_path: Path) -> None:
    [shown] = page(tmp_path, item("mug.jpg")).all("img")
    assert shown["src"] == "mug/amazon-main.jpg"


def test_it_can_be_read_by_all(tmp_path: Path) -> None:
    read = page(tmp_path, item("mug.jpg", rule(passed=False)), failed("cut.jpg"))
    assert read.all("html") == [{"lang": "en"}]
    assert any("width=device-width" in str(tag.get("content")) for tag in read.all("meta"))
    assert all("alt" in attributes for attributes in read.all("img"))
    assert {attributes["scope"] for attributes in read.all("th")} == {"col"}
    levels = [int(tag[1]) for tag, _ in read.tags if tag in {"h1", "h2", "h3", "h4"}]
    assert levels[0] == 1
    assert all(after - before <= 1 for before, after in pairwise(levels))
    titles = {attributes["id"] for _, attributes in read.tags if "id" in attributes}
    assert {str(tag["aria-labelledby"]) for tag in read.all("section")} <= titles


def test_somebody_elses_page_is_never_overwritten(tmp_path: Path) -> None:
    refuse_foreign_page(tmp_path)
    page(tmp_path, item("mug.jpg"))
    refuse_foreign_page(tmp_path)
    (tmp_path / "report.html").write_text("<html>mine</html>")
    with pytest.raises(InvalidInput, match="choose another --out"):
        refuse_foreign_page(tmp_path)


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("a b/c.jpg", "a%20b/c.jpg"),
        ("javascript:alert(1).jpg", "javascript%3Aalert%281%29.jpg"),
        ('"><img src=x>.jpg', "%22%3E%3Cimg%20src%3Dx%3E.jpg"),
        (os.fsdecode(b"caf\xe9.jpg"), "caf%E9.jpg"),
        ("50%#?.jpg", "50%25%23%3F.jpg"),
    ],
)
def test_a_link_leads_to_the_file_whatever_it_is_called(path: str, value: str) -> None:
    assert link(path) == value


def test_values_are_for_people() -> None:
    assert [sized(count) for count in (12, 345_678, 12_345_678)] == ["12 bytes", "345.7 kB", "12.3 MB"]
    assert value_text("bytes", 345_678) == "345,678"
    assert [value_text("width", 2000), value_text("has_alpha", False), value_text("fill_share", None)] == [
        "2000 px",
        "no",
        "none found",
    ]

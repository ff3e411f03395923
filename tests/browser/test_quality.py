"""What every page of the console must be, whichever it is: found by its route, looked at in Chromium."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Response, expect
from playwright.sync_api import Page as Tab
from tests.browser.axe import violations
from tests.browser.conftest import Up, drop
from tests.browser.console_pages import ConsolePage, api_client, console_pages, finished_job, settings_ids

pytestmark = pytest.mark.xdist_group("browser")

BUDGET = 100_000
"""Bytes on their way, without pictures; style sheets and modules are compressed, pages are not."""
SHIFT = 0.02
"""Cumulative layout shift; up to 0.1 counts as good."""
_TOLD = """() => {
    const told = (name) => document.querySelector(`meta[name="${name}"]`)?.content ?? "";
    return {
        lang: document.documentElement.lang,
        title: document.title,
        viewport: told("viewport"),
        headings: document.querySelectorAll("h1").length,
        scripts: [...document.scripts].filter((each) => !each.src && each.type !== "application/json").length,
        unsized: [...document.images].filter((each) => each.checkVisibility())
            .filter((each) => !(each.clientWidth && each.clientHeight)).map((each) => each.src),
        shift: window.shift,
    };
}"""
_WATCH_SHIFT = """window.shift = 0;
new PerformanceObserver((list) => {
    for (const entry of list.getEntries()) if (!entry.hadRecentInput) window.shift += entry.value;
}).observe({type: "layout-shift", buffered: true});"""


@pytest.fixture(scope="module")
def pages(up: Up, photos: list[Path]) -> list[ConsolePage]:
    """All pages, with a job of two photos of which one failed."""
    sent = [("mug.jpg", photos[0].read_bytes()), ("notes.jpg", b"no picture")]
    with api_client(up.url, up.key) as client:
        _, ids = finished_job(client, sent, name="Spring", presets=["square-1x1", "amazon-main"])
        ids |= settings_ids(client)
    return console_pages(ids)


def with_photos(tab: Tab) -> None:
    """The start page with a photo that is good and a file that is none."""
    drop(tab, ("mug.png", "image/png", b"\x89PNG"), ("x.txt", "text/plain", b"x"))
    expect(tab.locator("#photos .card")).to_have_count(2)


ARRANGED: dict[str, Callable[[Tab], None]] = {"/": with_photos}
"""What to do on a page before it is looked at, by its route."""


def test_every_page_is_sound_light_and_open_to_everybody(
    up: Up, browser: Browser, session: Any, pages: list[ConsolePage]
) -> None:
    for page in pages:
        context = browser.new_context(
            base_url=up.url,
            storage_state=session if page.signed_in else None,
            viewport={"width": 1280, "height": 800},
            reduced_motion="reduce",
        )
        context.add_init_script(_WATCH_SHIFT)
        context.set_default_timeout(30_000)
        _look_at(context.new_page(), page)
        context.close()


def _look_at(tab: Tab, page: ConsolePage) -> None:
    answers: list[Response] = []
    faults: list[str] = []
    tab.on("response", lambda answer: answers.append(answer))  # noqa: PLW0108 - Playwright marks it
    tab.on("console", lambda line: faults.append(line.text) if line.type in {"error", "warning"} else None)
    tab.on("pageerror", lambda error: faults.append(str(error)))
    first = tab.goto(page.address)
    assert first is not None
    tab.wait_for_load_state("networkidle" if page.route == "/sign-in" else "load")
    _check_answers(page, first, answers)
    told = tab.evaluate(_TOLD)
    assert told["lang"] == "en", page.route
    assert told["title"].endswith(" – Opal"), page.route
    assert told["viewport"] == "width=device-width, initial-scale=1", page.route
    counted = {name: told[name] for name in ("headings", "scripts", "unsized")}
    assert counted == {"headings": 1, "scripts": 0, "unsized": []}, page.route
    # As it was sent: what modules set through the CSSOM is no inline style, and the policy lets it.
    assert not re.findall(r"<style|<[^>]*\sstyle\s*=", first.text()), page.route
    assert told["shift"] < SHIFT, page.route
    if page.route in ARRANGED:
        ARRANGED[page.route](tab)
    for scheme, width in (("light", 1280), ("dark", 360)):
        tab.set_viewport_size({"width": width, "height": 800})
        tab.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]  # one of the two
        assert tab.evaluate("document.documentElement.scrollWidth") == width, page.route
        found = violations(tab)
        assert not found, f"{page.route} {scheme} {width}: {found}"
    expected = 1 if first.status >= 400 else 0
    assert len(faults) <= expected, f"{page.route}: {faults}"


def _check_answers(page: ConsolePage, first: Response, answers: list[Response]) -> None:
    policy = first.headers["content-security-policy"]
    assert "default-src 'none'" in policy, page.route
    assert "unsafe" not in policy, page.route
    assert first.headers["cache-control"] == "private, no-store", page.route
    assert first.headers["x-content-type-options"] == "nosniff", page.route
    weight = 0
    for answer in answers:
        assert answer.status < 400 or answer.request.is_navigation_request(), f"{page.route}: {answer.url}"
        kind = answer.request.resource_type
        if "/assets/" in answer.url:
            assert "immutable" in answer.headers["cache-control"], answer.url
            assert answer.headers["content-encoding"] == "gzip", answer.url
        if kind in {"document", "script", "stylesheet"}:
            weight += answer.request.sizes()["responseBodySize"]
    assert 0 < weight < BUDGET, page.route

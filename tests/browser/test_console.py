"""The console in a real browser against a real `opal up`, with the real cut-out."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, FileChooser, Page, Route, expect
from tests.browser.axe import violations
from tests.browser.conftest import Up, drop

from opal.console.words import words

# One worker runs them all, on one `opal up`.
pytestmark = pytest.mark.xdist_group("browser")

FINISHED = "#status.finished"
_WAIT_MS = 60_000


@pytest.fixture(scope="module")
def empty_page_faults(up: Up, browser: Browser, session: Any) -> list[str]:
    """What axe finds on the list of jobs while there is none; asked before any test makes one."""
    context = browser.new_context(base_url=up.url, storage_state=session)
    page = context.new_page()
    page.goto("/jobs")
    expect(page.get_by_role("heading", name="No jobs yet")).to_be_visible()
    found = violations(page)
    context.close()
    return found


def card(page: Page, name: str) -> Any:
    return page.locator(".card").filter(has_text=name)


def test_an_empty_list_teaches_and_keeps_nobody_out(empty_page_faults: list[str]) -> None:
    assert not empty_page_faults


def test_from_the_drop_to_the_finished_job(
    page: Page, photos: list[Path], empty_page_faults: list[str]
) -> None:
    page.goto("/")
    drop(page, *((each.name, "image/jpeg", each.read_bytes()) for each in photos))
    expect(page.locator("#photos .card")).to_have_count(2)
    expect(page.locator("#photos img:visible")).to_have_count(2)
    page.locator("label.scene", has_text="Oak").click()
    page.locator(".preset label", has_text="Amazon main image").click()
    page.get_by_label("Name of the job").fill("Two of the kitchen")
    expect(page.locator("#summary")).to_have_text("2 photos · Oak · 2 formats")
    expect(page.locator("#cost")).to_contain_text("4 pictures · 2 credits")
    broken: list[str] = []

    def break_once(route: Route) -> None:
        broken.append(route.request.url)
        route.abort() if len(broken) == 1 else route.continue_()

    page.route("**/blobs/raw/**", break_once)
    page.get_by_role("button", name="Make pictures").click()
    page.wait_for_url("**/jobs/job_*", timeout=_WAIT_MS)
    # The photo whose connection broke was sent anew, to another address.
    assert len(set(broken)) == 3
    expect(page.locator(FINISHED)).to_be_visible(timeout=_WAIT_MS)
    expect(page.locator('.card[data-state="exported"]')).to_have_count(2)
    expect(card(page, photos[0].name).locator(".card-steps")).to_contain_text("cut-out")
    assert page.locator(".card img").first.evaluate("image => image.decode().then(() => image.naturalWidth)")
    with page.expect_download() as archive:
        page.get_by_role("link", name="Download all").click()
    assert archive.value.suggested_filename.endswith(".zip")
    page.goto("/jobs")
    expect(page.get_by_role("link", name="Two of the kitchen")).to_contain_text("Finished")


def test_a_bad_file_is_told_on_its_card_and_stops_nothing(page: Page, photos: list[Path]) -> None:
    page.goto("/")
    whole = photos[0].read_bytes()
    drop(
        page,
        ("notes.txt", "text/plain", b"no picture"),
        ("empty.png", "image/png", b""),
        ("cut-off.jpg", "image/jpeg", whole[: len(whole) // 2]),
        (photos[0].name, "image/jpeg", whole),
    )
    expect(card(page, "notes.txt")).to_contain_text("no photo that Opal can read")
    expect(card(page, "empty.png")).to_contain_text("is empty")
    expect(page.locator("#summary")).to_contain_text("2 photos")
    page.get_by_role("button", name="Make pictures").click()
    expect(card(page, photos[0].name)).to_contain_text("Sent", timeout=_WAIT_MS)
    page.get_by_role("link", name="Watch the job").click()
    expect(card(page, "cut-off.jpg")).to_contain_text("ends before", timeout=_WAIT_MS)
    expect(page.locator("#status.finished_with_failures")).to_be_visible(timeout=_WAIT_MS)
    expect(card(page, photos[0].name)).to_contain_text("Ready")


def test_the_start_by_keyboard_alone(page: Page, photos: list[Path]) -> None:
    # Listened to from the start: a chooser that opens while Playwright begins to listen is missed.
    choosers: list[FileChooser] = []

    def listen(chooser: FileChooser) -> None:
        choosers.append(chooser)

    page.on("filechooser", listen)
    page.goto("/")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="Skip to the content")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("main")).to_be_focused()
    tab_to(page, "Choose photos")
    with page.expect_file_chooser():
        page.keyboard.press("Enter")
    choosers[0].set_files(photos[0])
    expect(page.locator("#photos .card")).to_have_count(1)
    tab_to(page, f"Remove {photos[0].name}")
    tab_to(page, "White studio")
    page.keyboard.press("ArrowRight")
    tab_to(page, "Square 1:1")
    page.keyboard.press("Tab")
    tab_to(page, "Landscape 4:3")
    page.keyboard.press("Space")
    expect(page.locator("#summary")).to_have_text("1 photo · Grey studio · 2 formats")
    tab_to(page, "Name of the job")
    page.keyboard.type("By keyboard")
    page.keyboard.press("Enter")
    page.wait_for_url("**/jobs/job_*", timeout=_WAIT_MS)
    expect(page.get_by_role("heading", name="By keyboard")).to_be_visible()
    tab_to(page, "Cancel job")
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog")).to_be_visible()
    page.keyboard.press("Escape")
    expect(page.get_by_role("dialog")).to_be_hidden()


def tab_to(page: Page, name: str) -> None:
    """Press Tab until what has this name has the focus."""
    for _ in range(60):
        page.keyboard.press("Tab")
        told = page.evaluate(
            """() => {
                const {tagName, ariaLabel, labels, textContent} = document.activeElement;
                const names = [ariaLabel, labels?.[0]?.textContent, textContent];
                return ["MAIN", "BODY"].includes(tagName) ? "" : names.find((text) => text?.trim()) ?? "";
            }"""
        )
        if name in told:
            return
    raise AssertionError(f"no Tab leads to {name}")


def test_a_wrong_key_is_told_and_a_link_opens_once(up: Up, browser: Browser, session: Any) -> None:
    context = browser.new_context(base_url=up.url)
    page = context.new_page()
    page.goto("/jobs")
    page.get_by_label("API key").fill(up.key[:-1])
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("not known here")
    assert not violations(page)
    page.goto(up.link)
    expect(page.get_by_role("alert")).to_contain_text("used already")
    page.get_by_label("API key").fill(up.key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{up.url}/")
    [cookie] = context.cookies()
    assert (cookie["httpOnly"], cookie["sameSite"]) == (True, "Strict")
    page.get_by_role("button", name="Account of").click()
    page.get_by_role("button", name="Sign out").click()
    page.wait_for_url(f"{up.url}/sign-in")
    assert not context.cookies()
    context.close()


def test_a_job_that_is_not_ours_is_not_found(page: Page) -> None:
    answer = page.goto(f"/jobs/job_{'0' * 24}")
    assert answer is not None
    assert answer.status == 404
    assert not violations(page)


def test_thousands_of_photos_are_a_window_of_cards(up: Up, page: Page) -> None:
    body = {"items": [{"filename": f"{number:04}.jpg"} for number in range(2000)]}
    with httpx.Client(base_url=up.url, headers={"X-API-Key": up.key}, timeout=60, trust_env=False) as client:
        job = client.post("/v1/jobs", json=body).json()["id"]
        page.goto(f"/jobs/{job}")
        expect(page.locator("#live")).to_have_text("Live")
        assert page.locator(".card").count() < 150
        page.keyboard.press("End")
        expect(card(page, "1999.jpg")).to_be_in_viewport()
        assert page.locator(".card").count() < 150
        expect(card(page, "1999.jpg")).to_have_attribute("aria-posinset", "2000")
        client.delete(f"/v1/jobs/{job}")
        expect(page.locator("#status.cancelled")).to_be_visible()
        expect(card(page, "1999.jpg")).to_contain_text("Cancelled")


def test_every_sentence_is_said_somewhere() -> None:
    """A sentence that no page or module says is left over."""
    console = Path(__file__).parents[2] / "src" / "opal" / "console"
    text = "".join(
        file.read_text("utf-8") for file in console.rglob("*") if file.suffix in {".js", ".jinja", ".py"}
    )
    # What names begin with that are put together: "scene." ~ name, f"channel.{name}", `state.${name}`.
    composed = re.findall(r"""["']([a-z_.]+[._])["'] ~|f"([a-z_.]+[._])\{|`([a-z_.]+[._])\$\{""", text)
    families = {"".join(found) for found in composed}
    sentences = [
        name for name in words().sentences if not name.removeprefix("script.").startswith((*families,))
    ]
    said = {name.removesuffix(".one").removesuffix(".other") for name in sentences}
    spellings = {name: (f'"{name}"', f"'{name}'", f'"{name.removeprefix("script.")}"') for name in said}
    assert not [name for name, ways in spellings.items() if not any(way in text for way in ways)]

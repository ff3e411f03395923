"""The job page: what failed is mended there, photos are found and selected; it catches up after a pause."""

import csv
import io
import re
import zipfile
from pathlib import Path
from typing import Any

import pytest
import pyvips
from playwright.sync_api import BrowserContext, FileChooser, Locator, Page, expect
from tests.browser.conftest import Up, drop
from tests.browser.console_pages import api_client, finished_job

pytestmark = pytest.mark.xdist_group("browser")

_WAIT_MS = 60_000


@pytest.fixture(scope="module")
def job(up: Up, photos: list[Path]) -> dict[str, Any]:
    """Two photos with their pictures, two that failed and one that never came."""
    good = photos[0].read_bytes()
    sent = [
        ("mug-10.jpg", good),
        ("mug-9.jpg", good),
        ("notes.jpg", b"no picture"),
        ("half.jpg", good[:2000]),
    ]
    with api_client(up.url, up.key) as client:
        told, _ = finished_job(client, sent, name="Mugs", presets=["square-1x1", "amazon-main"])
    return told


def card(page: Page, name: str) -> Locator:
    return page.locator(".card").filter(has=page.get_by_text(name, exact=True))


def names(page: Page) -> list[str]:
    return page.locator("#items .card-name").all_text_contents()


def test_photos_are_found_by_state_and_name_and_the_address_keeps_it(page: Page, job: dict[str, Any]) -> None:
    page.goto(f"/jobs/{job['id']}")
    expect(page.locator("#sift b[data-count=failed]")).to_have_text("2")
    page.locator("label", has_text="Failed").click()
    expect(page.locator("#items .card")).to_have_count(2)
    page.get_by_role("searchbox").fill("NOTES")
    expect(page.locator("#items .card")).to_have_count(1)
    expect(page).to_have_url(re.compile(r"\?show=failed&find=NOTES$"))
    page.reload()
    assert names(page) == ["notes.jpg"]
    page.get_by_role("searchbox").fill("nothing is called so")
    page.get_by_role("button", name="Show all photos").click()
    expect(page.locator("#items .card")).to_have_count(4)
    page.get_by_label("Order").select_option("name")
    expect(page.locator("#items .card-name").nth(1)).to_have_text("mug-9.jpg")
    assert names(page) == ["half.jpg", "mug-9.jpg", "mug-10.jpg", "notes.jpg"]


def test_a_selection_is_taken_by_keyboard(page: Page, job: dict[str, Any]) -> None:
    page.goto(f"/jobs/{job['id']}")
    page.get_by_label("Select mug-10.jpg").focus()
    page.keyboard.press("Space")
    expect(page.locator("#taking-told")).to_have_text("1 photo selected")
    page.get_by_label("Select notes.jpg").focus()
    page.keyboard.press("Shift+Space")
    expect(page.locator("#taking-told")).to_have_text("3 photos selected")
    expect(page.locator("#pick-all")).to_have_js_property("indeterminate", value=True)
    page.get_by_label("Which formats").select_option("amazon-main")
    with page.expect_download() as downloaded:
        page.locator("#taking-zip").press("Enter")
    with zipfile.ZipFile(downloaded.value.path()) as archive:
        pictures = [name for name in archive.namelist() if not name.startswith("report")]
    assert pictures == ["mug-10/amazon-main.jpg", "mug-9/amazon-main.jpg"]
    with page.expect_download() as downloaded:
        page.locator("#taking-table").press("Enter")
    table = csv.DictReader(io.StringIO(downloaded.value.path().read_text("utf-8-sig"), newline=""))
    assert [row["filename"] for row in table] == ["mug-10.jpg", "mug-9.jpg", "notes.jpg"]
    page.keyboard.press("Escape")
    expect(page.locator("#taking")).to_be_hidden()
    expect(page.locator("#pick-all")).to_be_focused()
    page.keyboard.press("Space")
    expect(page.locator("#taking-told")).to_have_text("4 photos selected")


def test_public_links_are_copied_once_they_are_on(
    context: BrowserContext, page: Page, job: dict[str, Any]
) -> None:
    context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto(f"/jobs/{job['id']}")
    page.locator("#pick-all").check()
    page.get_by_role("button", name="Copy links").click()
    expect(page.get_by_role("heading", name="Public links are off")).to_be_visible()
    page.get_by_role("button", name="Turn links on").click()
    expect(page.locator("#taking-told")).to_contain_text("Public links are on")
    page.get_by_role("button", name="Copy links").click()
    expect(page.locator("#taking-told")).to_have_text("4 links copied")
    links = page.evaluate("navigator.clipboard.readText()").split("\n")
    assert len(links) == 4
    assert page.request.get(links[0]).ok


def test_a_failed_photo_is_replaced_on_its_card_and_by_name(
    page: Page, job: dict[str, Any], photos: list[Path]
) -> None:
    # Listened to from the start: a chooser that opens while Playwright begins to listen is missed.
    choosers: list[FileChooser] = []

    def listen(chooser: FileChooser) -> None:
        choosers.append(chooser)

    page.on("filechooser", listen)
    page.goto(f"/jobs/{job['id']}")
    failed = card(page, "half.jpg")
    expect(failed.locator(".tile-note")).to_contain_text("ends before")
    expect(failed.get_by_role("button", name="Try again")).to_be_hidden()
    with page.expect_file_chooser():
        failed.get_by_role("button", name="Replace photo").press("Enter")
    choosers[0].set_files(photos[1])
    # A photo that is still none is told there, too; the better one comes after it.
    drop(page, ("notes.jpg", "image/jpeg", b""), ("else.jpg", "image/jpeg", b"x"))
    expect(page.get_by_role("alert")).to_contain_text("else.jpg")
    expect(card(page, "notes.jpg").locator(".tile-note")).to_contain_text("empty")
    drop(page, ("notes.jpg", "image/jpeg", photos[0].read_bytes()))
    for name in ("half.jpg", "notes.jpg"):
        expect(card(page, name)).to_have_attribute("data-state", "exported", timeout=_WAIT_MS)
        expect(card(page, name).locator(".card-steps")).to_contain_text("cut-out")
    expect(page.locator("#status")).to_have_text("Finished")
    expect(page.locator("#failed")).to_be_hidden()


def test_what_ends_while_one_looks_offers_its_next_step_at_once(
    up: Up, page: Page, photos: list[Path]
) -> None:
    mug = pyvips.Image.new_from_file(str(photos[0]))
    cut_off = mug.crop(mug.width // 2, 0, mug.width // 2, mug.height).jpegsave_buffer(Q=90)
    sent = {"torn.jpg": photos[0].read_bytes()[:2000], "cut-off.jpg": cut_off}
    with api_client(up.url, up.key) as client:
        made = client.post("/v1/jobs", json={"items": [{"filename": name} for name in sent]}).json()
        page.goto(f"/jobs/{made['id']}")
        expect(page.locator("#live")).to_have_text("Live")
        # From here on the page has its events alone.
        page.route(f"**/v1/jobs/{made['id']}", lambda route: route.abort())
        for item, data in zip(made["items"], sent.values(), strict=True):
            which = {"job_id": made["id"], "item_id": item["id"]}
            ticket = client.post("/v1/uploads/sas", json=which).raise_for_status().json()
            client.put(ticket["url"], content=data, headers=ticket["headers"]).raise_for_status()
            client.post("/v1/uploads/complete", json=which)
    torn, doubtful = card(page, "torn.jpg"), card(page, "cut-off.jpg")
    expect(torn.locator(".tile-note")).to_contain_text("ends before")
    expect(torn.get_by_role("button", name="Replace photo")).to_be_visible()
    expect(torn.get_by_role("button", name="Try again")).to_be_hidden()
    expect(doubtful).to_have_attribute("data-review", "", timeout=_WAIT_MS)
    page.get_by_role("link", name="1 wants a look").click()
    expect(page.get_by_role("heading", name="cut-off.jpg")).to_be_visible()
    # Judged, it is not counted any more.
    page.goto("/jobs")
    row = page.locator(f'[data-job="{made["id"]}"]')
    waiting = row.locator("[data-count=review]")
    expect(waiting).to_contain_text("1 wants a look")
    with api_client(up.url, up.key) as client:
        verdict = f"/v1/jobs/{made['id']}/items/{made['items'][1]['id']}/verdict"
        client.post(verdict, json={"verdict": "accepted"}).raise_for_status()
    page.reload()
    expect(waiting).to_be_hidden()


def test_the_page_catches_up_after_it_was_offline_and_frozen(
    up: Up, context: BrowserContext, page: Page
) -> None:
    with api_client(up.url, up.key) as client:
        made = [
            client.post("/v1/jobs", json={"items": [{"filename": "late.jpg"}]}).json()["id"] for _ in "12"
        ]
        page.goto(f"/jobs/{made[0]}")
        expect(page.locator("#live")).to_have_text("Live")
        context.set_offline(True)
        expect(page.locator("#live")).to_have_text("Offline")
        client.delete(f"/v1/jobs/{made[0]}")
        context.set_offline(False)
        expect(page.locator("#status")).to_have_text("Cancelled")
        page.goto(f"/jobs/{made[1]}")
        expect(page.locator("#live")).to_have_text("Live")
        devices = context.new_cdp_session(page)
        devices.send("Page.setWebLifecycleState", {"state": "frozen"})
        client.delete(f"/v1/jobs/{made[1]}")
        devices.send("Page.setWebLifecycleState", {"state": "active"})
        expect(page.locator("#status")).to_have_text("Cancelled")


def test_jobs_are_found_and_told_live(up: Up, page: Page, job: dict[str, Any]) -> None:
    with api_client(up.url, up.key) as client:
        body = {"name": "Autumn", "items": [{"filename": "leaf.jpg", "sku": "LEAF-01"}]}
        made = client.post("/v1/jobs", json=body).json()["id"]
        page.goto("/jobs")
        row = page.locator(f'[data-job="{made}"]')
        expect(row.locator(".status")).to_have_text("Waiting for photos")
        client.delete(f"/v1/jobs/{made}")
        expect(row.locator(".status")).to_have_text("Cancelled")
        expect(row.get_by_role("progressbar")).to_be_hidden()
    for words, found in (("autu", "Autumn"), ("leaf-0", "Autumn"), ("MUG-9", job["name"])):
        page.get_by_role("searchbox").fill(words)
        page.keyboard.press("Enter")
        expect(page.locator(".job")).to_have_count(1)
        expect(page.locator(".job-title")).to_have_text(found)
    page.get_by_role("searchbox").fill("100%")
    page.keyboard.press("Enter")
    expect(page.get_by_text("No job, photo or SKU is called “100%”.")).to_be_visible()

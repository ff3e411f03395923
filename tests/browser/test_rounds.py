"""What goes on after an interruption: a session begun anew, photos sent later, pictures made again."""

import re
from pathlib import Path

import httpx
import pytest
from playwright.sync_api import BrowserContext, Page, expect
from tests.browser.conftest import Up, drop

# One worker runs them all, on one `opal up`.
pytestmark = pytest.mark.xdist_group("browser")

_WAIT_MS = 60_000


def test_a_page_goes_on_in_a_session_begun_anew_in_another_tab(
    up: Up, context: BrowserContext, page: Page, photos: list[Path]
) -> None:
    page.goto("/")
    page.locator("#files").set_input_files(photos[:1])
    context.clear_cookies()
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator("#trouble")).to_contain_text("Your session has ended")
    other = context.new_page()
    other.goto("/sign-in")
    other.get_by_label("API key").fill(up.key)
    other.get_by_role("button", name="Sign in").click()
    other.wait_for_url(f"{up.url}/")
    other.close()
    page.get_by_role("button", name="Make pictures").click()
    page.wait_for_url("**/jobs/job_*", timeout=_WAIT_MS)
    expect(page.locator("#status.finished")).to_be_visible(timeout=_WAIT_MS)


def test_photos_that_are_missing_are_taken_wherever_they_are_dropped(
    up: Up, page: Page, photos: list[Path]
) -> None:
    names = [photo.name for photo in photos]
    with httpx.Client(base_url=up.url, headers={"X-API-Key": up.key}, trust_env=False) as api:
        job = api.post("/v1/jobs", json={"items": [{"filename": name} for name in names]}).json()["id"]
    page.goto(f"/jobs/{job}")
    expect(page.locator("#job.scripted")).to_be_visible()
    drop(page, (names[0], "image/jpeg", photos[0].read_bytes()))
    expect(page.locator("#missing-result")).to_contain_text("1 photo sent", timeout=_WAIT_MS)
    expect(page.locator("#trouble")).to_be_hidden()
    expect(page.locator('.card[data-state="exported"]')).to_have_count(1, timeout=_WAIT_MS)
    page.get_by_role("button", name="Cancel").first.click()
    page.locator("#cancel-dialog button[value=yes]").click()
    expect(page.locator("#cancelled")).to_have_text("1 cancelled")
    expect(page.locator("#missing-tools")).to_be_hidden()
    page.goto("/jobs")
    expect(page.locator(f'[data-job="{job}"]')).to_contain_text("1 cancelled")


def test_the_times_of_steps_are_those_of_the_last_round(up: Up, page: Page, photos: list[Path]) -> None:
    page.goto("/")
    page.locator("#files").set_input_files(photos[:1])
    page.get_by_role("button", name="Make pictures").click()
    page.wait_for_url("**/jobs/job_*", timeout=_WAIT_MS)
    steps = page.locator(".card .card-steps")
    expect(steps).to_have_text(re.compile(r"^cut-out.*pictures"), timeout=_WAIT_MS)
    job = page.url.rpartition("/")[2]
    with httpx.Client(base_url=up.url, headers={"X-API-Key": up.key}, trust_env=False) as api:
        item = api.get(f"/v1/jobs/{job}").json()["items"][0]["id"]
        address = f"/v1/jobs/{job}/items/{item}"
        api.post(f"{address}/revisions", json={"scene": "studio-grey", "based_on": 0}).raise_for_status()
        page.goto(address.removeprefix("/v1"))
        expect(page.locator("#item[data-revision='1'][data-state='exported']")).to_be_visible(
            timeout=_WAIT_MS
        )
        page.goto(f"/jobs/{job}")
        expect(steps).to_have_text(re.compile(r"^pictures"), timeout=_WAIT_MS)
        api.post(f"{address}/verdict", json={"verdict": "rejected"}).raise_for_status()
    page.reload()
    expect(page.locator(".card[data-rejected] .card-state")).to_have_text("Rejected")
    expect(steps).to_have_text(re.compile(r"^pictures"))

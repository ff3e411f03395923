"""Choosing the look: one's own photo in every scene, scenes of one's own, brand profiles, missing photos."""

import re
from pathlib import Path

import pytest
import pyvips
from playwright.sync_api import BrowserContext, Page, expect
from tests.browser.axe import violations
from tests.browser.conftest import Up
from tests.journeys.opal_process import opal
from tests.unit.drawn_backdrops import room_codes

from opal.placement.scene import NAMED_SCENES

# One worker runs them all, on one `opal up`.
pytestmark = pytest.mark.xdist_group("browser")

_WAIT_MS = 60_000


@pytest.fixture
def backdrop(tmp_path: Path) -> Path:
    file = tmp_path / "Kitchen table.jpg"
    file.write_bytes(pyvips.Image.new_from_array(room_codes()).jpegsave_buffer(Q=85))
    return file


def scene(page: Page, name: str) -> str:
    """The address of what the scene's card shows of the user's photo."""
    image = page.locator("label.scene").filter(has_text=re.compile(f"^{name}$")).locator(".live")
    expect(image).to_be_visible(timeout=_WAIT_MS)
    return image.get_attribute("src") or ""


def settled(page: Page) -> None:
    expect(page.locator("#scenes[aria-busy]")).to_have_count(0, timeout=_WAIT_MS)
    expect(page.locator("#preview-note")).to_contain_text("quick preview")


def test_every_scene_shows_ones_own_photo_and_follows_what_is_chosen(page: Page, photos: list[Path]) -> None:
    page.goto("/")
    page.locator("#files").set_input_files(photos)
    expect(page.locator(".live")).to_have_count(len(NAMED_SCENES) + 2, timeout=_WAIT_MS)
    settled(page)
    before = scene(page, "Oak")
    asked: list[int] = []
    page.on(
        "request", lambda sent: asked.append(len(sent.post_data or "")) if "previews" in sent.url else None
    )
    page.locator(".segments label", has_text="Hard").click()
    expect(page.locator("#scenes[aria-busy]")).to_have_count(1)
    settled(page)
    assert scene(page, "Oak") != before
    # What is sent again is the cut-out, which is smaller than most photos, and it is sent once.
    assert len(asked) == 1
    page.get_by_role("button", name=f"Show {photos[1].name} in the scenes").click()
    expect(page.locator("#preview-note")).to_contain_text(
        f"quick preview with {photos[1].name}", timeout=_WAIT_MS
    )
    page.get_by_role("button", name=f"Remove {photos[1].name}").click()
    expect(page.locator("#preview-note")).to_contain_text(
        f"quick preview with {photos[0].name}", timeout=_WAIT_MS
    )
    page.get_by_role("button", name="Remove all").click()
    expect(page.locator(".live")).to_have_count(0)


def test_a_look_is_kept_under_a_name_and_chosen_again(context: BrowserContext) -> None:
    page = context.new_page()
    page.goto("/")
    page.locator("label.scene", has_text="One colour").click()
    page.get_by_label("Colour", exact=True).fill("#335577")
    page.locator(".segments label", has_text="Soft").click()
    page.locator(".preset label", has_text="Amazon main image").click()
    page.get_by_role("button", name="Save as a profile").click()
    dialog = page.get_by_role("dialog")
    assert not violations(page)
    dialog.get_by_label("Name").fill("Blue and soft")
    dialog.get_by_role("button", name="Save").click()
    expect(page.locator("#profile-told")).to_have_text("“Blue and soft” is saved.")
    page.locator("label.scene", has_text="Oak").click()
    expect(page.get_by_role("button", name="Save changes")).to_be_visible()
    # What was chosen last is there again, in another tab too, and still differs from the profile.
    other = context.new_page()
    other.goto("/")
    expect(other.locator("label.scene", has_text="Oak").locator("input")).to_be_checked()
    expect(other.locator("#profile option:checked")).to_have_text("Blue and soft")
    other.get_by_role("button", name="Save changes").click()
    expect(other.locator("#profile-told")).to_contain_text("is saved")
    # Who was too slow is told, and writes over nothing.
    page.locator("label.scene", has_text="Marble").click()
    page.get_by_role("button", name="Save changes").click()
    expect(page.locator("#profile-told")).to_contain_text("Somebody else has changed")
    page.reload()
    page.locator("#profile").select_option("")
    page.locator("#profile").select_option("Blue and soft")
    expect(page.locator("label.scene", has_text="Oak").locator("input")).to_be_checked()
    expect(page.locator("#summary")).to_have_text("Add photos first.")
    page.get_by_role("button", name="Delete", exact=True).click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.locator("#profile option")).to_have_count(1)


def test_a_picture_of_ones_own_becomes_a_scene_with_a_ground_line(
    page: Page, photos: list[Path], backdrop: Path
) -> None:
    page.goto("/")
    page.locator("#files").set_input_files(photos[0])
    page.locator("#backdrop-file").set_input_files(backdrop)
    expect(page.locator("#backdrop-told")).to_contain_text("Your picture is there", timeout=_WAIT_MS)
    before = scene(page, "Kitchen table")
    settled(page)
    line = page.get_by_role("slider", name="Ground line")
    line.focus()
    page.keyboard.press("ArrowUp")
    expect(line).to_have_attribute("aria-valuetext", "79 % down the picture")
    stage = page.locator("#stage").bounding_box()
    assert stage is not None
    middle = stage["x"] + stage["width"] / 3
    line.hover()
    page.mouse.down()
    page.mouse.move(middle, stage["y"] + 0.9 * stage["height"], steps=4)
    page.mouse.up()
    expect(line).to_have_attribute("aria-valuetext", re.compile("^(89|90|91) %"))
    settled(page)
    assert scene(page, "Kitchen table") != before
    assert not violations(page)
    page.get_by_role("button", name="Delete this picture").click()
    expect(page.locator("label.scene", has_text="Kitchen table")).to_have_count(0)


def test_photos_that_never_arrived_are_sent_from_the_jobs_page(
    context: BrowserContext, photos: list[Path]
) -> None:
    page = context.new_page()
    page.goto("/")
    page.locator("#files").set_input_files(photos)
    page.route("**/v1/uploads/sas", lambda route: route.abort())
    with page.expect_response("**/v1/jobs") as made:
        page.get_by_role("button", name="Make pictures").click()
    job = made.value.json()["id"]
    page.close(run_before_unload=False)
    later = context.new_page()
    later.goto(f"/jobs/{job}")
    expect(later.get_by_role("heading", name="2 photos have not arrived")).to_be_visible()
    later.locator("#missing-files").set_input_files(
        {"name": photos[0].name, "mimeType": "image/jpeg", "buffer": b"of another size"}
    )
    expect(later.locator("#missing-result")).to_contain_text("waits for none")
    later.locator("#missing-files").set_input_files(photos)
    expect(later.locator("#missing-result")).to_contain_text("2 photos sent", timeout=_WAIT_MS)
    expect(later.get_by_role("heading", name="All photos have arrived")).to_be_visible()


def test_who_cannot_pay_is_told_before_anything_is_sent(
    up: Up, context: BrowserContext, photos: list[Path]
) -> None:
    made = opal("keys", "create", "--tenant", "poor", cwd=up.data, changes={"OPAL_DATA_DIR": str(up.data)})
    key = re.search(r"opal_\w+", made.stdout)
    assert key is not None, made.stdout + made.stderr
    page = context.new_page()
    context.clear_cookies()
    page.goto("/sign-in")
    page.get_by_label("API key").fill(key[0])
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{up.url}/")
    page.locator("#files").set_input_files(photos)
    expect(page.locator("#cost")).to_have_text("2 pictures · 2 credits needed, 0 there, 2 missing")
    expect(page.get_by_role("button", name="Make pictures")).to_be_disabled()

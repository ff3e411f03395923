"""Judging in a real browser against a real `opal up`, with the real cut-out: look, review, paint."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from playwright.sync_api import Browser, Page, expect
from tests.browser.axe import violations
from tests.browser.conftest import Up

pytestmark = pytest.mark.xdist_group("browser")

_WAIT_MS = 90_000


@pytest.fixture(scope="module")
def client(up: Up) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=up.url, headers={"X-API-Key": up.key}, timeout=60, trust_env=False) as opened:
        yield opened


@pytest.fixture(scope="module")
def job(up: Up, client: httpx.Client, photos: list[Path]) -> dict[str, Any]:
    """Two photos, the second of which is cut off by its own edge and so waits for a look."""
    cut_off = pyvips.Image.new_from_file(str(photos[0]))
    cut_off = cut_off.crop(cut_off.width // 2, 0, cut_off.width // 2, cut_off.height)
    files = {"mug.jpg": photos[0].read_bytes(), "half-a-mug.jpg": cut_off.jpegsave_buffer(Q=90)}
    recipe = {"scene": "white", "presets": ["square-1x1", "amazon-main", "cutout-png"]}
    body = {**recipe, "name": "Kitchen", "items": [{"filename": name} for name in files]}
    made: dict[str, Any] = client.post("/v1/jobs", json=body).raise_for_status().json()
    for item, data in zip(made["items"], files.values(), strict=True):
        which = {"job_id": made["id"], "item_id": item["id"]}
        ticket = client.post("/v1/uploads/sas", json=which).raise_for_status().json()
        httpx.put(ticket["url"], content=data, headers=ticket["headers"], trust_env=False).raise_for_status()
        client.post("/v1/uploads/complete", json=which).raise_for_status()
    with client.stream("GET", f"/v1/jobs/{made['id']}/events", timeout=120) as told:
        for _ in told.iter_lines():
            pass
    made = client.get(f"/v1/jobs/{made['id']}").raise_for_status().json()
    assert [item["state"] for item in made["items"]] == ["exported", "exported"]
    assert [item["review"] for item in made["items"]] == [False, True]
    return made


def address(job: dict[str, Any], index: int) -> str:
    """The page of one of the job's items."""
    return f"/jobs/{job['id']}/items/{job['items'][index]['id']}"


def picture(client: httpx.Client, job: dict[str, Any], index: int, preset: str) -> NDArray[np.uint8]:
    """The codes of a finished picture, (H, W, bands)."""
    told = client.get(f"/v1{address(job, index)}/variants").raise_for_status().json()["variants"]
    [url] = [each["url"] for each in told if each["preset"] == preset]
    data = httpx.get(url, trust_env=False).raise_for_status().content
    image = pyvips.Image.new_from_buffer(data, "")
    codes: NDArray[np.uint8] = image.numpy()
    return codes


def opened(page: Page, path: str) -> None:
    """Go there, and wait until the page listens."""
    page.goto(path)
    expect(page.locator("#item[data-ready]")).to_be_attached(timeout=_WAIT_MS)


def test_an_item_is_judged_by_keyboard(page: Page, job: dict[str, Any]) -> None:
    opened(page, address(job, 0))
    slider = page.get_by_role("slider", name="Divider")
    expect(page.locator("#after-name")).to_have_text("Square 1:1")
    expect(page.locator(".report:visible")).to_contain_text("Square 1:1")
    page.keyboard.press("2")
    expect(page.locator("#after-name")).to_have_text("Amazon main image")
    report = page.locator(".report:visible")
    expect(report).to_contain_text("rules")
    expect(report).to_contain_text("Pixels within ΔE 1")
    expect(report).to_contain_text("not signed")
    page.keyboard.press(" ")
    expect(slider).to_have_attribute("aria-valuenow", "0")
    page.keyboard.press(" ")
    expect(slider).to_have_attribute("aria-valuenow", "100")
    slider.focus()
    page.keyboard.press("ArrowLeft")
    expect(slider).to_have_attribute("aria-valuenow", "98")
    page.keyboard.press("Home")
    expect(slider).to_have_attribute("aria-valuetext", "0 % photo")
    zoom = page.locator("#zoom")
    page.keyboard.press("z")
    expect(zoom).to_have_text("100 %")
    page.keyboard.press("+")
    page.keyboard.press("+")
    expect(zoom).to_have_text("400 %")
    assert (
        page.evaluate("() => getComputedStyle(document.querySelector('.pane.after img')).imageRendering")
        == "pixelated"
    )
    stage = page.locator("#stage")
    stage.focus()
    was = stage.locator(".after .world").evaluate("world => world.getBoundingClientRect().left")
    page.keyboard.press("ArrowRight")
    assert stage.locator(".after .world").evaluate("world => world.getBoundingClientRect().left") == was - 64
    page.keyboard.press("0")
    page.keyboard.press("c")
    expect(page.locator("#after-name")).to_have_text("Cut-out")
    page.get_by_label("Matte").check(force=True)
    expect(page.locator("#after-name")).to_have_text("Matte")
    page.keyboard.press("Escape")
    page.locator("h1").click()
    page.keyboard.press("?")
    expect(page.get_by_role("dialog", name="Keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("ArrowRight")
    page.wait_for_url(f"**{address(job, 1)}")


def test_the_photo_lies_where_its_product_lies(page: Page, client: httpx.Client, job: dict[str, Any]) -> None:
    opened(page, address(job, 0))
    placed = client.get(f"/v1{address(job, 0)}/variants").json()["variants"]
    [square] = [each["placed"] for each in placed if each["preset"] == "square-1x1"]
    boxes = page.evaluate(
        """() => Object.fromEntries(["before", "after"].map((name) => {
            const {left, top, width} = document.querySelector(`.pane.${name} img`).getBoundingClientRect();
            return [name, {left, top, width}];
        }))"""
    )
    scale = boxes["after"]["width"] / page.evaluate(
        "() => Number(document.querySelector('.thumb').dataset.width)"
    )
    assert boxes["before"]["left"] - boxes["after"]["left"] == pytest.approx(
        square["offset_x"] * scale, abs=0.6
    )
    assert boxes["before"]["top"] - boxes["after"]["top"] == pytest.approx(
        square["offset_y"] * scale, abs=0.6
    )


def test_wheel_pinch_drag_and_double_click(page: Page, job: dict[str, Any]) -> None:
    opened(page, address(job, 0))
    stage, zoom = page.locator("#stage"), page.locator("#zoom")
    box = stage.bounding_box()
    assert box is not None
    fitted = zoom.text_content()
    page.mouse.move(box["x"] + box["width"] * 0.7, box["y"] + box["height"] * 0.4)
    page.mouse.wheel(0, -600)
    expect(zoom).not_to_have_text(fitted or "")
    was = stage.locator(".after .world").evaluate("world => world.getBoundingClientRect().left")
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.7 + 40, box["y"] + box["height"] * 0.4)
    page.mouse.up()
    assert stage.locator(".after .world").evaluate("world => world.getBoundingClientRect().left") > was
    stage.dblclick(position={"x": 60, "y": 200})
    expect(zoom).to_have_text(fitted or "")
    page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] * 0.8)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] / 4, box["y"] + box["height"] * 0.8)
    page.mouse.up()
    expect(page.get_by_role("slider", name="Divider")).to_have_attribute("aria-valuenow", "25")


def test_the_brush_changes_the_finished_picture(
    page: Page, client: httpx.Client, job: dict[str, Any]
) -> None:
    before = picture(client, job, 0, "amazon-main")
    page.goto(address(job, 0))
    page.get_by_role("link", name="Touch up").click()
    expect(page.locator("#touch-up[data-ready]")).to_be_visible(timeout=_WAIT_MS)
    easel = page.locator("#easel")
    easel.focus()
    expect(page.locator("#save")).to_be_disabled()
    page.keyboard.press("e")
    expect(page.get_by_role("radio", name="Erase")).to_be_checked()
    for _ in range(9):
        page.keyboard.press("]")
    box = easel.bounding_box()
    assert box is not None
    # A stroke across the middle, which is product; then one by keyboard, undone.
    page.mouse.move(box["x"] + box["width"] * 0.4, box["y"] + box["height"] / 2)
    page.mouse.down()
    page.mouse.move(box["x"] + box["width"] * 0.6, box["y"] + box["height"] / 2, steps=5)
    page.mouse.up()
    expect(page.locator("#undo")).to_be_enabled()
    easel.focus()
    page.keyboard.press("ArrowUp")
    page.keyboard.press(" ")
    page.keyboard.press("Control+z")
    expect(page.locator("#redo")).to_be_enabled()
    page.keyboard.press("v")
    expect(page.get_by_role("radio", name="Result")).to_be_checked()
    page.get_by_role("button", name="Save and make pictures").click()
    page.wait_for_url(f"**{address(job, 0)}", timeout=_WAIT_MS)
    expect(page.locator("#item[data-revision='1']")).to_be_visible()
    after = picture(client, job, 0, "amazon-main")
    assert after.shape == before.shape
    changed = np.abs(after.astype(int) - before.astype(int)).max(axis=2) > 40
    # Along the stroke the mug is gone: white now, and was not.
    assert changed.mean() > 0.01
    assert (after[changed].min(axis=1) > 250).mean() > 0.8


def test_another_look_replaces_the_pictures(page: Page, client: httpx.Client, job: dict[str, Any]) -> None:
    before = picture(client, job, 0, "square-1x1")
    opened(page, address(job, 0))
    revision = page.locator("#item").get_attribute("data-revision")
    page.get_by_role("button", name="Other look").click()
    page.get_by_label("Scene").select_option("studio-sage")
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator(f"#item:not([data-revision='{revision}'])")).to_be_visible(timeout=_WAIT_MS)
    after = picture(client, job, 0, "square-1x1")
    assert np.abs(after[5, 5].astype(int) - before[5, 5]).max() > 20


def test_another_engine_cuts_the_photo_out_again(
    page: Page, client: httpx.Client, job: dict[str, Any]
) -> None:
    opened(page, address(job, 0))
    revision = page.locator("#item").get_attribute("data-revision")
    page.get_by_role("button", name="Other look").click()
    choice = page.get_by_label("Cut out again with")
    expect(choice.get_by_role("option")).to_have_text(
        ["Nothing: keep the cut-out", "Standard", "Compact, whose outlines may differ"]
    )
    assert not violations(page)
    choice.select_option("Compact, whose outlines may differ")
    page.get_by_role("button", name="Make pictures").click()
    expect(page.locator(f"#item:not([data-revision='{revision}'])")).to_be_visible(timeout=_WAIT_MS)
    told = client.get(f"/v1/jobs/{job['id']}/items/{job['items'][0]['id']}/revisions").json()["revisions"]
    # The one before was touched up by hand; of that nothing is left.
    assert [(each["state"], each["engine"], each["matte"]) for each in told[-2:]] == [
        ("done", None, True),
        ("done", "isnet-small", False),
    ]


def test_the_queue_by_keyboard(page: Page, client: httpx.Client, job: dict[str, Any]) -> None:
    page.goto("/jobs")
    page.get_by_role("link", name="Review").click()
    expect(page.get_by_role("heading", name="half-a-mug.jpg")).to_be_visible()
    expect(page.locator("#verdict")).to_contain_text("cut off by the edge")
    expect(page.locator("#item[data-ready]")).to_be_attached(timeout=_WAIT_MS)
    page.keyboard.press("r")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible(timeout=_WAIT_MS)
    told = client.get(f"/v1/jobs/{job['id']}").json()["items"]
    assert [item["verdict"] for item in told] == [None, "rejected"]
    opened(page, address(job, 1))
    expect(page.get_by_role("heading", name="Rejected")).to_be_visible()
    page.get_by_role("button", name="Take back").click()
    asked = page.get_by_role("heading", name="Is this cut out right?")
    expect(asked).to_be_visible(timeout=_WAIT_MS)
    opened(page, "/review")
    page.keyboard.press("a")
    expect(page.get_by_role("heading", name="Nothing waits for you")).to_be_visible(timeout=_WAIT_MS)
    told = client.get(f"/v1/jobs/{job['id']}").json()["items"]
    assert [item["verdict"] for item in told] == [None, "accepted"]


def test_without_scripts_photo_pictures_and_reports_are_there(
    up: Up, browser: Browser, session: Any, job: dict[str, Any]
) -> None:
    context = browser.new_context(base_url=up.url, storage_state=session, java_script_enabled=False)
    page = context.new_page()
    page.goto(address(job, 0))
    expect(page.get_by_role("img", name="The photo of")).to_be_visible()
    expect(page.get_by_role("table")).to_have_count(3)
    expect(page.locator(".report img:visible")).to_have_count(4)
    expect(page.get_by_role("button", name="Accept")).to_have_count(0)
    context.close()

"""Credits, settings and health in a real browser: dialogs, copying, the chart by keyboard, small screens."""

from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect
from tests.browser.axe import violations
from tests.browser.conftest import Up

pytestmark = pytest.mark.xdist_group("browser")


def test_a_key_is_copied_once_and_revoked_after_a_question(up: Up, page: Page) -> None:
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.goto("/settings/keys")
    page.get_by_label("Name").fill("shop sync")
    page.get_by_role("button", name="Create key").click()
    key = page.get_by_label("The key").input_value()
    assert not violations(page)
    page.get_by_role("button", name="Copy").click()
    expect(page.get_by_role("button", name="Copied")).to_be_visible()
    assert page.evaluate("() => navigator.clipboard.readText()") == key
    page.reload()
    expect(page.get_by_text(key)).to_have_count(0)
    entry = page.locator(".entry").filter(has_text="shop sync")
    entry.get_by_role("button", name="Revoke").click()
    dialog = page.get_by_role("dialog")
    expect(dialog).to_contain_text("Revoke “shop sync”?")
    expect(page.get_by_role("button", name="Keep it")).to_be_focused()
    assert not violations(page)
    page.keyboard.press("Escape")
    expect(dialog).to_be_hidden()
    entry.get_by_role("button", name="Revoke").click()
    dialog.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_role("status")).to_contain_text("The key is revoked")
    answer = httpx.get(f"{up.url}/v1/jobs", headers={"X-API-Key": key}, trust_env=False)
    assert answer.status_code == 401


def test_a_faulty_preset_is_shown_where_it_is(page: Page) -> None:
    page.goto("/settings/presets/edit?copy=amazon-main")
    text = page.get_by_label("Text (TOML)")
    text.fill(text.input_value().replace("width = 2000", "width = 20"))
    page.get_by_role("button", name="Check only").click()
    expect(page.get_by_role("alert")).to_contain_text("Line 7:")
    expect(text).to_be_focused()
    assert (
        text.evaluate("field => field.value.slice(field.selectionStart, field.selectionEnd)") == "width = 20"
    )
    assert not violations(page)


def test_everything_is_deleted_only_by_its_name(page: Page) -> None:
    page.goto("/settings/data")
    page.get_by_role("button", name="Delete everything …").click()
    page.get_by_label("Type local to confirm").fill("somebody")
    page.get_by_role("dialog").get_by_role("button", name="Delete everything").click()
    expect(page.get_by_role("alert")).to_contain_text("Nothing was deleted")


def test_the_account_menu_opens_by_keyboard(page: Page) -> None:
    page.goto("/settings")
    page.get_by_role("button", name="Account of local").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Your key may: read, jobs, settings, operate")).to_be_visible()
    assert not violations(page)
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="API keys").first).to_be_focused()


def test_without_scripts_questions_are_asked_all_the_same(up: Up, browser: Browser, session: Any) -> None:
    context = browser.new_context(base_url=up.url, storage_state=session, java_script_enabled=False)
    page = context.new_page()
    page.goto("/settings/keys")
    page.get_by_label("Name").fill("no scripts")
    page.get_by_role("button", name="Create key").click()
    page.get_by_role("link", name="I have kept it").click()
    page.locator(".entry").filter(has_text="no scripts").get_by_role("button", name="Revoke").click()
    page.get_by_role("button", name="Revoke key").click()
    expect(page.get_by_role("status")).to_contain_text("The key is revoked")
    context.close()

"""Making, testing and deleting a delivery target in a real browser, with a real bucket and a real folder."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Page, expect
from tests.browser.axe import violations
from tests.browser.opal_up import Up, opal_up
from tests.services.delivery_places import BUCKET, s3_object, s3_server

# One worker runs them all, on one `opal up`.
pytestmark = pytest.mark.xdist_group("browser")

SECRET = "wJalrXUtnFEMI-very-secret"


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    """One that delivers to this machine, too."""
    folder = tmp_path_factory.mktemp("delivering")
    (folder / "root").mkdir()
    changes = {
        "OPAL_OUTGOING_PRIVATE_ADDRESSES": "allow",
        "OPAL_DELIVERY_FOLDER_ROOT": str(folder / "root"),
    }
    with opal_up(folder, changes) as running:
        yield running


def test_a_bucket_from_its_faults_to_its_end(page: Page) -> None:
    store = s3_server()
    page.goto("/settings/deliveries")
    expect(page.get_by_role("heading", name="Pictures stay here until you fetch them")).to_be_visible()
    assert not violations(page)
    bucket, secret = page.get_by_label("Bucket", exact=True), page.get_by_label("Secret access key")
    bucket.fill("Not A Bucket")
    page.get_by_label("Access key id").fill("AKIAEXAMPLE")
    secret.fill(SECRET)
    page.get_by_text("Another store than Amazon’s").click()
    page.get_by_label("The store’s address").fill(store)
    page.get_by_role("button", name="Add target").click()
    expect(bucket).to_have_attribute("aria-invalid", "true")
    expect(page.locator("#fault-bucket")).to_contain_text("3 to 63 small letters")
    # What was entered stays, but for what is secret.
    expect(page.get_by_label("The store’s address")).to_have_value(store)
    expect(secret).to_have_value("")
    assert SECRET not in page.content()
    assert not violations(page)
    bucket.fill(BUCKET)
    secret.fill(SECRET)
    page.get_by_label("Name", exact=True).fill("Shop")
    page.get_by_role("button", name="Add target").click()
    expect(page.get_by_role("heading", name="Shop")).to_be_visible()
    expect(page.get_by_role("status")).to_contain_text("Test it.")
    assert SECRET not in page.content()
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status")).to_contain_text("It works")
    assert s3_object(store, "opal-test.txt") is not None
    page.get_by_role("button", name="Delete").click()
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_role("status")).to_contain_text("The target and its log are gone")


def test_a_folder_by_keyboard_on_a_phone(up: Up, page: Page) -> None:
    page.set_viewport_size({"width": 360, "height": 740})
    page.goto("/settings/deliveries")
    page.get_by_role("radio", name="S3 bucket").focus()
    page.keyboard.press("ArrowDown")
    expect(page.get_by_label("The container’s address")).to_be_visible()
    expect(page.get_by_label("Bucket", exact=True)).to_be_hidden()
    assert not violations(page)
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Tab")
    expect(page.get_by_label("Folder", exact=True).last).to_be_focused()
    assert page.evaluate("() => document.documentElement.scrollWidth <= innerWidth")
    page.keyboard.type("shop/pictures")
    page.keyboard.press("Enter")
    expect(page.get_by_role("status")).to_contain_text("Test it.")
    page.get_by_role("button", name="Test").click()
    expect(page.get_by_role("status")).to_contain_text("It works")
    [file] = (up.data.parent / "root").rglob("opal-test.txt")
    assert file.parent.name == "pictures"

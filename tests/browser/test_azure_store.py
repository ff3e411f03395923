"""The console with its blobs in Azure's store: photos go to another origin, and pictures come from it."""

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Browser, Request, expect
from tests.azurite.server import KEY, Azurite, azurite
from tests.browser.conftest import Up
from tests.browser.opal_up import follow_link, opal_up
from tests.journeys.opal_process import environment

pytestmark = pytest.mark.xdist_group("browser")

SCRIPT = Path(__file__).parents[2] / "containers" / "blob_containers.py"
_WAIT_MS = 60_000


@dataclass(frozen=True, slots=True)
class Deployed:
    """Opal, and the store that its signed URLs lead to."""

    up: Up
    store: Azurite


@pytest.fixture(scope="module")
def deployed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    folder = tmp_path_factory.mktemp("deployed")
    with azurite(folder, plain=True) as store:
        told = {
            "OPAL_BLOB_ADAPTER": "azure",
            "OPAL_BLOB_ACCOUNT_URL": store.account_url,
            "OPAL_BLOB_ACCOUNT_KEY": KEY,
        }

        def allow(*console: str) -> None:
            """As docker-compose.yml has it done."""
            subprocess.run([sys.executable, SCRIPT, *console], env=environment(told), check=True)

        allow("http://127.0.0.1:1")
        with opal_up(folder, told) as up:
            allow(up.url)
            yield Deployed(up, store)


def test_photos_go_straight_to_the_store_and_pictures_come_from_it(
    deployed: Deployed, browser: Browser, photos: list[Path]
) -> None:
    context = browser.new_context(
        base_url=deployed.up.url,
        storage_state=follow_link(browser, deployed.up),
        viewport={"width": 1280, "height": 800},
    )
    context.set_default_timeout(30_000)
    page = context.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text) if message.type == "error" else None)
    sent: list[Request] = []
    page.on("request", lambda request: sent.append(request))  # noqa: PLW0108 - Playwright marks what it is given
    page.goto("/")
    page.locator("#files").set_input_files(photos)
    page.get_by_role("button", name="Make pictures").click()
    page.wait_for_url("**/jobs/job_*", timeout=_WAIT_MS)
    expect(page.locator("#status.finished")).to_be_visible(timeout=_WAIT_MS)
    puts = [request.url for request in sent if request.method == "PUT"]
    assert len(puts) == len(photos)
    assert all(url.startswith(f"{deployed.store.account_url}/raw/") for url in puts)
    page.locator(".card a").first.click()
    picture = page.locator("main img").first
    expect(picture).to_be_visible()
    assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)")
    with page.expect_download() as fetched:
        page.get_by_role("link", name="Download").first.click()
    assert Path(fetched.value.path()).stat().st_size > 1000
    assert not refused, "neither the policy of the page nor the store's rules stood in the way"
    context.close()

"""One `opal up` and one Chromium for all tests of a file.

No longer: while Playwright lives, its event loop counts as running, and asynchronous tests cannot run theirs.
"""

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
import pyvips
from playwright.sync_api import Browser, BrowserContext, Page, StorageState, sync_playwright
from tests.browser.chromium import chromium
from tests.browser.opal_up import Up, follow_link, opal_up

__all__ = ["SAMPLES", "Up", "drop"]

SAMPLES = Path(__file__).parents[2] / "samples" / "photos"
_DROP = """files => {
    const dropped = new DataTransfer();
    for (const {name, type, data} of files) {
        const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
        dropped.items.add(new File([bytes], name, {type}));
    }
    const event = {bubbles: true, cancelable: true, dataTransfer: dropped};
    document.body.dispatchEvent(new DragEvent("dragover", event));
    document.body.dispatchEvent(new DragEvent("drop", event));
}"""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    with opal_up(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        yield started
        started.close()


@pytest.fixture(scope="module")
def session(up: Up, browser: Browser) -> StorageState:
    """The cookie of who followed the link that `opal up` printed."""
    return follow_link(browser, up)


@pytest.fixture
def context(up: Up, browser: Browser, session: StorageState) -> Iterator[BrowserContext]:
    """A signed-in browser that fails the test for every error that a page reports."""
    opened = browser.new_context(
        base_url=up.url, storage_state=session, viewport={"width": 1280, "height": 800}
    )
    faults: list[str] = []
    opened.on("weberror", lambda error: faults.append(str(error.error)))
    opened.set_default_timeout(30_000)
    yield opened
    opened.close()
    # Chromium's own words for a navigation that another one, or a download, overtook.
    assert not [fault for fault in faults if not fault.startswith("Transition was ")]


@pytest.fixture
def page(context: BrowserContext) -> Page:
    return context.new_page()


@pytest.fixture(scope="module")
def photos(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two small photos that cut out well."""
    folder = tmp_path_factory.mktemp("photos")
    made = []
    for name in ("stoneware-mug", "soap-dispenser"):
        made.append(folder / f"{name}.jpg")
        small = pyvips.Image.thumbnail(str(SAMPLES / f"{name}.jpg"), 400)
        made[-1].write_bytes(small.jpegsave_buffer(Q=90))
    return made


def drop(page: Page, *files: tuple[str, str, bytes]) -> None:
    """Drop files on the page, as from a folder's window."""
    page.evaluate(
        _DROP,
        [{"name": name, "type": kind, "data": base64.b64encode(data).decode()} for name, kind, data in files],
    )

"""Two tenants of one Opal in a real browser: what is one's own does not exist for the other.

`tests/services/test_tenant_isolation.py` tries every call of the API; here it is the pages, the pictures in
them and the stream that a browser holds open.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import pytest
import pyvips
from playwright.sync_api import Browser, Page, StorageState, expect
from tests.browser.conftest import Up
from tests.browser.console_pages import ConsolePage, api_client, console_pages, finished_job, settings_ids
from tests.journeys.opal_process import opal
from tests.services.tenant_world import HOUSE_PRESET, unknown

pytestmark = pytest.mark.xdist_group("browser")

_WORD = "velvet"
"""In every name that the first tenant gives, and in none of the second's."""
_FOLLOW = """address => new Promise((done) => {
    const heard = [];
    const source = new EventSource(address);
    const hear = ({data}) => heard.push(data);
    for (const name of ["message", "item", "job"]) source.addEventListener(name, hear);
    source.onerror = () => {
        done({heard, closed: source.readyState === EventSource.CLOSED});
        source.close();
    };
})"""
"""What an EventSource hears until it breaks off, and whether the browser gave it up for good."""
_CALL = """async ([method, path, body]) => {
    const token = document.querySelector('meta[name="csrf-token"]').content;
    const headers = {"X-CSRF-Token": token, "Content-Type": "application/json"};
    return (await fetch(path, {method, headers, body: body && JSON.stringify(body)})).status;
}"""
"""A call as the console's modules make it."""


@dataclass(frozen=True)
class Owned:
    """The first tenant's: its job as the API tells it, and an id for each parameter of a page."""

    job: dict[str, Any]
    ids: dict[str, str]

    def pages(self) -> list[ConsolePage]:
        """The pages that are about something of its own."""
        return [page for page in console_pages(self.ids) if re.search(r"\{(?!queue)", page.route)]

    def lists(self) -> list[str]:
        """Addresses of the pages that are of whoever is signed in."""
        pages = console_pages(self.ids)
        return [page.address for page in pages if page.signed_in and "{" not in page.route]


@pytest.fixture(scope="module")
def owned(up: Up, photos: list[Path]) -> Owned:
    """Everything that pages show: a finished photo, a doubtful one, a failed one; settings of each kind."""
    mug = pyvips.Image.new_from_file(str(photos[0]))
    cut_off = mug.crop(mug.width // 2, 0, mug.width // 2, mug.height).jpegsave_buffer(Q=90)
    sent = [(f"{_WORD}-mug.jpg", photos[0].read_bytes()), (f"{_WORD}-half.jpg", cut_off)]
    sent.append((f"{_WORD}-notes.jpg", b"no picture"))
    with api_client(up.url, up.key) as client:
        client.put("/v1/public-links", json={"jobs": "all"}).raise_for_status()
        job, ids = finished_job(client, sent, name=f"{_WORD} job", presets=["square-1x1", "amazon-main"])
        assert [item["state"] for item in job["items"]] == ["exported", "exported", "failed"]
        assert [item["next_steps"] for item in job["items"]] == [[], ["review"], ["replace"]]
        toml = HOUSE_PRESET.format(name=f"{_WORD}-preset")
        client.put(f"/v1/presets/{_WORD}-preset", json={"toml": toml}).raise_for_status()
        client.post("/v1/keys", json={"name": f"{_WORD} key", "scopes": ["read"]}).raise_for_status()
        profile = {"name": f"{_WORD} look", "scene": "white", "presets": ["square-1x1"]}
        client.post("/v1/brand-profiles", json=profile).raise_for_status()
        return Owned(job, ids | settings_ids(client))


@pytest.fixture(scope="module")
def other_key(up: Up) -> str:
    """A key of a second tenant, which has 20 credits."""
    folder = {"OPAL_DATA_DIR": str(up.data)}
    made = opal("keys", "create", "--tenant", "globex", "--json", cwd=up.data, changes=folder)
    granted = opal("credits", "grant", "globex", "20", cwd=up.data, changes=folder)
    assert granted.returncode == 0, granted.stdout + granted.stderr
    return str(json.loads(made.stdout)["key"])


@pytest.fixture(scope="module")
def other_session(up: Up, browser: Browser, other_key: str) -> StorageState:
    """The cookie of who signed in with the second tenant's key."""
    context = browser.new_context(base_url=up.url)
    page = context.new_page()
    page.goto("/sign-in")
    page.get_by_label("API key").fill(other_key)
    page.get_by_role("button", name="Sign in").click()
    page.wait_for_url(f"{up.url}/")
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def stranger(up: Up, browser: Browser, other_session: StorageState) -> Iterator[Page]:
    """A tab of the second tenant's."""
    context = browser.new_context(base_url=up.url, storage_state=other_session)
    context.set_default_timeout(30_000)
    yield context.new_page()
    context.close()


@pytest.fixture(scope="module")
def other_job(up: Up, other_key: str) -> dict[str, Any]:
    """A job of the second tenant's that waits for its photo."""
    with api_client(up.url, other_key) as client:
        made: dict[str, Any] = client.post("/v1/jobs", json={"items": [{"filename": "own.jpg"}]}).json()
    return made


def public_url(client: httpx.Client, owned: Owned, index: int) -> str:
    """The first picture's of one of the job's photos."""
    address = f"/v1/jobs/{owned.job['id']}/items/{owned.job['items'][index]['id']}/variants"
    return str(client.get(address).raise_for_status().json()["variants"][0]["public_url"])


def told(page: Page, address: str) -> tuple[int, str]:
    """How a page answers, and what a person reads there but for the answer's own number."""
    answer = page.goto(address)
    assert answer is not None
    return answer.status, re.sub(r"[0-9a-f]{16,}", "", page.locator("body").inner_text())


def test_pages_of_the_other_are_pages_that_nobody_has(
    page: Page, stranger: Page, owned: Owned, other_job: dict[str, Any]
) -> None:
    pages = owned.pages()
    assert {"jobs-job", "jobs-job-items-item", "jobs-job-review", "settings-webhooks-webhook"} <= {
        each.name for each in pages
    }
    for each in pages:
        assert told(page, each.address)[0] == 200, each.address
        theirs = told(stranger, each.address)
        assert theirs[0] == 404, each.address
        assert theirs == told(stranger, unknown(each.address)), each.address
        assert _WORD not in stranger.content().lower()
    assert told(stranger, f"/settings/presets/edit?name={_WORD}-preset")[0] == 404
    # Nor by way of one's own job.
    item = owned.ids["item_id"]
    assert told(stranger, f"/jobs/{other_job['id']}/items/{item}")[0] == 404


def test_lists_and_settings_show_nothing_of_the_other(
    page: Page, stranger: Page, owned: Owned, other_job: dict[str, Any]
) -> None:
    ids = {value for name, value in owned.ids.items() if name != "queue"}
    hidden = {_WORD, *ids, *(item["id"] for item in owned.job["items"])}
    seen: set[str] = set()
    for address in owned.lists():
        # What pages fetch afterwards, such as profiles, is waited for.
        page.goto(address, wait_until="networkidle")
        seen |= {word for word in hidden if word in page.content().lower()}
        stranger.goto(address, wait_until="networkidle")
        content = stranger.content().lower()
        assert not [word for word in hidden if word in content], address
    # The control: the first tenant's pages do show them.
    assert {_WORD, *ids} - {owned.ids["item_id"]} <= seen
    stranger.goto(f"/jobs?find={_WORD}")
    expect(stranger.get_by_text(f"No job, photo or SKU is called “{_WORD}”.")).to_be_visible()
    stranger.goto("/jobs")
    expect(stranger.locator("[data-job]")).to_have_count(1)
    expect(stranger.locator(f'[data-job="{other_job["id"]}"]')).to_be_visible()
    stranger.goto("/review")
    expect(stranger.get_by_role("heading", name="Nothing waits for you")).to_be_visible()
    expect(stranger.locator(".nav-count")).to_have_count(0)
    page.goto("/review")
    expect(page.locator(".nav-count")).to_have_text("1")


def test_the_stream_of_the_other_gives_nothing(
    page: Page, stranger: Page, owned: Owned, other_job: dict[str, Any]
) -> None:
    page.goto("/jobs")
    stranger.goto(f"/jobs/{other_job['id']}")
    expect(stranger.locator("#live")).to_have_text("Live")
    address = f"/v1/jobs/{owned.job['id']}/events"
    assert len(page.evaluate(_FOLLOW, address)["heard"]) > len(owned.job["items"])
    for path in (address, f"{address}?after=1", unknown(address)):
        assert stranger.evaluate(_FOLLOW, path) == {"heard": [], "closed": True}
    # One's own goes on beside it.
    expect(stranger.locator("#live")).to_have_text("Live")
    expect(stranger.locator("#items .card-name")).to_have_text(["own.jpg"])


def test_pictures_of_the_other_are_not_there(
    up: Up, page: Page, stranger: Page, owned: Owned, other_job: dict[str, Any]
) -> None:
    job, item = owned.ids["job_id"], owned.ids["item_id"]
    shown: set[str] = set()
    for address in (
        f"/jobs/{job}",
        f"/jobs/{job}/items/{item}",
        f"/jobs/{job}/items/{item}/touch-up",
        "/jobs",
    ):
        page.goto(address)
        page.wait_for_load_state("networkidle")
        shown |= set(page.evaluate("() => [...document.images].map((image) => image.src)"))
    theirs = sorted(address for address in shown if owned.job["id"] in address and "/blobs/" not in address)
    assert len(theirs) > 3
    for address in (*theirs, f"/v1/jobs/{job}/archive.zip", f"/v1/jobs/{job}/report.html"):
        assert page.request.get(address).ok, address
        assert stranger.request.get(address).status == 404, address
    # A signed address opens to who has it, and is signed for one picture alone.
    with api_client(up.url, up.key) as client:
        variants = client.get(f"/v1/jobs/{job}/items/{item}/variants").json()["variants"]
    first, second = (httpx.URL(each["url"]) for each in variants[:2])
    assert stranger.request.get(str(first)).ok
    assert stranger.request.get(str(first.copy_with(query=second.query))).status == 403
    assert stranger.request.get(str(first.copy_with(query=None))).status in {401, 403}
    # The stranger's own ticket for an upload writes nowhere else.
    which = {"job_id": other_job["id"], "item_id": other_job["items"][0]["id"]}
    stranger.goto("/")
    assert stranger.evaluate(_CALL, ["POST", "/v1/uploads/sas", which]) == 200
    elsewhere = {"job_id": job, "item_id": item}
    assert stranger.evaluate(_CALL, ["POST", "/v1/uploads/sas", elsewhere]) == 404


def test_public_links_are_the_owners_to_open_and_close(up: Up, stranger: Page, owned: Owned) -> None:
    with api_client(up.url, up.key) as client:
        link = public_url(client, owned, 0)
        assert stranger.request.get(link).ok
        # A picture's name goes with its own seal alone.
        token, other_token = link.split("/")[-2], public_url(client, owned, 1).split("/")[-2]
        assert token[24:] != other_token[24:]
        assert stranger.request.get(link.replace(token, token[:24] + other_token[24:])).status == 404
        client.delete("/v1/public-links").raise_for_status()
        stranger.goto("/settings/public-links")
        assert stranger.evaluate(_CALL, ["PUT", "/v1/public-links", {"jobs": "all"}]) == 200
        assert stranger.request.get(link).status == 404
        client.put("/v1/public-links", json={"jobs": "all"}).raise_for_status()
        assert stranger.evaluate(_CALL, ["DELETE", "/v1/public-links", None]) == 204
        assert stranger.request.get(public_url(client, owned, 0)).ok


def test_nothing_of_the_other_can_be_changed_or_is_charged(
    up: Up, stranger: Page, owned: Owned, other_job: dict[str, Any]
) -> None:
    job, (_, doubtful, failed) = owned.job["id"], [item["id"] for item in owned.job["items"]]
    stranger.goto("/")
    calls: list[list[Any]] = [
        ["POST", f"/v1/jobs/{job}/items/{doubtful}/verdict", {"verdict": "rejected"}],
        ["POST", f"/v1/jobs/{job}/items/{failed}/retry", {"photo": "new"}],
        ["DELETE", f"/v1/jobs/{job}", None],
        ["DELETE", f"/v1/webhooks/{owned.ids['webhook_id']}", None],
        ["DELETE", f"/v1/keys/{owned.ids['key_id']}", None],
        ["DELETE", f"/v1/presets/{_WORD}-preset", None],
    ]
    for each in calls:
        assert stranger.evaluate(_CALL, each) == 404, each
    with api_client(up.url, up.key) as client:
        now = client.get(f"/v1/jobs/{job}").raise_for_status().json()
        assert (now["status"], now["cancelled_at"]) == (owned.job["status"], None)
        assert [item["updated_at"] for item in now["items"]] == [
            item["updated_at"] for item in owned.job["items"]
        ]
    # Nor do the first tenant's pictures cost anything here: one's own photo holds a credit, none is spent.
    stranger.goto("/credits")
    expect(stranger.locator(".balance dd:not(.hint)")).to_have_text(["19", "1", "20"])

"""`make screenshots`: every page of the console as people see it, in both themes, on a desk and on a phone.

Starts `opal up` on a folder of its own, sends the sample photos through the real services and opens every
page in the machine's own Chromium. The few that the documents show are written to docs/screenshots/. With
`--full DIR` all of them go to DIR, whole and as PNG, to be looked at.
"""

import argparse
import itertools
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import pyvips
from playwright.sync_api import Browser, StorageState, sync_playwright
from tests.browser.chromium import chromium
from tests.browser.console_pages import ConsolePage, api_client, console_pages, finished_job, settings_ids
from tests.browser.opal_up import Up, follow_link, opal_up

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "screenshots"
SAMPLES = ROOT / "samples" / "photos"
_QUALITY: Final = 82
"""Of WebP."""
_SETTLED_MS: Final = 1200

Theme = Literal["light", "dark"]


@dataclass(frozen=True, slots=True)
class Screen:
    """What a page is looked at on, in CSS pixels, and how many dots each has."""

    name: str
    width: int
    height: int
    density: float


DESK: Final = Screen("desk", 1280, 860, 1.0)
PHONE: Final = Screen("phone", 390, 800, 2.0)
KEPT: Final = frozenset(
    {
        "start-light-desk",
        "jobs-light-desk",
        "jobs-job-light-desk",
        "jobs-job-dark-desk",
    }
)
"""Those that README and docs/console.md show: page, theme, screen."""


def seed(up: Up) -> dict[str, str]:
    """Three jobs of the samples: one on white, one that waits, one in a scene with a photo that fails."""
    photos = [(path.name, path.read_bytes()) for path in sorted(SAMPLES.glob("*.jpg"))]
    half = photos[0][1][: len(photos[0][1]) // 2]
    with api_client(up.url, up.key) as client:
        finished_job(
            client, photos[:3], name="Marketplace main images", scene="white", presets=["amazon-main"]
        )
        waiting = {
            "name": "From the studio, Friday",
            "items": [{"filename": f"IMG_{n}.jpg"} for n in range(4)],
        }
        client.post("/v1/jobs", json=waiting).raise_for_status()
        _, ids = finished_job(
            client,
            [*photos, ("tea-tin-back.jpg", half)],
            name="Kitchen, spring 2027",
            scene="studio-warm",
            presets=["square-1x1", "story-9x16"],
        )
        ids |= settings_ids(client)
    return ids


def draw_all(
    browser: Browser, pages: list[ConsolePage], url: str, state: StorageState, full: Path | None
) -> None:
    """Write what is wanted of every page."""
    themes: tuple[Theme, ...] = ("light", "dark")
    for theme, screen in itertools.product(themes, (DESK, PHONE)):
        for page in pages:
            name = f"{page.name}-{theme}-{screen.name}"
            if full is None and name not in KEPT:
                continue
            context = browser.new_context(
                base_url=url,
                storage_state=state if page.signed_in else None,
                viewport={"width": screen.width, "height": screen.height},
                device_scale_factor=screen.density,
                has_touch=screen is PHONE,
                color_scheme=theme,
                reduced_motion="reduce",
            )
            tab = context.new_page()
            tab.goto(page.address)
            # A job's event stream keeps the network from ever being idle.
            tab.wait_for_timeout(_SETTLED_MS)
            if full is None:
                _keep(name, tab.screenshot())
            else:
                tab.screenshot(path=full / f"{name}.png", full_page=True)
            context.close()


def _keep(name: str, data: bytes) -> None:
    path = FOLDER / f"{name}.webp"
    path.write_bytes(pyvips.Image.new_from_buffer(data, "").webpsave_buffer(Q=_QUALITY, effort=6))
    sys.stdout.write(f"{path.relative_to(ROOT)}: {path.stat().st_size / 1e3:.0f} kB\n")


def main(arguments: list[str]) -> int:
    """Make the screenshots; returns the exit code."""
    parser = argparse.ArgumentParser(prog="python -m docs.generate.screenshots", description=__doc__)
    parser.add_argument("--full", type=Path, metavar="DIR", help="write all of them, whole, into DIR instead")
    told = parser.parse_args(arguments)
    (told.full or FOLDER).mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as folder, opal_up(Path(folder)) as up:
        ids = seed(up)
        with sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
            draw_all(browser, console_pages(ids), up.url, follow_link(browser, up), told.full)
            browser.close()
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

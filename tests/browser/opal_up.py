"""A running `opal up` and a browser's way in. Used by tests, benchmark and screenshots."""

import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Browser, StorageState
from tests.journeys.opal_process import lines_until, running


@dataclass(frozen=True)
class Up:
    """A running `opal up`, its one-time link not followed yet."""

    url: str
    key: str
    link: str
    data: Path


@contextmanager
def opal_up(folder: Path, changes: Mapping[str, str] | None = None) -> Iterator[Up]:
    """`opal up` on a free port, its data below ``folder``; stopped at the end of the block."""
    with running("up", "--port", "0", "--data", "data", cwd=folder, changes=changes) as process:
        told = "\n".join(lines_until(process, "stop with Ctrl-C"))
        _empty(process)
        names = ("console and API", "API key", "signed in, once")
        found = [re.search(rf"{name} +(\S+)", told) for name in names]
        url, key, link = (each[1] for each in found if each is not None)
        yield Up(url.rstrip("/"), key, link, folder / "data")


def _empty(process: subprocess.Popen[str]) -> None:
    """Read on: a pipe that is full stops the services in the middle of a line of their log."""
    assert process.stdout is not None
    pipe = os.dup(process.stdout.fileno())

    def read() -> None:
        with os.fdopen(pipe, "rb", buffering=0) as lines:
            while lines.read(65536):
                pass

    threading.Thread(target=read, daemon=True).start()


def follow_link(browser: Browser, up: Up) -> StorageState:
    """The cookie of who followed the link that `opal up` printed."""
    context = browser.new_context()
    page = context.new_page()
    page.goto(up.link)
    page.wait_for_url(f"{up.url}/")
    state = context.storage_state()
    context.close()
    return state

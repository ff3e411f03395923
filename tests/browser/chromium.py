"""Where Chromium is. Playwright brings none: the machine's own is used, and without one the tests fail."""

import shutil

import pytest

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")


def chromium() -> str:
    """The program's path."""
    for name in _NAMES:
        found = shutil.which(name)
        if found is not None:
            return found
    pytest.fail(
        "The console is tested in a real browser, and none is on the PATH: `apt install chromium`, "
        "or any of " + ", ".join(_NAMES)
    )

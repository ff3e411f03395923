"""Programs of others that a test sets Opal beside: exiftool, openssl."""

import os
from typing import NoReturn

import pytest


def missing(reason: str) -> NoReturn:
    """Skip on a laptop that lacks the program; in CI, where nothing may go untested, fail."""
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)

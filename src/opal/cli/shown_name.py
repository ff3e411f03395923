"""Names of files as text that can be printed and stored, whatever bytes they are made of.

Used by the reports. A name need not be UTF-8; Python then keeps its bytes in a form that no file takes.
"""

import os
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import unquote_to_bytes, urlsplit

from pydantic import BeforeValidator


def shown(name: str | Path) -> str:
    """The name, with bytes that are not UTF-8 spelt ``\\xe9``."""
    text = str(name)
    try:
        return text.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
    except UnicodeEncodeError:
        # A lone half of a pair that came from no file system.
        return text.encode("utf-8", "backslashreplace").decode("utf-8")


def path_key(path: Path) -> str:
    """An absolute path as a key that no other path has: itself, or a file: URL where it is not UTF-8."""
    text = str(path)
    try:
        text.encode()
    except UnicodeEncodeError:
        return path.as_uri()
    return text


def key_path(key: str) -> Path:
    """The path that `path_key` made a key of."""
    if not key.startswith("file:"):
        return Path(key)
    return Path(os.fsdecode(unquote_to_bytes(urlsplit(key).path)))


def _as_text(value: Any) -> Any:
    return shown(value) if isinstance(value, str | Path) else value


ShownText = Annotated[str, BeforeValidator(_as_text)]
"""A field for text that may hold a file's name."""

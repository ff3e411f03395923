"""What a blob may be called, and under which name a browser saves it; alike in every store."""

import re
from urllib.parse import quote

from opal.blobs.interface import CONTAINERS
from opal.errors import InvalidBlobPath

# A leading dot is kept for the folder's own files (.incoming, content types).
_SEGMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,149}")
_LONGEST_PATH = 1000


def check_name(container: str, path: str) -> None:
    """Raise ``InvalidBlobPath`` unless ``container`` is ours and ``path`` is made of plain segments."""
    plain = container in CONTAINERS and len(path) <= _LONGEST_PATH
    if not plain or not all(_SEGMENT.fullmatch(segment) for segment in path.split("/")):
        raise InvalidBlobPath


def attachment(download_name: str) -> str:
    """The ``Content-Disposition`` that saves a download under ``download_name`` (RFC 6266).

    The plain name is ASCII for old clients; the starred one carries every character.
    """
    name = "".join(letter for letter in download_name if letter.isprintable()).replace("/", "_")[:150]
    name = name.strip() or "download"
    plain = "".join(letter if letter.isascii() and letter not in '"\\' else "_" for letter in name)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(name, safe='')}"

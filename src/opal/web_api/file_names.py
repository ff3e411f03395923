"""Names for files that clients download, made from names that clients gave."""

import re
import unicodedata
from collections.abc import Iterable

_UNSAFE = re.compile(r"[^\w.()+@-]+")
_LONGEST = 80
# Windows opens a device under these names, whatever the ending.
_DEVICES = re.compile(r"(con|prn|aux|nul|com\d|lpt\d)", re.IGNORECASE)


def safe_stem(filename: str) -> str:
    """The name without folders and ending, in letters that every file system takes; never empty."""
    name = unicodedata.normalize("NFC", filename).replace("\\", "/").rpartition("/")[2]
    stem = name.rpartition(".")[0] or name
    stem = _UNSAFE.sub("_", stem).strip("._")[:_LONGEST].rstrip("._")
    if _DEVICES.fullmatch(stem.partition(".")[0]):
        stem = f"_{stem}"
    return stem or "photo"


def unique_stems(filenames: Iterable[str]) -> list[str]:
    """A safe stem per file name, no two the same even where case does not count: ``mug``, ``mug-2``."""
    taken: set[str] = set()
    stems = []
    for filename in filenames:
        base = stem = safe_stem(filename)
        number = 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{base}-{number}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems

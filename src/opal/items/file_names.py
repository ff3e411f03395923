"""Names for files that clients download, made from names that clients gave.

Used by the archive, the downloads of one item, deliveries and `opal process`.
"""

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
    return _safe(name.rpartition(".")[0] or name) or "photo"


def product_stem(sku: str | None, filename: str) -> str:
    """What a product's pictures are called: its SKU or GTIN, else its photo's stem.

    A number is a name as a whole: ``AB/1.5`` has neither folder nor ending. One of which no letter is left,
    such as ``?``, names nothing.
    """
    return _safe(unicodedata.normalize("NFC", sku or "")) or safe_stem(filename)


def unique_stems(filenames: Iterable[str], in_use: Iterable[str] = ()) -> list[str]:
    """A safe stem per file name, no two the same even where case does not count: ``mug``, ``mug-2``.

    None of them is one of the names `in_use` either.
    """
    return _told_apart((safe_stem(filename) for filename in filenames), in_use)


def unique_product_stems(products: Iterable[tuple[str | None, str]]) -> list[str]:
    """`product_stem` of every (SKU, file name), told apart as `unique_stems` does.

    Several photos of one product are the rule: they become ``MUG-01``, ``MUG-01-2`` in the order given.
    """
    return _told_apart(product_stem(sku, filename) for sku, filename in products)


def _safe(name: str) -> str:
    """The name in letters that every file system takes; empty when none is left."""
    stem = _UNSAFE.sub("_", name).strip("._")[:_LONGEST].rstrip("._")
    return f"_{stem}" if _DEVICES.fullmatch(stem.partition(".")[0]) else stem


def _told_apart(names: Iterable[str], in_use: Iterable[str] = ()) -> list[str]:
    taken = {name.casefold() for name in in_use}
    stems = []
    for base in names:
        stem, number = base, 1
        while stem.casefold() in taken:
            number += 1
            stem = f"{base}-{number}"
        taken.add(stem.casefold())
        stems.append(stem)
    return stems

"""Which photos of a job its page shows, and in which order: the address's ``show``, ``find`` and ``order``.

As ``static/job-sift.js`` does it where there are scripts. What is not known in an address is passed over.
"""

import re
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Final
from urllib.parse import urlencode

from fastapi import Depends, Query

from opal.items.item import Item
from opal.items.next_steps import waits_for_review
from opal.items.states import TERMINAL, ItemState

SHOWN: Final[dict[str, Callable[[Item], bool]]] = {
    "all": lambda _item: True,
    "work": lambda item: item.state not in TERMINAL,
    "ready": lambda item: item.state is ItemState.EXPORTED and not waits_for_review(item),
    "review": waits_for_review,
    "failed": lambda item: item.state is ItemState.FAILED,
}
ORDERS: Final = ("given", "name", "changed")
_DIGITS: Final = re.compile(r"(\d+)")


@dataclass(frozen=True, slots=True)
class Sift:
    """What is asked for: a key of ``SHOWN``, a part of a name or SKU, one of ``ORDERS``."""

    show: str
    find: str
    order: str

    def of(self, items: Sequence[Item]) -> list[Item]:
        """Those of ``items`` that are asked for; they come in the job's order."""
        words = self.find.lower()
        fits = SHOWN[self.show]
        shown = [
            item
            for item in items
            if fits(item) and any(words in name.lower() for name in (item.sku or "", item.filename))
        ]
        if self.order == "name":
            shown.sort(key=lambda item: _natural(item.sku or item.filename))
        if self.order == "changed":
            shown.sort(key=lambda item: item.updated_at, reverse=True)
        return shown

    def query(self, page: int) -> str:
        """The same as an address's query, on ``page``."""
        asked = {"show": self.show, "find": self.find, "order": self.order}
        plain = {"show": "all", "find": "", "order": "given"}
        return urlencode(
            {name: value for name, value in asked.items() if value != plain[name]} | {"page": page}
        )


def counts(items: Sequence[Item]) -> Counter[str]:
    """How many photos each key of ``SHOWN`` has."""
    return Counter(name for item in items for name, fits in SHOWN.items() if fits(item))


def _natural(name: str) -> list[tuple[bool, int, str]]:
    """Sorts ``mug 9`` before ``mug 10``."""
    return [
        (not part.isdigit(), int(part) if part.isdigit() else 0, part)
        for part in _DIGITS.split(name.casefold())
    ]


def _sift(
    show: Annotated[str, Query(max_length=20)] = "all",
    find: Annotated[str, Query(max_length=200)] = "",
    order: Annotated[str, Query(max_length=20)] = "given",
) -> Sift:
    return Sift(show if show in SHOWN else "all", find.strip(), order if order in ORDERS else "given")


Sifted = Annotated[Sift, Depends(_sift)]

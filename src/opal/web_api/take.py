"""Which of a job's photos, and which of their pictures, somebody takes: ``?items=1-40,52&preset=square-1x1``.

Used by the archive, the table of results and the list of public links, which all take the same two.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, Final, Protocol

from fastapi import Depends, Query

from opal.errors import NotFound
from opal.faults import in_words

_ONE: Final = r"(item_[0-9a-f]{24}|[1-9][0-9]{0,5}(-[1-9][0-9]{0,5})?)"
_SEVERAL: Final = in_words(f"^{_ONE}(,{_ONE})*$", "numbers, ranges and ids, commas between, as in 1-40,52")
_LONGEST: Final = 7000
"""Characters: every other one of 2,000 photos takes 4,450, and an address has 8 KiB."""


class Numbered(Protocol):
    """An item, or as much of one as is needed."""

    @property
    def id(self) -> str:
        """``item_`` and its number."""


@dataclass(frozen=True, slots=True)
class Take:
    """What a request asks for; None: all of them."""

    items: str | None
    presets: frozenset[str] | None

    def of_items(self, everything: Sequence[Numbered]) -> frozenset[str]:
        """The ids of the photos asked for; ``everything`` are all of the job, in its order.

        Raises ``NotFound`` for a number or an id that the job does not have.
        """
        ids = [item.id for item in everything]
        if self.items is None:
            return frozenset(ids)
        known = frozenset(ids)
        found: set[str] = set()
        for word in self.items.split(","):
            if word.startswith("item_"):
                named = [word] if word in known else []
            else:
                first, _, last = word.partition("-")
                named = ids[int(first) - 1 : int(last or first)] if int(last or first) <= len(ids) else []
            if not named:
                raise NotFound(f"This job has no photo {word}.")
            found.update(named)
        return frozenset(found)

    def of_presets(self, asked: Sequence[str]) -> frozenset[str]:
        """The presets asked for, of the job's, ``asked``. Raises ``NotFound`` for any other."""
        if self.presets is None:
            return frozenset(asked)
        for preset in sorted(self.presets - set(asked)):
            raise NotFound(f"This job has no preset {preset}.")
        return self.presets


def _take(
    items: Annotated[
        str | None,
        Query(
            max_length=_LONGEST,
            pattern=_SEVERAL,
            description="Of these photos only: their places in the job's `items`, from 1, or their ids.",
            examples=["1-40,52"],
        ),
    ] = None,
    preset: Annotated[
        list[str] | None,
        Query(
            max_length=100,
            description="Of these presets only; named once for each.",
            examples=[["square-1x1"]],
        ),
    ] = None,
) -> Take:
    return Take(items, frozenset(preset) if preset else None)


Taken = Annotated[Take, Depends(_take)]

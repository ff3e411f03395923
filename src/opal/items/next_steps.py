"""What a client can sensibly do about an item, by its state and its error. Pure; called by web-api."""

from enum import StrEnum

from opal.errors import DataErased, InvalidPhoto, walk
from opal.items.item import Item
from opal.items.states import ItemState

_PHOTOS_FAULT = frozenset(kind.code for kind in walk(InvalidPhoto))


class NextStep(StrEnum):
    """Something to do: try the stored photo again, send another one, look at the pictures."""

    RETRY = "retry"
    REPLACE = "replace"
    REVIEW = "review"


def next_steps(item: Item) -> list[NextStep]:
    """What is sensible now, the best first; empty where there is nothing to do."""
    if waits_for_review(item):
        return [NextStep.REVIEW]
    if item.state is not ItemState.FAILED or item.error_code == DataErased.code:
        return []
    if has_usable_photo(item) and item.error_code not in _PHOTOS_FAULT:
        return [NextStep.RETRY, NextStep.REPLACE]
    # The same photo would only fail again, or is not there.
    return [NextStep.REPLACE]


def waits_for_review(item: Item) -> bool:
    """Whether its pictures are there, marked, and nobody has judged them."""
    return item.state is ItemState.EXPORTED and item.review and item.verdict is None


def has_usable_photo(item: Item) -> bool:
    """Whether a photo is stored that passed its checks."""
    return item.raw_path is not None and bool(item.photo) and item.raw_expired_at is None

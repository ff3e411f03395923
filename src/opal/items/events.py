"""What happened to an item: one row per move, plus notes that change no state."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from opal.items.states import ItemState


@dataclass(frozen=True, slots=True)
class ItemEvent:
    """One line of an item's story. ``seq`` grows through the whole database, so a reader can resume."""

    seq: int
    tenant_id: str
    job_id: str
    item_id: str
    source: ItemState | None
    target: ItemState
    attempt: int
    code: str | None
    message: str | None
    at: datetime
    details: dict[str, Any]

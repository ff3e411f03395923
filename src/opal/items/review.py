"""When a person should look at what was made of a photo, and what that person may say of it.

Called by the orchestrator, which marks the item, by web-api and by `opal process`.
"""

from enum import StrEnum


class ReviewVerdict(StrEnum):
    """What a person says of an item's pictures."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"


def needs_review(confidence: float, below: float) -> bool:
    """Whether a cut-out of this confidence (0..1) is marked; `below` is the setting, 0 marks none."""
    return confidence < below

"""When a person should look at what was made of a photo.

Called by the orchestrator, which marks the item, and by `opal process`.
"""


def needs_review(confidence: float, below: float) -> bool:
    """Whether a cut-out of this confidence (0..1) is marked; `below` is the setting, 0 marks none."""
    return confidence < below

"""The header ``Idempotency-Key``, for routes that create something. Used by ``jobs.py`` and ``keys.py``."""

from typing import Annotated

from fastapi import Header

from opal.faults import in_words

IdempotencyKey = Annotated[
    str | None,
    Header(
        min_length=1,
        max_length=255,
        pattern=in_words(r"^[!-~]+$", "ASCII letters, digits and signs, without spaces"),
        examples=["my-first-job"],
        description="Any text of your own; a repeat with the same body gets the first answer again "
        "for 24 hours and creates nothing.",
    ),
]

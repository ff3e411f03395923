"""Conditional requests (RFC 9110, 13) for pictures: what the client has already is neither made nor sent."""

from typing import Annotated, Any, Final

from fastapi import Header, Query

HeldTags = Annotated[
    str | None, Header(alias="If-None-Match", description="ETags of what the client has already.")
]
Version = Annotated[
    int | None,
    Query(alias="v", ge=0, description="The photo's `revision`: then it may be kept for a while."),
]

NOT_MODIFIED: Final[dict[int | str, dict[str, Any]]] = {
    304: {"description": "The version that the client has is the one there is."}
}
"""What the API's description says of the answer without a picture."""


def is_held(if_none_match: str | None, etag: str) -> bool:
    """Whether an ``If-None-Match`` header names this version (RFC 9110, 13.1.2: compared weakly)."""
    if if_none_match is None:
        return False
    named = [each.strip().removeprefix("W/") for each in if_none_match.split(",")]
    return named == ["*"] or etag in named


def private_headers(tag: str, version: int | None) -> dict[str, str]:
    """Headers of a tenant's own picture whose ETag is ``tag``, without its quotes.

    A revision changes the picture: only an address that names its ``version`` may go unasked for an hour.
    """
    return {
        "Cache-Control": "private, no-cache" if version is None else "private, max-age=3600",
        "ETag": f'"{tag}"',
        "X-Content-Type-Options": "nosniff",
    }

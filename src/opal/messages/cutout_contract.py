"""The placement endpoint's second kind of request: a bare cut-out, photo and matte inside the messages.

Sent by web-api's remove.bg routes to the same ``POST /score``. Nothing is stored on the way.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field


class Region(BaseModel):
    """A rectangle in pixels of the upright photo, origin at the top left."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    left: int = Field(ge=0)
    top: int = Field(ge=0)
    width: int = Field(ge=1)
    height: int = Field(ge=1)


class CutoutRequest(BaseModel):
    """One photo to cut out."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: Literal["cutout"] = "cutout"
    """Tells this request from a ``ScoreRequest``, which has no task."""
    tenant_id: str
    image_bytes_b64: str = Field(description="The photo's file, any format that can be read.")
    region: Region | None = Field(
        default=None, description="The only part of the photo in which there is a product; cut to the photo."
    )


class CutoutResponse(BaseModel):
    """The matte of the whole upright photo, and how it came about."""

    model_config = ConfigDict(frozen=True)

    matte_bytes_b64: str = Field(description="Single-band 8-bit PNG.")
    cutout_engine: str | None = Field(default=None, description="None where the photo brought its own alpha.")
    confidence: float = Field(ge=0, le=1)
    confidence_reasons: list[str] = []
    timings: dict[str, float] = Field(default={}, description="Seconds per step.")

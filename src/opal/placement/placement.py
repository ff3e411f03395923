"""How a product is put on the canvas, as data: size, alignment, ground line and shadow.

Called by web-api (to refuse bad input early), the command line, scoring and export-worker.
"""

from typing import Any, Self

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from opal.errors import InvalidPlacement
from opal.faults import first_fault
from opal.images.geometry import Alignment
from opal.images.shadow import ShadowKind

DEFAULT_MARGIN = 0.12
"""Share of the shorter canvas side; looks like a catalogue picture, room for the shadow."""


class Placement(BaseModel):
    """Where and how large the product stands, and which shadow it throws.

    All lengths are shares of the canvas, so the same placement serves every size and aspect.
    """

    # Strict: `true` is no number and "0.5" no share, just as the published schema says.
    model_config = ConfigDict(
        frozen=True,
        extra="forbid",
        strict=True,
        json_schema_extra={
            "examples": [
                {"margin": 0.12, "alignment": "center", "ground": 0.8, "shadow": "contact"},
                {"fill": 0.85, "straighten": True},
                {"margin": 0.2, "shadow": "floating", "lift": 0.1},
            ]
        },
    )

    fill: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="Share of the canvas that the product takes in its tighter direction. Excludes `margin`.",
        examples=[0.85],
    )
    margin: float | None = Field(
        default=None,
        ge=0.0,
        le=0.45,
        description="Free space on each side, as a share of the shorter canvas side. "
        f"Without `fill` and `margin` it is {DEFAULT_MARGIN}.",
        examples=[DEFAULT_MARGIN],
    )
    alignment: Alignment = Field(
        default="center",
        description="Where the product stands: the free space goes to the other side.",
        examples=["bottom"],
    )
    ground: float | None = Field(
        default=None,
        ge=0.05,
        le=1.0,
        description="Share of the canvas height at which the product touches the floor; "
        "overrides the vertical part of `alignment`.",
        examples=[0.8],
    )
    upscale_limit: float = Field(
        default=1.0,
        ge=1.0,
        le=4.0,
        description="Largest enlargement of the photo; beyond it the product stays smaller (`capped`). "
        "A preset may allow more.",
        examples=[1.5],
    )
    straighten: bool = Field(
        default=False,
        description="Turn a product upright that leans by 0.5 to 12 degrees, where its sides say so clearly.",
        examples=[True],
    )
    shadow: ShadowKind | None = Field(
        default=None,
        description="`contact` darkens only where the product touches; `soft` and `hard` add the shadow it "
        "casts; `floating` lifts it off the floor. Left out, the scene decides: none on transparent, "
        "contact elsewhere.",
        examples=["soft"],
    )
    shadow_intensity: float = Field(
        default=0.8, ge=0.0, le=1.0, description="Darkness; 0 is no shadow.", examples=[0.6]
    )
    shadow_softness: float = Field(
        default=0.5, ge=0.0, le=1.0, description="Blur; 0.5 is the usual one.", examples=[0.7]
    )
    shadow_direction: float | None = Field(
        default=None,
        ge=0.0,
        le=360.0,
        description="Where a soft or hard shadow falls, in degrees: 0 away from the camera, 90 to the right, "
        "180 towards the camera. Left out, away from the scene's own light.",
        examples=[120.0],
    )
    shadow_length: float | None = Field(
        default=None,
        ge=0.0,
        le=2.0,
        description="Length of a soft or hard shadow as a share of the product's height. Left out, by the "
        "height of the scene's own light.",
        examples=[0.5],
    )
    lift: float = Field(
        default=0.08,
        ge=0.0,
        le=0.5,
        description="How far a floating product hangs above the floor, as a share of its height; less where "
        "the canvas has no room for it.",
        examples=[0.1],
    )
    reflection: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="How strongly a polished floor mirrors the product at its foot. Nothing is mirrored on "
        "transparent, nor below a floating product.",
        examples=[0.15],
    )

    @model_validator(mode="after")
    def _one_size(self) -> Self:
        if self.fill is not None and self.margin is not None:
            raise ValueError("give `fill` or `margin`, not both")
        return self


def resolve_placement(placement: dict[str, Any] | None) -> Placement:
    """Turn request data into a Placement; None gives the defaults.

    Raises InvalidPlacement naming the field and what is wrong with it.
    """
    try:
        return Placement.model_validate(placement or {})
    except ValidationError as error:
        raise InvalidPlacement(f"Placement is not valid at {first_fault(error, 'placement')}.") from error

"""What was measured, as clients see it: the photo, the cut-out's fidelity, a preset's rules.

Stored as plain data and read leniently: a row of an older version lacks a figure, and is shown without it.
"""

from pydantic import BaseModel, ConfigDict, Field


class PhotoFacts(BaseModel):
    """What an uploaded photo was found to be; width and height as it is looked at."""

    format: str = Field(examples=["jpeg"])
    bytes: int | None = Field(default=None, examples=[812345])
    width: int | None = Field(default=None, description="Pixels, upright.", examples=[3000])
    height: int | None = Field(default=None, description="Pixels, upright.", examples=[4000])
    content_type: str | None = Field(default=None, examples=["image/jpeg"])


class PlacedReport(BaseModel):
    """How the product came into a picture: nothing is enlarged, made smaller or turned without saying so."""

    model_config = ConfigDict(extra="allow")

    scale: float = Field(description="Picture pixels per photo pixel.", examples=[0.82])
    upscaled: bool = Field(default=False, description="The photo was enlarged: `scale` is above 1.")
    capped: bool = Field(
        default=False,
        description="Smaller than asked: the photo has too few pixels for the enlargement allowed.",
    )
    straightened_degrees: float = Field(
        default=0.0, description="Clockwise turn of the photo before it was placed; 0: none.", examples=[-2.4]
    )
    offset_x: float | None = Field(
        default=None,
        description="Picture pixels from the picture's left edge to the photo's: with `scale`, where every "
        "pixel of the photo came to lie. Of a turned photo, the edge of the frame that holds all of it. Null "
        "where it was not kept.",
        examples=[-212.0],
    )
    offset_y: float | None = Field(default=None, description="The same from the top.", examples=[140.5])


class LightMatchReport(BaseModel):
    """By how much the product was altered on purpose, to stand in a backdrop's light."""

    model_config = ConfigDict(extra="allow")

    stops: float | None = Field(default=None, description="Change of exposure in powers of two.")
    mired: float | None = Field(default=None, description="Change of colour temperature; above 0: warmer.")
    gains: list[float] | None = Field(default=None, description="Factors on linear red, green and blue.")
    mean_de: float | None = Field(default=None, description="Mean CIEDE2000 that the change alone makes.")
    share_within_de1: float | None = Field(
        default=None, description="Share of the pixels within CIEDE2000 1.0 of the photo in the new light."
    )


class FidelityReport(BaseModel):
    """How close the product in a picture is to the product in the photo; null: nothing to compare."""

    model_config = ConfigDict(extra="allow")

    pixels_compared: int | None = Field(default=None, description="Pixels wholly inside the product.")
    share_within_de1: float | None = Field(default=None, description="Share of them within CIEDE2000 1.0.")
    max_de: float | None = Field(default=None, description="Largest CIEDE2000 of any of them.")
    mean_de: float | None = Field(default=None, description="Mean CIEDE2000.")
    ssim: float | None = Field(default=None, description="Structural similarity of luma, 1 = identical.")
    local_de: float | None = Field(
        default=None, description="Largest CIEDE2000 of colours averaged over some four pixels."
    )
    altered_pixels: int | None = Field(
        default=None, description="Largest connected area whose local CIEDE2000 is above 1.5, pixels."
    )
    local_ssim: float | None = Field(
        default=None,
        description="Lowest structural similarity of any place, averaged over some sixteen pixels.",
    )
    altered: bool | None = Field(
        default=None,
        description="The verdict on these figures: the product in the picture is not the photo's.",
    )
    silhouette_iou: float | None = Field(
        default=None, description="Overlap of the product's outline with the matte, 1 = identical."
    )
    light_match: LightMatchReport | None = Field(
        default=None,
        description="Only where the scene asked for `match`. `share_within_de1`, `max_de` and `mean_de` "
        "compare with the photo as it was taken, so they show the change too; `ssim`, the local figures and "
        "`altered` compare with the photo in the new light.",
    )


class RuleReport(BaseModel):
    """One rule of a preset and what the finished file was measured to be."""

    model_config = ConfigDict(extra="allow")

    rule: str = Field(examples=["fill_share"])
    measured: int | float | str | bool | None = Field(examples=[0.871])
    limit: str = Field(description="For people.", examples=[">= 0.85"])
    minimum: float | None = None
    maximum: float | None = None
    passed: bool
    level: str = Field(
        default="required",
        description="`required`: the channel refuses what breaks it; `advised`: it only recommends.",
        examples=["required"],
    )
    fixed: str | None = Field(
        default=None,
        description="What was done automatically to keep the rule: the photo, uploaded as it is, would have "
        "broken it; or what gave way to a byte budget. A sentence for people.",
        examples=["background replaced by pure white; in the photo it is 212,208,201"],
    )
    unit: str = ""
    authority: str = Field(
        default="own", description="Whose rule: `official`, `second-hand` or `own`.", examples=["official"]
    )
    source: str | None = Field(default=None, description="Web address of the rule's text.")


FIDELITY_EXAMPLE = FidelityReport(
    pixels_compared=1843200,
    share_within_de1=0.9996,
    max_de=1.4,
    mean_de=0.11,
    ssim=0.9991,
    silhouette_iou=0.9984,
    local_de=0.7,
    altered_pixels=0,
    local_ssim=0.984,
    altered=False,
)
PLACED_EXAMPLE = PlacedReport(scale=0.82)
RULE_EXAMPLE = RuleReport(
    rule="fill_share", measured=0.871, limit=">= 0.85", minimum=0.85, passed=True, authority="official"
)
PHOTO_EXAMPLE = PhotoFacts(format="jpeg", bytes=812345, width=3000, height=4000, content_type="image/jpeg")

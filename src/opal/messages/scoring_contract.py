"""What travels between the orchestrator and the placement endpoint: ``POST /score`` (design §4)."""

from typing import Any

from pydantic import BaseModel, ConfigDict, Field


class OutputSas(BaseModel):
    """URLs that can each write one blob; the endpoint PUTs the pictures there itself."""

    model_config = ConfigDict(frozen=True)

    scene: str
    matte: str


class ScoreRequest(BaseModel):
    """One photo to cut out and place."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    tenant_id: str
    job_id: str
    item_id: str
    input_image_sas: str
    prompt: str = ""
    scene: str | dict[str, Any] | None = None
    placement: dict[str, Any] | None = None
    backdrop_image_sas: str | None = Field(
        default=None, description="Where the picture of a `backdrop` scene is read."
    )
    seed: int = Field(default=0, ge=0, le=2**31 - 1)
    engine: str | None = Field(
        default=None, description="The cut-out engine, one of those that are offered; None: the default."
    )
    output_sas: OutputSas | None = None


class ModelUsed(BaseModel):
    """A model that took part, so that a picture can be made again."""

    model_config = ConfigDict(frozen=True)

    name: str
    sha256: str


class ProductBox(BaseModel):
    """A rectangle in pixels, origin at the top left."""

    model_config = ConfigDict(frozen=True)

    left: int
    top: int
    width: int
    height: int


class Transform(BaseModel):
    """Where the photo's pixels went, once straightened: ``x' = scale * x + tx``, ``y' = scale * y + ty``."""

    model_config = ConfigDict(frozen=True)

    scale: float
    tx: float
    ty: float


class BackdropUsed(BaseModel):
    """The picture that a product was placed on."""

    model_config = ConfigDict(frozen=True)

    sha256: str
    width: int
    height: int
    enlargement: float = Field(description="Canvas pixels per pixel of it; above 1 it was enlarged.")


class ScoreMeta(BaseModel):
    """What was done and how well; stored with the item and shown to the client."""

    model_config = ConfigDict(frozen=True)

    engine: str
    engine_version: str
    cutout_engine: str | None = Field(default=None, description="None where the photo brought its own alpha.")
    cutout_version: str | None = None
    models: list[ModelUsed]
    seed: int
    prompt_used: str
    photo_width: int
    photo_height: int
    photo_halved: bool = Field(
        default=False, description="Worked on at half its sides, as it has more pixels than are worked on."
    )
    canvas_width: int
    canvas_height: int
    product_box: ProductBox
    transform: Transform
    straightened_degrees: float = Field(
        default=0.0, description="Clockwise turn of the photo about its middle before all else; 0: none."
    )
    capped: bool = Field(
        default=False, description="Smaller than asked: the rest needed more enlargement than is allowed."
    )
    upscaled: bool = False
    backdrop: BackdropUsed | None = None
    fidelity: dict[str, Any]
    confidence: float = Field(ge=0, le=1)
    confidence_reasons: list[str] = []
    timings: dict[str, float] = Field(default={}, description="Seconds per step.")
    digital_source_type: str | None = None


class ScoreResponse(BaseModel):
    """The answer; the two pictures are inline only when the request had no ``output_sas``."""

    model_config = ConfigDict(frozen=True)

    image_bytes_b64: str | None = None
    matte_bytes_b64: str | None = None
    meta: ScoreMeta


class ScoreErrorBody(BaseModel):
    """Why a photo could not be scored."""

    model_config = ConfigDict(frozen=True)

    code: str
    message: str
    retryable: bool


class ScoreError(BaseModel):
    """The body of every answer of ``/score`` that is no success."""

    model_config = ConfigDict(frozen=True)

    error: ScoreErrorBody

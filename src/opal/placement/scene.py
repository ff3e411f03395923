"""What a product can be placed in: scenes as data, the ready-made ones by name, and parsing.

Called by web-api (to refuse a bad scene early), the command line, scoring and export-worker.
The same scene and seed give the same picture at any size.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from opal.errors import InvalidScene, UnknownScene
from opal.faults import PRINTABLE, first_fault, in_words
from opal.placement.looks import LOOKS

Colour: TypeAlias = Annotated[
    str, Field(pattern=in_words(r"^#[0-9a-fA-F]{6}$", "a colour such as #f4f1ec"), examples=["#f4f1ec"])
]
"""An sRGB colour as `#rrggbb`."""


class _SceneModel(BaseModel):
    # Strict: `true` is no number and "90" no angle, just as the published schema says.
    model_config = ConfigDict(frozen=True, extra="forbid", populate_by_name=True, strict=True)


class TransparentScene(_SceneModel):
    """No ground at all: the product on transparent pixels."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "transparent"}]})

    kind: Literal["transparent"] = Field(
        default="transparent", description="Which kind of scene this is.", examples=["transparent"]
    )


class SolidScene(_SceneModel):
    """One flat colour."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "solid", "colour": "#f4f1ec"}]})

    kind: Literal["solid"] = Field(
        default="solid", description="Which kind of scene this is.", examples=["solid"]
    )
    colour: Colour = Field(
        default="#ffffff", description="The colour, sRGB as `#rrggbb`.", examples=["#f4f1ec"]
    )


class GradientScene(_SceneModel):
    """A smooth run from one colour to another, mixed in linear light."""

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "gradient", "from": "#f7f7f6", "to": "#d9d9d8", "angle": 180},
                {"kind": "gradient", "shape": "radial", "from": "#fdf3e7", "to": "#e2c9ae"},
            ]
        }
    )

    kind: Literal["gradient"] = Field(
        default="gradient", description="Which kind of scene this is.", examples=["gradient"]
    )
    shape: Literal["linear", "radial"] = Field(
        default="linear",
        description="`linear` runs across the canvas, `radial` from its centre to its corners.",
        examples=["radial"],
    )
    start: Colour = Field(
        default="#f7f7f6",
        alias="from",
        description="Colour at the start, or in the centre; sRGB as `#rrggbb`.",
        examples=["#fdf3e7"],
    )
    end: Colour = Field(
        default="#d9d9d8",
        alias="to",
        description="Colour at the end, or in the corners; sRGB as `#rrggbb`.",
        examples=["#e2c9ae"],
    )
    angle: float = Field(
        default=180.0,
        ge=0.0,
        le=360.0,
        description="Direction in degrees, linear only: 180 runs from top to bottom, 90 from left to right.",
        examples=[90.0],
    )


class StudioScene(_SceneModel):
    """A photographer's set, computed: a sweep of paper, a surface before a wall, a podium."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"kind": "studio", "look": "warm", "seed": 7}]})

    kind: Literal["studio"] = Field(
        default="studio", description="Which kind of scene this is.", examples=["studio"]
    )
    look: str = Field(
        default="white", description="Name of a look: a scene `studio-NAME` of the list.", examples=["oak"]
    )
    seed: int | None = Field(
        default=None,
        ge=0,
        lt=2**32,
        description="Varies light, surface and grain a little; left out, the item's own seed.",
        examples=[7],
    )

    @field_validator("look")
    @classmethod
    def _known_look(cls, look: str) -> str:
        if look not in LOOKS:
            raise ValueError(f"unknown look {look!r}; known: {', '.join(LOOKS)}")
        return look


class BackdropScene(_SceneModel):
    """A picture of your own, with the product standing on its ground line.

    All places are shares of the whole picture, so they move with it when it is cropped to a canvas.
    """

    model_config = ConfigDict(
        json_schema_extra={
            "examples": [
                {"kind": "backdrop", "picture": "kitchen.jpg", "ground": 0.82, "horizon": 0.55, "blur": 0.4},
                {"kind": "backdrop", "picture": "shelf.jpg", "across": 0.3, "scale": 0.25, "match": 0.5},
            ]
        }
    )

    kind: Literal["backdrop"] = Field(
        default="backdrop", description="Which kind of scene this is.", examples=["backdrop"]
    )
    picture: str = Field(
        min_length=1,
        max_length=1000,
        pattern=PRINTABLE,
        description="Which picture: a backdrop's id in the API, a file in `opal process`.",
        examples=["kitchen.jpg"],
    )
    ground: float = Field(
        default=0.8,
        ge=0.05,
        le=1.0,
        description="How far down the picture the product's foot stands.",
        examples=[0.82],
    )
    across: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="How far across the picture the product's middle stands. Left out, the placement's "
        "`alignment` decides on the canvas.",
        examples=[0.3],
    )
    horizon: float | None = Field(
        default=None,
        ge=0.0,
        le=1.0,
        description="How far down the picture the floor ends: the far edge of a table, the foot of a wall. "
        "No shadow falls above it, and the blur grows up to it. Left out, shadows fall everywhere and the "
        "blur grows over a third of the picture.",
        examples=[0.55],
    )
    scale: float | None = Field(
        default=None,
        gt=0.0,
        le=1.0,
        description="The product's height as a share of the picture's, so that it has the size of its place. "
        "Left out, the placement's `fill` or `margin` decide.",
        examples=[0.25],
    )
    focus_x: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="How far across lies what a crop should keep in its middle.",
        examples=[0.4],
    )
    focus_y: float = Field(
        default=0.5,
        ge=0.0,
        le=1.0,
        description="How far down lies what a crop should keep in its middle; the ground line stays in.",
        examples=[0.6],
    )
    blur: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="How far out of focus the background lies: 0 as photographed, 1 as through a 50 mm lens "
        "at f/1.8 from one metre. The ground line stays sharp.",
        examples=[0.4],
    )
    match: float = Field(
        default=0.0,
        ge=0.0,
        le=1.0,
        description="How far the product's exposure and colour temperature go towards the picture's light. "
        "It alters the product, within a limit, and the fidelity report says by how much.",
        examples=[0.5],
    )
    light_from: float | None = Field(
        default=None,
        ge=0.0,
        le=360.0,
        description="Where the picture's light comes from, in degrees: 0 from behind the product, 90 from "
        "the right, 180 from the camera. Cast shadows fall away from it. Left out, 238: the front left.",
        examples=[120.0],
    )
    light_height: float | None = Field(
        default=None,
        ge=25.0,
        le=90.0,
        description="How high the light stands, in degrees above the floor: the lower, the longer the "
        "shadow. Left out, 66.",
        examples=[40.0],
    )


Scene: TypeAlias = Annotated[
    TransparentScene | SolidScene | GradientScene | StudioScene | BackdropScene, Field(discriminator="kind")
]


@dataclass(frozen=True, slots=True)
class NamedScene:
    """A ready-made scene with the sentence that `opal scenes` and `/v1/scenes` show."""

    name: str
    description: str
    scene: Scene


NAMED_SCENES: tuple[NamedScene, ...] = (
    NamedScene("transparent", "The cut-out on transparent pixels.", TransparentScene()),
    NamedScene("white", "Flat pure white (255, 255, 255).", SolidScene()),
    NamedScene("light-grey", "Flat light grey.", SolidScene(colour="#eeeeec")),
    NamedScene(
        "gradient-grey",
        "Light grey darkening softly towards the floor.",
        GradientScene(start="#f5f5f4", end="#cfcfcd"),
    ),
    NamedScene(
        "gradient-spot",
        "A bright centre fading to grey at the corners.",
        GradientScene(shape="radial", start="#fafaf9", end="#c6c6c4"),
    ),
    *(NamedScene(f"studio-{name}", look.description, StudioScene(look=name)) for name, look in LOOKS.items()),
)

SCENES: dict[str, Scene] = {named.name: named.scene for named in NAMED_SCENES}
DEFAULT_SCENE = "studio-white"
MAX_SEED = 2**31 - 1
"""Largest seed of a job, or of a run of `opal process`."""

_SCENE_ADAPTER: TypeAdapter[Scene] = TypeAdapter(Scene)


def resolve_scene(scene: str | dict[str, Any]) -> Scene:
    """Turn a scene's name or its data into a Scene.

    Raises UnknownScene (names the bad name and the known ones) and InvalidScene (names the
    field and what is wrong with it).
    """
    if isinstance(scene, str):
        if scene not in SCENES:
            raise UnknownScene(f"Scene {scene!r} is not known. Known: {', '.join(SCENES)}.")
        return SCENES[scene]
    try:
        return _SCENE_ADAPTER.validate_python(scene)
    except ValidationError as error:
        raise InvalidScene(f"Scene is not valid at {first_fault(error, 'scene')}.") from error

"""What a product can be placed in: scenes as data, the ready-made ones by name, and parsing.

Called by web-api (to refuse a bad scene early), the command line, scoring and export-worker.
The same scene and seed give the same picture at any size.
"""

from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError, field_validator

from opal.errors import InvalidScene, UnknownScene
from opal.placement.looks import LOOKS

Colour: TypeAlias = Annotated[str, Field(pattern=r"^#[0-9a-fA-F]{6}$", examples=["#f4f1ec"])]
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


Scene: TypeAlias = Annotated[
    TransparentScene | SolidScene | GradientScene | StudioScene, Field(discriminator="kind")
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


def first_fault(error: ValidationError, whole: str) -> str:
    """The first fault as `field: reason`; `whole` stands in when the fault is in no one field."""
    fault = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in fault["loc"]) or whole
    return f"{place}: {fault['msg'].removeprefix('Value error, ')}"

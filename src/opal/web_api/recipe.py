"""What a client wants done with its photos: scene, placement, presets. Part of ``POST /v1/jobs``."""

from collections.abc import Sequence
from typing import Annotated, Any, Final

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, WithJsonSchema
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import backdrops
from opal.faults import in_words
from opal.items.item import Recipe
from opal.marketplaces.presets import Preset, resolve_presets, usable_presets
from opal.marketplaces.scene_fit import check_scene_fits
from opal.placement.framing import check_enlargement
from opal.placement.looks import LOOKS
from opal.placement.placement import Placement, resolve_placement
from opal.placement.scene import DEFAULT_SCENE, MAX_SEED, SCENES, Scene, resolve_scene

# Lines and tabs, but no other control characters: PostgreSQL's text cannot hold the first of them.
_TEXT: Final = in_words(
    r"^[^\x00-\x08\x0b\x0c\x0e-\x1f\x7f]*$", "text without control characters other than tabs and line breaks"
)
_BACKDROP_ID: Final = "backdrop_4c1d2e3f5a6b7c8d9e0f1a2b"


def scene_schema() -> dict[str, Any]:
    """A scene's name, or one of the scene models with its ``kind`` required."""
    models: dict[str, dict[str, Any]] = TypeAdapter(Scene).json_schema()["$defs"]
    for model in models.values():
        model["required"] = [*model.get("required", []), "kind"]
        if "look" in model["properties"]:
            model["properties"]["look"]["enum"] = list(LOOKS)
        if "picture" in model["properties"]:
            model["properties"]["picture"] |= {
                "pattern": f"^{backdrops.ID}$",
                "description": "The id of a backdrop that is ready, see /v1/backdrops.",
                "examples": [_BACKDROP_ID],
            }
            model["examples"] = [example | {"picture": _BACKDROP_ID} for example in model["examples"]]
    return {"anyOf": [{"type": "string", "enum": list(SCENES)}, *models.values()]}


def placement_schema() -> dict[str, Any]:
    """Every field of a placement, with what it means and examples."""
    schema = Placement.model_json_schema()
    definitions = schema.pop("$defs", {})
    assert not definitions, "the placement's schema is given in one piece"
    both = {"fill": {"type": "number"}, "margin": {"type": "number"}}
    return {**schema, "not": {"required": list(both), "properties": both}}


def read_scene(scene: str | dict[str, Any]) -> Scene:
    """The scene that a request names or describes. Raises ``UnknownScene`` and ``InvalidScene``."""
    return resolve_scene(plain_scene(scene))


def plain_scene(scene: str | dict[str, Any]) -> str | dict[str, Any]:
    """The same with whole numbers where it says 7.0."""
    return {name: whole(value) for name, value in scene.items()} if isinstance(scene, dict) else scene


def whole(value: Any) -> Any:
    """JSON has one kind of number: 7.0 is the whole number 7 (but `true` is none)."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


class RecipeRequest(BaseModel):
    """The same for all photos of the job."""

    model_config = ConfigDict(extra="forbid")

    # Plain data here, so that a wrong one is answered with its own code; the schema still says all.
    scene: Annotated[str | dict[str, Any], WithJsonSchema(scene_schema())] = Field(
        default=DEFAULT_SCENE, description="A name from /v1/scenes, or a scene of your own."
    )
    placement: Annotated[dict[str, Any], WithJsonSchema(placement_schema())] = Field(
        default={}, description="How the product stands in the scene."
    )
    presets: list[str] = Field(
        default=["square-1x1"],
        min_length=1,
        description="Names from /v1/presets, yours among them; one picture each.",
    )
    prompt: str = Field(
        default="", max_length=1000, pattern=_TEXT, description="Kept for scenes made from words."
    )
    seed: Annotated[int, BeforeValidator(whole)] = Field(
        default=0, strict=True, ge=0, le=MAX_SEED, description="The same seed gives the same picture."
    )

    def recipe(self, own: Sequence[Preset]) -> Recipe:
        """The checked recipe; `own` are the tenant's presets beside those of everyone.

        Raises ``UnknownScene``, ``InvalidScene``, ``InvalidPlacement`` and ``UnknownPreset``.
        """
        presets = resolve_presets(self.presets, own)
        scene = checked_scene(self.scene, presets)
        resolve_placement(self.placement)
        return Recipe(
            scene=scene,
            placement=self.placement,
            presets=tuple(preset.name for preset in presets),
            prompt=self.prompt,
            seed=self.seed,
            own_presets=tuple(
                preset.model_dump(mode="json", exclude_defaults=True) for preset in presets if preset in own
            ),
        )


def checked_scene(scene: str | dict[str, Any], presets: Sequence[Preset]) -> str | dict[str, Any]:
    """The scene as it is kept. Raises ``UnknownScene`` and ``InvalidScene``."""
    plain = plain_scene(scene)
    check_scene_fits(resolve_scene(plain), presets)
    return plain


def presets_of(recipe: Recipe) -> list[Preset]:
    """The job's presets, the tenant's own as they were when it was made."""
    return resolve_presets(recipe.presets, usable_presets(recipe.own_presets))


async def require_backdrop(connection: AsyncConnection, tenant_id: str, recipe: Recipe) -> None:
    """See that the scene's backdrop is there, ready, and large enough for every preset.

    Until ``connection``'s transaction ends nobody can delete it. Raises ``UnknownBackdrop``,
    ``BackdropNotReady`` and ``BackdropTooSmall``.
    """
    if recipe.backdrop_id is None:
        return
    backdrop = await backdrops.ready_backdrop(connection, tenant_id, recipe.backdrop_id, keep=True)
    for preset in presets_of(recipe):
        if preset.ground == "scene" and preset.width is not None and preset.height is not None:
            check_enlargement(backdrop.width, backdrop.height, preset.width, preset.height)

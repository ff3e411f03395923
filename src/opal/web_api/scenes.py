"""``/v1/scenes``: the ready-made scenes with thumbnails, and the models that a scene of one's own follows."""

from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, Field

from opal.errors import NotFound
from opal.http.authentication import Tenant, TenantRoute
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.placement.scene import DEFAULT_SCENE, NAMED_SCENES, SCENES, Scene
from opal.placement.thumbnail import HEIGHT, MEDIA_TYPE, WIDTH
from opal.web_api.conditional import NOT_MODIFIED, HeldTags, is_held
from opal.web_api.recipe import placement_schema, scene_schema
from opal.web_api.scene_thumbnails import scene_thumbnail

router = APIRouter(route_class=TenantRoute, tags=["catalogue"])
# Without a key, so that a page can show them with <img>: they are the same for everyone.
thumbnail_router = APIRouter(tags=["catalogue"])

# A new version of Opal may draw a scene anew; the tag then makes for one more answer, not a wrong picture.
_CACHE: Final = "public, max-age=86400"


class SceneView(BaseModel):
    """A scene that can be asked for by name."""

    name: str = Field(examples=["studio-white"])
    description: str
    scene: Scene
    thumbnail: str = Field(
        description=f"Where on this server a JPEG of {WIDTH} x {HEIGHT} shows it; without a key.",
        examples=["/v1/scenes/studio-white/thumbnail"],
    )


class SceneModels(BaseModel):
    """JSON Schema (draft 2020-12) of what a job may say, every field with its meaning and examples."""

    scene: dict[str, Any] = Field(description="A scene: one of the names, or the data of one of the kinds.")
    placement: dict[str, Any] = Field(description="How the product stands in the scene.")


class SceneList(BaseModel):
    """Every ready-made scene, and the models."""

    default: str = Field(description="Taken when a job names none.")
    scenes: list[SceneView]
    models: SceneModels


def _every_scene() -> SceneList:
    return SceneList(
        default=DEFAULT_SCENE,
        scenes=[
            SceneView(
                name=named.name,
                description=named.description,
                scene=named.scene,
                thumbnail=f"/v1/scenes/{named.name}/thumbnail",
            )
            for named in NAMED_SCENES
        ],
        models=SceneModels(scene=scene_schema(), placement=placement_schema()),
    )


@router.get(
    "/v1/scenes",
    summary="List scenes",
    responses={**answer("Every ready-made scene.", _every_scene()), **problems(*BY_KEY, *ALWAYS)},
)
async def list_scenes(_tenant_id: Tenant) -> SceneList:
    """Every ready-made scene with its data, to be named in a job or changed and sent with it."""
    return _every_scene()


@thumbnail_router.get(
    "/v1/scenes/{name}/thumbnail",
    response_class=Response,
    summary="Show a scene",
    responses={
        200: {
            "description": "The scene with a plain bottle in it, in the scene's own light.",
            "content": {MEDIA_TYPE: {"schema": {"type": "string", "format": "binary"}}},
        },
        **NOT_MODIFIED,
        **problems(NotFound, *ALWAYS),
    },
)
async def show_scene(
    name: Annotated[
        str, Path(description="A ready-made scene's name.", examples=["studio-white"], max_length=64)
    ],
    held: HeldTags = None,
) -> Response:
    """A thumbnail of a ready-made scene. It needs no key and may be cached for a day."""
    if name not in SCENES:
        raise NotFound(f"There is no scene {name!r}. Known: {', '.join(SCENES)}.")
    shown = scene_thumbnail(name)
    headers = {"ETag": shown.etag, "Cache-Control": _CACHE}
    if is_held(held, shown.etag):
        return Response(status_code=304, headers=headers)
    return Response(shown.data, headers=headers, media_type=MEDIA_TYPE)

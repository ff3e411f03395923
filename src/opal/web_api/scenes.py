"""``/v1/scenes``: the ready-made scenes, as data that can be changed and sent with a job."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from opal.errors import Unauthorized
from opal.http.authentication import Tenant, TenantRoute
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, problems
from opal.placement.scene import DEFAULT_SCENE, NAMED_SCENES, Scene

router = APIRouter(route_class=TenantRoute, tags=["catalogue"])


class SceneView(BaseModel):
    """A scene that can be asked for by name."""

    name: str = Field(examples=["studio-white"])
    description: str
    scene: Scene


class SceneList(BaseModel):
    """Every ready-made scene."""

    default: str = Field(description="Taken when a job names none.")
    scenes: list[SceneView]


def _every_scene() -> SceneList:
    return SceneList(
        default=DEFAULT_SCENE,
        scenes=[
            SceneView(name=named.name, description=named.description, scene=named.scene)
            for named in NAMED_SCENES
        ],
    )


@router.get(
    "/v1/scenes",
    summary="List scenes",
    responses={**answer("Every ready-made scene.", _every_scene()), **problems(Unauthorized, *ALWAYS)},
)
async def list_scenes(_tenant_id: Tenant) -> SceneList:
    """Every ready-made scene with its data, to be named in a job or changed and sent with it."""
    return _every_scene()

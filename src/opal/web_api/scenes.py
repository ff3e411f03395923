"""``/v1/scenes``: the ready-made scenes, as data that can be changed and sent with a job."""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from opal.errors import Unauthorized
from opal.http.authentication import Tenant, TenantRoute
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


@router.get("/v1/scenes", summary="List scenes", responses=problems(Unauthorized, *ALWAYS))
async def list_scenes(_tenant_id: Tenant) -> SceneList:
    """Every ready-made scene with its data."""
    return SceneList(
        default=DEFAULT_SCENE,
        scenes=[
            SceneView(name=named.name, description=named.description, scene=named.scene)
            for named in NAMED_SCENES
        ],
    )

"""``/v1/presets``: the pictures that can be made, with the rules they are measured against."""

from fastapi import APIRouter
from pydantic import BaseModel

from opal.errors import Unauthorized
from opal.http.authentication import Tenant, TenantRoute
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, problems
from opal.marketplaces.presets import Preset, load_presets

router = APIRouter(route_class=TenantRoute, tags=["catalogue"])


class PresetList(BaseModel):
    """Every preset."""

    presets: list[Preset]


@router.get(
    "/v1/presets",
    summary="List presets",
    responses={
        **answer("Every preset.", PresetList(presets=[load_presets()["amazon-main"]])),
        **problems(Unauthorized, *ALWAYS),
    },
)
async def list_presets(_tenant_id: Tenant) -> PresetList:
    """Name, canvas, format and rules of every preset, each rule with its source."""
    return PresetList(presets=list(load_presets().values()))

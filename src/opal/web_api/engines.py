"""``/v1/engines``: by what a photo can be cut out anew, see ``rework.py``."""

from collections.abc import Iterable

from fastapi import APIRouter, Request
from pydantic import BaseModel, Field

from opal.cutout.offer import OfferedEngine, offered_engines
from opal.http.authentication import Tenant, TenantRoute
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.settings import ScoringSettings

router = APIRouter(route_class=TenantRoute, tags=["catalogue"])


class EngineView(BaseModel):
    """A cut-out engine that a revision can ask for."""

    name: str
    title: str = Field(description="For people.")
    default: bool = Field(description="Whether it cuts out every new photo.")


class EngineList(BaseModel):
    """The engines that are offered, the default one first."""

    engines: list[EngineView]


def engines_of(settings: ScoringSettings) -> list[OfferedEngine]:
    """The engines that the placement endpoint offers, as far as the settings know. Raises UnknownEngine."""
    return offered_engines(settings.engine, settings.further_engines)


def _listed(offered: Iterable[OfferedEngine]) -> EngineList:
    return EngineList(
        engines=[EngineView(name=each.name, title=each.title, default=each.default) for each in offered]
    )


@router.get(
    "/v1/engines",
    summary="List cut-out engines",
    responses={
        **answer("The engines that are offered.", _listed(offered_engines("isnet", ["isnet-small"]))),
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def list_engines(request: Request, _tenant_id: Tenant) -> EngineList:
    """The engines that cut photos out: the default one, and those that a revision may name beside it."""
    return _listed(request.app.state.engines)

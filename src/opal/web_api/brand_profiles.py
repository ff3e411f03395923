"""``/v1/brand-profiles``: how a tenant wants its pictures, kept under a name and named by a job."""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Annotated, Any, Final

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import backdrops, brand_profiles
from opal.database.brand_profiles import (
    BrandProfile,
    BrandProfileChanged,
    BrandProfileNameTaken,
    TooManyBrandProfiles,
    UnknownBrandProfile,
)
from opal.errors import (
    BackdropNotReady,
    BackdropTooSmall,
    InvalidInput,
    InvalidJson,
    InvalidPlacement,
    InvalidScene,
    NotFound,
    UnknownBackdrop,
    UnknownPreset,
    UnknownScene,
)
from opal.faults import PRINTABLE
from opal.http.authentication import Tenant, TenantRoute
from opal.http.errors import BodyTooLarge, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.items.item import Recipe
from opal.marketplaces.presets import load_presets
from opal.web_api.parts import WebParts
from opal.web_api.presets import tenant_presets
from opal.web_api.recipe import RecipeRequest, require_backdrop

router = APIRouter(route_class=TenantRoute, tags=["catalogue"])

_ID: Final = "profile_5e1f2a3b4c5d6e7f8a9b0c1d"
_NOON: Final = datetime(2026, 11, 2, 12, 0, tzinfo=UTC)
ProfileId = Annotated[str, Path(description="The brand profile's id.", examples=[_ID])]
_EXAMPLE: Final[dict[str, Any]] = {
    "name": "Our shop",
    "scene": "studio-warm",
    "placement": {"margin": 0.1, "shadow": "soft"},
    "presets": ["square-1x1", "amazon-main"],
}
_RECIPE_ERRORS: Final = (
    UnknownBackdrop,
    BackdropNotReady,
    UnknownScene,
    InvalidScene,
    BackdropTooSmall,
    InvalidPlacement,
    UnknownPreset,
)


class NewBrandProfile(RecipeRequest):
    """What a job may say of its pictures, and a name for it."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [_EXAMPLE]})

    name: str = Field(
        min_length=1,
        max_length=200,
        pattern=PRINTABLE,
        description="For people to know it by; yours alone once.",
    )


class ChangedBrandProfile(NewBrandProfile):
    """The whole profile as it shall be, and which version it was made from."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{**_EXAMPLE, "version": 1}]})

    version: int = Field(
        ge=1,
        le=2**31 - 2,
        strict=True,
        description="The `version` that was read; refused where there is a newer one.",
    )


class BrandProfileView(BaseModel):
    """A profile, and what of it is gone."""

    id: str = Field(examples=[_ID])
    name: str
    scene: str | dict[str, Any] = Field(description="A scene's name or its data, as in a job.")
    placement: dict[str, Any]
    presets: list[str]
    prompt: str
    seed: int
    version: int = Field(description="Grows with every change.")
    missing_presets: list[str] = Field(description="Presets of it that are not there any more.")
    missing_backdrop: bool = Field(description="Whether its backdrop is not there any more.")
    created_at: datetime
    updated_at: datetime


class BrandProfileList(BaseModel):
    """All of the tenant's, by name."""

    brand_profiles: list[BrandProfileView]


_VIEW: Final = BrandProfileView(
    id=_ID,
    prompt="",
    seed=0,
    version=1,
    missing_presets=[],
    missing_backdrop=False,
    created_at=_NOON,
    updated_at=_NOON,
    **_EXAMPLE,
)


@router.post(
    "/v1/brand-profiles",
    status_code=201,
    summary="Keep a brand profile",
    responses={
        **answer("The new profile.", _VIEW, 201),
        **problems(
            InvalidJson,
            *BY_KEY,
            *_RECIPE_ERRORS,
            BrandProfileNameTaken,
            TooManyBrandProfiles,
            BodyTooLarge,
            UnsupportedMediaType,
            *ALWAYS,
        ),
    },
)
async def create_brand_profile(
    parts: WebParts, tenant_id: Tenant, body: NewBrandProfile, response: Response
) -> BrandProfileView:
    """Checked as a job's would be; jobs may name it as `brand_profile` from now on."""
    async with parts.database.transaction() as connection:
        recipe = await _checked(connection, tenant_id, body)
        created = await brand_profiles.create_profile(connection, tenant_id, body.name, recipe)
        view = await _view(connection, created)
    response.headers["Location"] = f"/v1/brand-profiles/{created.id}"
    return view


@router.get(
    "/v1/brand-profiles",
    summary="List brand profiles",
    responses={
        **answer("Every profile of the tenant.", BrandProfileList(brand_profiles=[_VIEW])),
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def list_brand_profiles(parts: WebParts, tenant_id: Tenant) -> BrandProfileList:
    """The tenant's, by name, each with what of it is gone."""
    async with parts.database.read() as connection:
        return BrandProfileList(brand_profiles=await profile_views(connection, tenant_id))


@router.get(
    "/v1/brand-profiles/{profile_id}",
    summary="Read a brand profile",
    responses={**answer("The profile.", _VIEW), **problems(*BY_KEY, UnknownBrandProfile, *ALWAYS)},
)
async def read_brand_profile(parts: WebParts, tenant_id: Tenant, profile_id: ProfileId) -> BrandProfileView:
    """The profile, and what of it is gone."""
    async with parts.database.read() as connection:
        return await _view(connection, await brand_profiles.tenant_profile(connection, tenant_id, profile_id))


@router.put(
    "/v1/brand-profiles/{profile_id}",
    summary="Change a brand profile",
    responses={
        **answer("The profile as it is now.", _VIEW),
        **problems(
            InvalidJson,
            *BY_KEY,
            UnknownBrandProfile,
            *_RECIPE_ERRORS,
            BrandProfileNameTaken,
            BrandProfileChanged,
            BodyTooLarge,
            UnsupportedMediaType,
            *ALWAYS,
        ),
    },
)
async def change_brand_profile(
    parts: WebParts, tenant_id: Tenant, profile_id: ProfileId, body: ChangedBrandProfile
) -> BrandProfileView:
    """Put this in the place of what it was; jobs that were made with it keep what it said.

    Where somebody else was quicker (`version`), nothing is changed. The same again gets the same answer.
    """
    async with parts.database.transaction() as connection:
        await brand_profiles.tenant_profile(connection, tenant_id, profile_id)
        recipe = await _checked(connection, tenant_id, body)
        changed = await brand_profiles.update_profile(
            connection, tenant_id, profile_id, version=body.version, name=body.name, recipe=recipe
        )
        return await _view(connection, changed)


@router.delete(
    "/v1/brand-profiles/{profile_id}",
    status_code=204,
    summary="Delete a brand profile",
    responses={
        204: {"description": "It is gone."},
        **problems(*BY_KEY, UnknownBrandProfile, *ALWAYS),
    },
)
async def delete_brand_profile(parts: WebParts, tenant_id: Tenant, profile_id: ProfileId) -> None:
    """Jobs that were made with it keep what it said."""
    async with parts.database.transaction() as connection:
        await brand_profiles.delete_profile(connection, tenant_id, profile_id)


async def job_recipe(
    connection: AsyncConnection, tenant_id: str, asked: RecipeRequest, profile_id: str | None
) -> Recipe:
    """What a job shall be made with: what it says itself, and for the rest what the profile says.

    Raises ``UnknownBrandProfile`` and what ``RecipeRequest.recipe`` and ``require_backdrop`` raise; of what
    the profile says, with its name.
    """
    if profile_id is None:
        return await _checked(connection, tenant_id, asked)
    profile = await brand_profiles.tenant_profile(connection, tenant_id, profile_id)
    said = asked.model_fields_set
    fields = {name: getattr(asked if name in said else profile, name) for name in RecipeRequest.model_fields}
    with _blamed_on(profile):
        return await _checked(connection, tenant_id, RecipeRequest(**fields))


async def profile_views(connection: AsyncConnection, tenant_id: str) -> list[BrandProfileView]:
    """All of the tenant's, by name, each with what of it is gone."""
    found = await brand_profiles.list_profiles(connection, tenant_id)
    known = await _known_presets(connection, tenant_id)
    return [await _view(connection, profile, known) for profile in found]


async def _checked(connection: AsyncConnection, tenant_id: str, asked: RecipeRequest) -> Recipe:
    recipe = asked.recipe(await tenant_presets(connection, tenant_id))
    await require_backdrop(connection, tenant_id, recipe)
    return recipe


@contextmanager
def _blamed_on(profile: BrandProfile) -> Iterator[None]:
    """What was right when the profile was kept may be gone: the job alone did not name it."""
    try:
        yield
    except (InvalidInput, NotFound, BackdropNotReady) as error:
        raise type(error)(f"With the brand profile {profile.name!r}: {error.message}") from error


async def _known_presets(connection: AsyncConnection, tenant_id: str) -> set[str]:
    own = await tenant_presets(connection, tenant_id)
    return {*load_presets(), *(preset.name for preset in own)}


async def _view(
    connection: AsyncConnection, profile: BrandProfile, known: Collection[str] | None = None
) -> BrandProfileView:
    if known is None:
        known = await _known_presets(connection, profile.tenant_id)
    return BrandProfileView(
        id=profile.id,
        name=profile.name,
        scene=profile.scene,
        placement=profile.placement,
        presets=profile.presets,
        prompt=profile.prompt,
        seed=profile.seed,
        version=profile.version,
        missing_presets=[name for name in profile.presets if name not in known],
        missing_backdrop=await _lacks_backdrop(connection, profile),
        created_at=profile.created_at,
        updated_at=profile.updated_at,
    )


async def _lacks_backdrop(connection: AsyncConnection, profile: BrandProfile) -> bool:
    scene = profile.scene
    if isinstance(scene, str) or scene.get("kind") != "backdrop":
        return False
    try:
        await backdrops.ready_backdrop(connection, profile.tenant_id, str(scene["picture"]))
    except (UnknownBackdrop, BackdropNotReady):
        return True
    return False

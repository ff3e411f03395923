"""``/v1/public-links``: whether everybody who has its address can fetch a tenant's finished picture."""

from datetime import UTC, datetime
from typing import Final, Literal

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from opal.database import public_links
from opal.database.public_links import PublicLinks, Which
from opal.errors import InvalidJson
from opal.http.authentication import SettingsRoute, Tenant
from opal.http.errors import BodyTooLarge, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.web_api.parts import WebParts

router = APIRouter(route_class=SettingsRoute, tags=["pictures"])

TOKEN_EXAMPLE: Final = "3b0c5c0e9a1f4d5e6a7b8c9d5f0e1d2c3b4a59687766554433221100ffeeddcc"  # noqa: S105 - nobody's
URL_EXAMPLE: Final = f"https://pictures.shop.example/p/{TOKEN_EXAMPLE}/MUG-01-amazon-main.jpg"


class PublicLinksChoice(BaseModel):
    """Whose pictures get public links."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"jobs": "all"}]})

    jobs: Which = Field(
        default="all",
        description="`all`: every job's, earlier ones' too, but for jobs created with `public_links` false; "
        "`chosen`: only those of jobs created with `public_links` true.",
    )


class PublicLinksView(BaseModel):
    """Whether the tenant has public links."""

    state: Literal["on", "off"]
    jobs: Which | None = Field(description="Whose pictures have them; null while they are off.")
    since: datetime | None = Field(description="When they were turned on; null while they are off.")


def _view(links: PublicLinks | None) -> PublicLinksView:
    if links is None:
        return PublicLinksView(state="off", jobs=None, since=None)
    return PublicLinksView(state="on", jobs=links.jobs, since=links.since)


_ON = _view(PublicLinks("all", datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)))


@router.get(
    "/v1/public-links",
    summary="Read whether public links are on",
    responses={**answer("The setting.", _ON), **problems(*BY_KEY, *ALWAYS)},
)
async def read_public_links(parts: WebParts, tenant_id: Tenant) -> PublicLinksView:
    """Off unless they were turned on."""
    async with parts.database.read() as connection:
        return _view(await public_links.read_setting(connection, tenant_id))


@router.put(
    "/v1/public-links",
    summary="Turn public links on",
    responses={
        **answer("The setting.", _ON),
        **problems(InvalidJson, *BY_KEY, BodyTooLarge, UnsupportedMediaType, *ALWAYS),
    },
)
async def turn_public_links_on(
    parts: WebParts, tenant_id: Tenant, body: PublicLinksChoice
) -> PublicLinksView:
    """From now on pictures have a `public_url`, which works without a key for as long as this is on.

    Sent again it changes whose pictures have one; the addresses stay.
    """
    async with parts.database.transaction() as connection:
        return _view(await public_links.turn_on(connection, tenant_id, body.jobs))


@router.delete(
    "/v1/public-links",
    status_code=204,
    summary="Turn public links off",
    responses={204: {"description": "They are off."}, **problems(*BY_KEY, *ALWAYS)},
)
async def turn_public_links_off(parts: WebParts, tenant_id: Tenant) -> None:
    """Every address given out so far ends for good; turned on again, pictures have other ones.

    What caches and channels have fetched already is theirs: a cache may show it for a year.
    """
    async with parts.database.transaction() as connection:
        await public_links.turn_off(connection, tenant_id)

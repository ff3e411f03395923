"""Brand profiles: how a tenant wants its pictures, under a name, to be used by one job after another."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import brand_profiles, tenants
from opal.errors import Conflict, NotFound
from opal.items.item import Recipe, new_id

ID: Final = "profile_[0-9a-f]{24}"
"""What a brand profile's id looks like, as a regular expression."""
MOST: Final = 100
"""Brand profiles that a tenant may keep: all of them are listed at once."""


class UnknownBrandProfile(NotFound):
    """There is no such brand profile.

    `GET /v1/brand-profiles` lists yours.
    """

    code = "unknown_brand_profile"
    title = "Unknown brand profile"


class BrandProfileNameTaken(Conflict):
    """You have a brand profile of that name already.

    Choose another name, or change the profile that has it.
    """

    code = "brand_profile_name_taken"
    title = "Name is taken"


class BrandProfileChanged(Conflict):
    """The brand profile was changed since you read it.

    Read it again; `version` says which one you have seen.
    """

    code = "brand_profile_changed"
    title = "Changed meanwhile"


class TooManyBrandProfiles(Conflict):
    """You have as many brand profiles as there may be.

    Delete one that is not used any more; jobs that were made with it keep what it said.
    """

    code = "too_many_brand_profiles"
    title = "Too many brand profiles"


@dataclass(frozen=True, slots=True)
class BrandProfile:
    """A profile as it is kept; what it names may be gone meanwhile."""

    id: str
    tenant_id: str
    name: str
    scene: str | dict[str, Any]
    placement: dict[str, Any]
    presets: list[str]
    prompt: str
    seed: int
    version: int
    created_at: datetime
    updated_at: datetime


async def create_profile(
    connection: AsyncConnection, tenant_id: str, name: str, recipe: Recipe
) -> BrandProfile:
    """Keep a new one. Raises ``BrandProfileNameTaken`` and ``TooManyBrandProfiles``."""
    table = brand_profiles
    # One at a time per tenant, so that the count holds.
    await connection.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())
    count = await connection.scalar(
        select(func.count()).select_from(table).where(table.c.tenant_id == tenant_id)
    )
    if (count or 0) >= MOST:
        raise TooManyBrandProfiles
    now = utc_now()
    profile_id = new_id("profile")
    row = {"id": profile_id, "tenant_id": tenant_id, "version": 1, "created_at": now, "updated_at": now}
    try:
        await connection.execute(insert(table).values(**row, **_content(name, recipe)))
    except IntegrityError as error:
        raise BrandProfileNameTaken from error
    return await tenant_profile(connection, tenant_id, profile_id)


async def list_profiles(connection: AsyncConnection, tenant_id: str) -> Sequence[BrandProfile]:
    """All of the tenant's, by name."""
    table = brand_profiles
    query = select(table).where(table.c.tenant_id == tenant_id).order_by(table.c.name)
    return [BrandProfile(**row._asdict()) for row in await connection.execute(query)]


async def tenant_profile(connection: AsyncConnection, tenant_id: str, profile_id: str) -> BrandProfile:
    """The tenant's profile. Raises ``UnknownBrandProfile`` for ids unknown, foreign or none at all."""
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, profile_id):
        raise UnknownBrandProfile
    table = brand_profiles
    query = select(table).where(table.c.id == profile_id, table.c.tenant_id == tenant_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownBrandProfile
    return BrandProfile(**row._asdict())


async def update_profile(
    connection: AsyncConnection, tenant_id: str, profile_id: str, *, version: int, name: str, recipe: Recipe
) -> BrandProfile:
    """Put the new content in the place of ``version``'s; the same content again changes nothing.

    Raises ``UnknownBrandProfile``, ``BrandProfileChanged`` and ``BrandProfileNameTaken``.
    """
    present = await tenant_profile(connection, tenant_id, profile_id)
    content = _content(name, recipe)
    if all(getattr(present, field) == value for field, value in content.items()):
        # An answer that got lost is asked for again.
        return present
    table = brand_profiles
    mine = (table.c.id == profile_id) & (table.c.tenant_id == tenant_id) & (table.c.version == version)
    values = {**content, "version": version + 1, "updated_at": utc_now()}
    try:
        changed = await connection.execute(update(table).where(mine).values(**values))
    except IntegrityError as error:
        raise BrandProfileNameTaken from error
    if not changed.rowcount:
        raise BrandProfileChanged
    return await tenant_profile(connection, tenant_id, profile_id)


async def delete_profile(connection: AsyncConnection, tenant_id: str, profile_id: str) -> None:
    """Forget it; jobs that were made with it keep what it said. Raises ``UnknownBrandProfile``."""
    await tenant_profile(connection, tenant_id, profile_id)
    mine = (brand_profiles.c.id == profile_id) & (brand_profiles.c.tenant_id == tenant_id)
    await connection.execute(delete(brand_profiles).where(mine))


def _content(name: str, recipe: Recipe) -> dict[str, Any]:
    return {
        "name": name,
        "scene": recipe.scene,
        "placement": recipe.placement,
        "presets": list(recipe.presets),
        "prompt": recipe.prompt,
        "seed": recipe.seed,
    }

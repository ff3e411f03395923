"""A tenant's keys as the tenant itself sees and changes them. Called by web-api; operators use ``keys.py``.

Whatever counts the keys that work takes the tenant's row first, so that two changes cannot both be allowed
by what they found before the other's.
"""

import re
from collections.abc import Collection, Sequence
from typing import Final

from sqlalchemy import select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.keys import COLUMNS, ApiKey, Scope, create_key, key_of
from opal.database.tables import api_keys, tenants
from opal.errors import Conflict, NotFound

ID = "[0-9a-f]{12}"
"""What a key's id looks like, as a regular expression."""

MOST: Final = 100
"""Keys that work, of one tenant, if it makes them itself."""
REVOKED_SHOWN: Final = 100


class UnknownKey(NotFound):
    """There is no API key under that id.

    `GET /v1/keys` lists the tenant's own.
    """

    code = "unknown_key"
    title = "Unknown key"


class TooManyKeys(Conflict):
    """You have as many API keys that work as there may be.

    Revoke one that is not used any more (`DELETE /v1/keys/{key_id}`); `last_used_at` tells which.
    """

    code = "too_many_keys"
    title = "Too many keys"


class LastSettingsKey(Conflict):
    """This is your last key with the scope `settings`; without one you cannot change settings or make keys.

    Make another one first, or send the key's id in `X-Confirm-Revoke`. Whoever runs this Opal can make one
    with `opal keys create`.
    """

    code = "last_settings_key"
    title = "The last key for settings"


async def shown_keys(connection: AsyncConnection, tenant_id: str) -> list[ApiKey]:
    """All keys that work, newest first, then the last hundred that were revoked."""
    query = select(*COLUMNS).where(api_keys.c.tenant_id == tenant_id)
    working = query.where(api_keys.c.revoked_at.is_(None))
    revoked = query.where(api_keys.c.revoked_at.is_not(None))
    rows = [
        *await connection.execute(working.order_by(api_keys.c.created_at.desc(), api_keys.c.id)),
        *await connection.execute(
            revoked.order_by(api_keys.c.revoked_at.desc(), api_keys.c.id).limit(REVOKED_SHOWN)
        ),
    ]
    return [key_of(row) for row in rows]


async def tenant_key(connection: AsyncConnection, tenant_id: str, key_id: str) -> ApiKey:
    """The tenant's key. Raises ``UnknownKey`` for ids that are unknown, foreign or none at all."""
    # Also keeps what a database's text type cannot hold away from it.
    if not re.fullmatch(ID, key_id):
        raise UnknownKey
    query = select(*COLUMNS).where(api_keys.c.id == key_id, api_keys.c.tenant_id == tenant_id)
    row = (await connection.execute(query)).one_or_none()
    if row is None:
        raise UnknownKey
    return key_of(row)


async def create_own_key(
    connection: AsyncConnection, tenant_id: str, name: str, scopes: Collection[Scope]
) -> tuple[ApiKey, str]:
    """A new key of the tenant and the whole of it, shown only here. Raises ``TooManyKeys``."""
    if len(await _working(connection, tenant_id)) >= MOST:
        raise TooManyKeys
    return await create_key(connection, tenant_id, name, scopes=scopes)


async def revoke_own_key(
    connection: AsyncConnection, tenant_id: str, key_id: str, *, even_the_last: bool
) -> None:
    """Stop the key from working; one that is revoked stays so.

    Raises ``UnknownKey`` and, unless ``even_the_last``, ``LastSettingsKey``.
    """
    working = await _working(connection, tenant_id)
    key = await tenant_key(connection, tenant_id, key_id)
    if key.revoked_at is not None:
        return
    if (
        not even_the_last
        and _settles([key])
        and not _settles([each for each in working if each.id != key_id])
    ):
        raise LastSettingsKey
    await connection.execute(update(api_keys).where(api_keys.c.id == key_id).values(revoked_at=utc_now()))


async def _working(connection: AsyncConnection, tenant_id: str) -> list[ApiKey]:
    """The keys that work, nobody else's to change until the transaction ends."""
    await connection.execute(select(tenants.c.id).where(tenants.c.id == tenant_id).with_for_update())
    query = select(*COLUMNS).where(api_keys.c.tenant_id == tenant_id, api_keys.c.revoked_at.is_(None))
    return [key_of(row) for row in await connection.execute(query)]


def _settles(keys: Sequence[ApiKey]) -> bool:
    """Whether one of them can change settings."""
    return any(Scope.SETTINGS in key.scopes and not key.sandbox for key in keys)

"""Tenants and their API keys: what a key may do, when it was last used, that it is revoked.

A key is ``opal_<id>_<secret>``, whose secret ends with a checksum of the whole, so that a mistyped one is
told without asking the database. Only a hash of the secret is stored.
"""

import hashlib
import hmac
import re
import secrets
import zlib
from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, Final

from sqlalchemy import insert, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import api_keys, tenants
from opal.errors import InvalidInput, NotFound

_SECRET_BYTES = 24
# The secret without and with its checksum: keys of before revision 0011 have none and go on working.
_OLD_KEY = re.compile(r"opal_([0-9a-f]{12})_([0-9a-f]{48})")
_KEY = re.compile(r"(opal_([0-9a-f]{12})_([0-9a-f]{48}))([0-9a-f]{8})")
_TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")

NOTED_EVERY: Final = timedelta(minutes=1)
"""How often a key's last use is written at most."""


class Scope(StrEnum):
    """What a key may do. A request needs one of them; none includes another."""

    READ = "read"
    """Look at jobs, pictures, settings and credits, and follow events."""
    JOBS = "jobs"
    """Create and cancel jobs, upload photos and backdrops, have pictures made: what costs credits."""
    SETTINGS = "settings"
    """Change presets, webhooks, delivery targets, public links and keys: where pictures go, how they look."""
    OPERATE = "operate"
    """Look at services, queues and dead letters of the whole Opal, and send those again; no tenant's data."""


TENANT_SCOPES: Final = (Scope.READ, Scope.JOBS, Scope.SETTINGS)
"""What a key has unless it is told: all that concerns its own tenant."""


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret."""

    id: str
    tenant_id: str
    name: str
    created_at: datetime
    revoked_at: datetime | None
    sandbox: bool = False
    """Makes watermarked pictures while the client waits, for nothing; refused everywhere else."""
    scopes: tuple[str, ...] = TENANT_SCOPES
    last_used_at: datetime | None = None
    """To about a minute."""


COLUMNS: Final = [api_keys.c[name] for name in ApiKey.__dataclass_fields__]
"""What an ``ApiKey`` is made of; the secret's hash is not among them."""


async def ensure_tenant(connection: AsyncConnection, tenant_id: str, name: str) -> None:
    """Make the tenant unless it is there.

    Raises ``InvalidInput`` for an id that could not be part of a blob's path.
    """
    if not _TENANT_ID.fullmatch(tenant_id):
        raise InvalidInput("A tenant's id is 1 to 63 letters, digits, `-` and `_`, a letter or digit first.")
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    await connection.execute(
        dialect.insert(tenants)
        .values(id=tenant_id, name=name, created_at=utc_now())
        .on_conflict_do_nothing(index_elements=["id"])
    )


async def require_tenant(connection: AsyncConnection, tenant_id: str) -> None:
    """Raises ``NotFound`` unless the tenant is there."""
    query = select(tenants.c.id).where(tenants.c.id == tenant_id)
    if (await connection.execute(query)).one_or_none() is None:
        raise NotFound(f"There is no tenant {tenant_id}.")


async def create_key(
    connection: AsyncConnection,
    tenant_id: str,
    name: str,
    *,
    sandbox: bool = False,
    scopes: Collection[Scope] = TENANT_SCOPES,
) -> tuple[ApiKey, str]:
    """Make a key; the second value is the whole of it, shown only here."""
    key_id = secrets.token_hex(6)
    # 192 random bits need no slow hash: there is nothing to guess from.
    unchecked = f"opal_{key_id}_{secrets.token_hex(_SECRET_BYTES)}"
    whole = unchecked + _checksum(unchecked)
    # In the order of their declaration, each once.
    granted = tuple(scope for scope in Scope if scope in scopes)
    key = ApiKey(key_id, tenant_id, name, utc_now(), None, sandbox, granted)
    await connection.execute(
        insert(api_keys).values(
            id=key.id,
            tenant_id=key.tenant_id,
            name=key.name,
            secret_hash=_hash(whole.rpartition("_")[2]),
            created_at=key.created_at,
            sandbox=key.sandbox,
            scopes=list(granted),
        )
    )
    return key, whole


async def authenticate(connection: AsyncConnection, presented: str) -> ApiKey | None:
    """The key that ``presented`` is, or None when it is mistyped, unknown, wrong or revoked.

    What has the form of no key, or another checksum than its own, is told without a query.
    """
    parts = _id_and_secret(presented)
    if parts is None:
        return None
    known_as, secret = parts
    query = select(*COLUMNS, api_keys.c.secret_hash).where(api_keys.c.id == known_as)
    row = (await connection.execute(query)).one_or_none()
    if row is None or row.revoked_at is not None:
        return None
    if not hmac.compare_digest(row.secret_hash, _hash(secret)):
        return None
    return key_of(row)


async def live_key(connection: AsyncConnection, key_id: str) -> ApiKey | None:
    """The key of this id, for who has proved before to hold it; None when it is unknown or revoked."""
    query = select(*COLUMNS).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    row = (await connection.execute(query)).one_or_none()
    return None if row is None else key_of(row)


async def add_scope(connection: AsyncConnection, key: ApiKey, scope: Scope) -> None:
    """Let the key do more than it could when it was made."""
    granted = [each for each in Scope if each in {*key.scopes, scope}]
    await connection.execute(update(api_keys).where(api_keys.c.id == key.id).values(scopes=granted))


async def note_use(connection: AsyncConnection, key: ApiKey) -> None:
    """Write that the key is used now, unless somebody wrote it within the last minute."""
    now = utc_now()
    long_ago = or_(api_keys.c.last_used_at.is_(None), api_keys.c.last_used_at <= now - NOTED_EVERY)
    await connection.execute(
        update(api_keys).where(api_keys.c.id == key.id, long_ago).values(last_used_at=now)
    )


async def list_keys(connection: AsyncConnection, tenant_id: str | None = None) -> list[ApiKey]:
    """All keys, or those of one tenant, oldest first."""
    query = select(*COLUMNS)
    if tenant_id is not None:
        query = query.where(api_keys.c.tenant_id == tenant_id)
    rows = await connection.execute(query.order_by(api_keys.c.created_at))
    return [key_of(row) for row in rows]


async def revoke_key(connection: AsyncConnection, key_id: str) -> None:
    """Stop the key from working. Raises ``NotFound``; revoking twice changes nothing."""
    query = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    result = await connection.execute(query.values(revoked_at=utc_now()))
    known = select(api_keys.c.id).where(api_keys.c.id == key_id)
    if result.rowcount == 0 and (await connection.execute(known)).one_or_none() is None:
        raise NotFound(f"There is no key {key_id}.")


def key_id(whole: str) -> str:
    """The id in a key, which is no secret. Raises ``ValueError`` for what has the form of no key."""
    parts = _id_and_secret(whole)
    if parts is None:
        raise ValueError("not a key")
    return parts[0]


def _id_and_secret(presented: str) -> tuple[str, str] | None:
    if old := _OLD_KEY.fullmatch(presented):
        return old[1], old[2]
    found = _KEY.fullmatch(presented)
    if found is None or _checksum(found[1]) != found[4]:
        return None
    return found[2], found[3] + found[4]


def _checksum(unchecked: str) -> str:
    """CRC-32 in 8 hexadecimal digits: it finds what was mistyped or cut off, and proves nothing."""
    return f"{zlib.crc32(unchecked.encode()):08x}"


def key_of(row: Any) -> ApiKey:
    """The key of a row of ``COLUMNS``."""
    values = {name: getattr(row, name) for name in ApiKey.__dataclass_fields__}
    return ApiKey(**{**values, "scopes": tuple(row.scopes)})


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

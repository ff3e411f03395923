"""Tenants and their API keys. Only a hash of a key's secret is stored."""

import hashlib
import hmac
import re
import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import insert, select, update
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import api_keys, tenants
from opal.errors import InvalidInput, NotFound

_SECRET_BYTES = 24
_PARTS = 3
_TENANT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,62}")


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
    connection: AsyncConnection, tenant_id: str, name: str, *, sandbox: bool = False
) -> tuple[ApiKey, str]:
    """Make a key ``opal_<id>_<secret>``; the second value is the whole key, shown only here."""
    key_id = secrets.token_hex(6)
    # 192 random bits need no slow hash: there is nothing to guess from.
    secret = secrets.token_hex(_SECRET_BYTES)
    key = ApiKey(key_id, tenant_id, name, utc_now(), None, sandbox)
    await connection.execute(
        insert(api_keys).values(
            id=key.id,
            tenant_id=key.tenant_id,
            name=key.name,
            secret_hash=_hash(secret),
            created_at=key.created_at,
            sandbox=key.sandbox,
        )
    )
    return key, f"opal_{key_id}_{secret}"


async def authenticate(connection: AsyncConnection, presented: str) -> ApiKey | None:
    """The key that ``presented`` is, or None when it is malformed, unknown, wrong or revoked."""
    parts = presented.split("_")
    if len(parts) != _PARTS or parts[0] != "opal":
        return None
    row = (await connection.execute(select(api_keys).where(api_keys.c.id == parts[1]))).one_or_none()
    if row is None or row.revoked_at is not None:
        return None
    if not hmac.compare_digest(row.secret_hash, _hash(parts[2])):
        return None
    return ApiKey(row.id, row.tenant_id, row.name, row.created_at, row.revoked_at, row.sandbox)


async def list_keys(connection: AsyncConnection, tenant_id: str | None = None) -> list[ApiKey]:
    """All keys, or those of one tenant, oldest first."""
    query = select(*[api_keys.c[name] for name in ApiKey.__dataclass_fields__])
    if tenant_id is not None:
        query = query.where(api_keys.c.tenant_id == tenant_id)
    rows = await connection.execute(query.order_by(api_keys.c.created_at))
    return [ApiKey(**row._asdict()) for row in rows]


async def revoke_key(connection: AsyncConnection, key_id: str) -> None:
    """Stop the key from working. Raises ``NotFound``; revoking twice changes nothing."""
    query = update(api_keys).where(api_keys.c.id == key_id, api_keys.c.revoked_at.is_(None))
    result = await connection.execute(query.values(revoked_at=utc_now()))
    known = select(api_keys.c.id).where(api_keys.c.id == key_id)
    if result.rowcount == 0 and (await connection.execute(known)).one_or_none() is None:
        raise NotFound(f"There is no key {key_id}.")


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode()).hexdigest()

"""Public links: which tenants have them, with which key, and which picture an address leads to."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, Protocol

from sqlalchemy import and_, delete, or_, select
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database.engine import utc_now
from opal.database.tables import items, jobs, public_links, variants
from opal.items.item import Item
from opal.items.public_link import PREFIX, item_of_token, new_link_key, public_path, same_path

Which = Literal["all", "chosen"]
"""Which jobs' pictures have links: all but those that say no, or only those that say yes."""


@dataclass(frozen=True, slots=True)
class PublicLinks:
    """A tenant's setting; the key is not part of it."""

    jobs: Which
    since: datetime


@dataclass(frozen=True, slots=True)
class PublicPicture:
    """The stored picture behind a public address."""

    path: str
    content_type: str
    bytes: int
    sha256: str
    expired_at: datetime | None = None
    """When it was removed for its age."""


class Picture(Protocol):
    """What a picture's address is made of."""

    @property
    def preset(self) -> str:
        """The preset that it was made for."""

    @property
    def path(self) -> str:
        """Where its blob lies; its ending becomes the address's."""

    @property
    def sha256(self) -> str:
        """Of its bytes."""


@dataclass(frozen=True, slots=True)
class JobLinks:
    """Makes the addresses of one job's pictures; without a key there are none."""

    key: str | None

    def path(self, item_id: str, sku: str | None, picture: Picture) -> str | None:
        """The public path of a picture, or None where its job has no links."""
        if self.key is None:
            return None
        return public_path(
            self.key,
            item_id=item_id,
            sku=sku,
            preset=picture.preset,
            sha256=picture.sha256,
            extension=picture.path.rpartition(".")[2],
        )

    def url(self, base: str, item: Item, picture: Picture) -> str | None:
        """The whole address, below ``base``, which has no slash at its end."""
        path = self.path(item.id, item.sku, picture)
        return None if path is None else base + path


async def turn_on(connection: AsyncConnection, tenant_id: str, which: Which) -> PublicLinks:
    """Give the tenant links. Its key stays the same while they are on, and so do the addresses."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    await connection.execute(
        dialect.insert(public_links)
        .values(tenant_id=tenant_id, key=new_link_key(), jobs=which, created_at=utc_now())
        .on_conflict_do_update(index_elements=["tenant_id"], set_={"jobs": which})
    )
    links = await read_setting(connection, tenant_id)
    assert links is not None, "it was stored in this transaction"
    return links


async def turn_off(connection: AsyncConnection, tenant_id: str) -> None:
    """End every link of the tenant for good: the key is forgotten, and a later one gives other addresses."""
    await connection.execute(delete(public_links).where(public_links.c.tenant_id == tenant_id))


async def read_setting(connection: AsyncConnection, tenant_id: str) -> PublicLinks | None:
    """The tenant's setting, or None where links are off."""
    query = select(public_links.c.jobs, public_links.c.created_at)
    row = (await connection.execute(query.where(public_links.c.tenant_id == tenant_id))).one_or_none()
    return PublicLinks(row.jobs, row.created_at) if row else None


async def job_links(connection: AsyncConnection, job_id: str) -> JobLinks:
    """The links of a job's pictures, as setting and job stand now."""
    joined = jobs.join(public_links, _has_links())
    query = select(public_links.c.key).select_from(joined).where(jobs.c.id == job_id)
    return JobLinks((await connection.execute(query)).scalar_one_or_none())


async def public_picture(connection: AsyncConnection, token: str, name: str) -> PublicPicture | None:
    """What ``/p/{token}/{name}`` leads to now; None where it leads nowhere, whatever the reason."""
    item_id = item_of_token(token)
    if item_id is None:
        return None
    joined = (
        variants.join(items, items.c.id == variants.c.item_id)
        .join(jobs, jobs.c.id == items.c.job_id)
        .join(public_links, _has_links())
    )
    columns: Sequence[Any] = (
        public_links.c.key,
        items.c.sku,
        *(variants.c[each] for each in ("preset", "path", "content_type", "bytes", "sha256", "expired_at")),
    )
    query = select(*columns).select_from(joined).where(variants.c.item_id == item_id)
    for row in await connection.execute(query):
        genuine = JobLinks(row.key).path(item_id, row.sku, row)
        if genuine is not None and same_path(f"{PREFIX}{token}/{name}", genuine):
            return PublicPicture(row.path, row.content_type, row.bytes, row.sha256, row.expired_at)
    return None


def _has_links() -> Any:
    """The condition under which a job's pictures are public. Those of a cancelled job no longer are."""
    by_default = and_(public_links.c.jobs == "all", jobs.c.public_links.is_(None))
    return and_(
        public_links.c.tenant_id == jobs.c.tenant_id,
        jobs.c.cancelled_at.is_(None),
        or_(by_default, jobs.c.public_links.is_(True)),
    )

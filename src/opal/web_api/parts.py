"""What the routes of web-api work with, as FastAPI dependencies."""

import re
from dataclasses import replace
from typing import Annotated

from fastapi import Depends, Path, Request
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.assembly import Parts
from opal.database import items, jobs
from opal.database.jobs import Job
from opal.errors import NotFound
from opal.items.item import Item

_ID = re.compile(r"(job|item)_[0-9a-f]{24}")

JobId = Annotated[str, Path(description="The job's id.", examples=["job_9f1c2d3e4a5b6c7d8e9f0a1b"])]
ItemId = Annotated[str, Path(description="The item's id.", examples=["item_3b0c5c0e9a1f4d5e6a7b8c9d"])]


def _platform_parts(request: Request) -> Parts:
    parts = request.app.state.parts
    assert isinstance(parts, Parts)
    return parts


def _parts(request: Request) -> Parts:
    parts = _platform_parts(request)
    tenant_id: str | None = getattr(request.state, "tenant_id", None)
    database = parts.database
    return replace(
        parts, database=database.for_nobody() if tenant_id is None else database.for_tenant(tenant_id)
    )


WebParts = Annotated[Parts, Depends(_parts)]
"""What the application was created with; its database shows the rows of the request's tenant alone."""

PlatformParts = Annotated[Parts, Depends(_platform_parts)]
"""The same with every tenant's rows, for routes that find out themselves whose rows a request may have."""


async def find_job(connection: AsyncConnection, tenant_id: str, job_id: str) -> Job:
    """The tenant's job. Raises ``NotFound`` for ids that are unknown, foreign or no ids at all."""
    _require_id(job_id)
    return await jobs.tenant_job(connection, tenant_id, job_id)


async def find_item(
    connection: AsyncConnection, tenant_id: str, job_id: str, item_id: str, *, lock: bool = False
) -> Item:
    """The tenant's item; with ``lock`` nobody else moves it before the transaction ends.

    Raises ``NotFound`` for ids that are unknown, foreign or no ids at all.
    """
    _require_id(job_id)
    _require_id(item_id)
    return await items.tenant_item(connection, tenant_id, job_id, item_id, lock=lock)


def _require_id(presented: str) -> None:
    # Also keeps what a database's text type cannot hold away from it.
    if not _ID.fullmatch(presented):
        raise NotFound

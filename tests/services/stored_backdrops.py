"""A backdrop of the pipeline's tenant, stored as web-api would have stored it. For the workers' tests."""

from dataclasses import dataclass
from typing import Any

import numpy as np
from sqlalchemy import delete
from tests.services.pipeline_world import TENANT
from tests.unit.drawn_backdrops import picture_bytes

from opal.assembly import Parts
from opal.database import backdrops, tables
from opal.database.backdrops import PictureFacts, Room

COLOUR = (70, 110, 150)
ROOM = Room(backdrops=100, bytes=10_000_000_000, largest=60_000_000)


@dataclass(frozen=True, slots=True)
class Stored:
    """A ready backdrop of one colour, and a scene that names it."""

    id: str
    path: str
    colour: tuple[int, int, int] = COLOUR

    @property
    def scene(self) -> dict[str, Any]:
        return {"kind": "backdrop", "picture": self.id, "ground": 0.8}


async def stored_backdrop(parts: Parts, width: int = 900, height: int = 700) -> Stored:
    data = picture_bytes(np.full((height, width, 3), COLOUR, np.uint8))
    async with parts.database.transaction() as connection:
        made = await backdrops.create_backdrop(connection, TENANT, "worktop", ROOM)
        info = await parts.blobs.write("raw", made.raw_path, data, content_type="image/png")
        facts = PictureFacts("png", len(data), width, height, "0" * 64, info.etag)
        await backdrops.complete_backdrop(connection, TENANT, made.id, facts)
    return Stored(made.id, made.raw_path)


async def forget_backdrop(parts: Parts, backdrop: Stored) -> None:
    """Remove its row behind everybody's back."""
    async with parts.database.transaction() as connection:
        await connection.execute(delete(tables.backdrops).where(tables.backdrops.c.id == backdrop.id))

"""The scenes' thumbnails, each drawn once per process and off the event loop. Used by ``scenes.py``."""

import asyncio
import hashlib
from dataclasses import dataclass

from opal.placement.scene import SCENES, Scene
from opal.placement.thumbnail import thumbnail


@dataclass(frozen=True, slots=True)
class Thumbnail:
    """A JPEG and the tag that a client can ask again with."""

    data: bytes
    etag: str


class SceneThumbnails:
    """Draws on demand. Calls for the same scene wait for the same drawing; one is drawn at a time."""

    def __init__(self) -> None:
        self._drawings: dict[str, asyncio.Task[Thumbnail]] = {}
        # A drawing takes a core for about a second, and other requests want to be answered meanwhile.
        self._turn = asyncio.Semaphore(1)

    async def of(self, name: str) -> Thumbnail:
        """The thumbnail of the ready-made scene ``name``. Raises ``KeyError`` for a name that is none."""
        scene = SCENES[name]
        drawing = self._drawings.get(name)
        if drawing is None or (drawing.done() and (drawing.cancelled() or drawing.exception() is not None)):
            drawing = asyncio.create_task(self._draw(scene), name=f"thumbnail-{name}")
            self._drawings[name] = drawing
        # A client that goes away must not stop what others wait for.
        return await asyncio.shield(drawing)

    async def _draw(self, scene: Scene) -> Thumbnail:
        async with self._turn:
            data = await asyncio.to_thread(thumbnail, scene)
        return Thumbnail(data, f'"{hashlib.sha256(data).hexdigest()[:32]}"')

"""``/v1/scenes/previews``: how a product of the client's own looks in scenes, before there is a job."""

import base64
import binascii
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final

from fastapi import APIRouter, Request
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, ConfigDict, Field, WithJsonSchema
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import backdrops
from opal.database.backdrops import ReadyBackdrop
from opal.errors import (
    BackdropNotReady,
    InvalidInput,
    InvalidJson,
    InvalidPlacement,
    InvalidScene,
    OpalError,
    UnknownBackdrop,
    UnknownScene,
)
from opal.http.authentication import Tenant, TenantRoute
from opal.http.disconnect import while_connected
from opal.http.errors import BodyTooLarge, PreviewsBusy, UnsupportedMediaType
from opal.http.problem import ALWAYS, BY_KEY, correlation_id_of, describe, problems
from opal.http.problem_model import Problem
from opal.placement.placement import Placement, resolve_placement
from opal.placement.scene import NAMED_SCENES, BackdropScene, Scene
from opal.placement.thumbnail import PREVIEW_HEIGHT, PREVIEW_WIDTH
from opal.web_api.parts import WebParts
from opal.web_api.preview_work import PreviewWork, Subject
from opal.web_api.recipe import placement_schema, read_scene, scene_schema

router = APIRouter(route_class=TenantRoute, tags=["catalogue"])

MEDIA_TYPE: Final = "application/jsonl"
MOST_SCENES: Final = 32
EXAMPLE_PHOTO: Final = (
    "iVBORw0KGgoAAAANSUhEUgAAADAAAAAwCAMAAABg3Am1AAAABlBMVEVMaXG8eEYuQbEyAAAAAXRSTlMAQObYZgAAAAlwSFlzAAAD6AAAA+gB"
    "tXtSawAAACJJREFUSMdjYBjxgBErGNUwqmFUw6iGUQ2jGkY1ENYwQgAACnEDRd3HhDAAAAAASUVORK5CYII="
)
"""A brown block on nothing, as a PNG."""


class PreviewRequest(BaseModel):
    """A small photo, and the scenes to see it in."""

    model_config = ConfigDict(
        extra="forbid",
        json_schema_extra={
            "examples": [{"photo": EXAMPLE_PHOTO, "scenes": ["white"], "placement": {"shadow": "soft"}}]
        },
    )

    photo: str = Field(
        min_length=1,
        description="A photo of at most 2048 pixels a side, its file in base64. One with transparent ground "
        "is taken for cut out; any other is cut out first.",
    )
    scenes: list[Annotated[str | dict[str, Any], WithJsonSchema(scene_schema())]] = Field(
        default=[named.name for named in NAMED_SCENES],
        min_length=1,
        max_length=MOST_SCENES,
        description="In the order in which they are wanted. Left out, every ready-made scene.",
    )
    placement: Annotated[dict[str, Any], WithJsonSchema(placement_schema())] = Field(
        default={}, description="How the product stands in the scenes."
    )


class CutoutLine(BaseModel):
    """The first line, where the photo was cut out."""

    cutout: str = Field(
        description="The product alone, a WebP with transparency in base64: as `photo` of the next request "
        "it spares cutting out again."
    )
    confidence: float = Field(ge=0, le=1, description="How sure the cut-out is.")


class PreviewLine(BaseModel):
    """The product in one scene."""

    index: int = Field(description="Which of the request's scenes, from 0.")
    picture: str | None = Field(
        default=None,
        description=f"A WebP of {PREVIEW_WIDTH} x {PREVIEW_HEIGHT} in base64; left out for a problem.",
    )
    problem: Problem | None = None


@dataclass(frozen=True, slots=True)
class _Wanted:
    """A scene, and its backdrop where it has one."""

    scene: Scene
    stored: ReadyBackdrop | None


_EXAMPLE: Final = "\n".join(
    (
        CutoutLine(cutout="UklGR…", confidence=0.97).model_dump_json(),
        PreviewLine(index=0, picture="UklGR…").model_dump_json(exclude_none=True),
        "",
    )
)


@router.post(
    "/v1/scenes/previews",
    response_class=StreamingResponse,
    summary="Preview scenes with a product of your own",
    responses={
        200: {
            "description": "A line of JSON for the cut-out, where there was one to make, then one per scene "
            "as each is ready.",
            "content": {MEDIA_TYPE: {"example": _EXAMPLE}},
        },
        **problems(
            InvalidJson,
            *BY_KEY,
            UnknownBackdrop,
            BackdropNotReady,
            BodyTooLarge,
            UnsupportedMediaType,
            UnknownScene,
            InvalidScene,
            InvalidPlacement,
            PreviewsBusy,
            *ALWAYS,
        ),
    },
)
async def preview_scenes(
    request: Request, parts: WebParts, tenant_id: Tenant, body: PreviewRequest
) -> StreamingResponse:
    """The product of one small photo in each of the scenes. Costs no credit; nothing is kept.

    What is wrong with the request or its photo is answered before the first line. Pictures are small and
    made of a small photo: a preview, not the finished picture.
    """
    placement = resolve_placement(body.placement)
    scenes = [read_scene(scene) for scene in body.scenes]
    async with parts.database.read() as connection:
        wanted = await _with_backdrops(connection, tenant_id, scenes)
    work: PreviewWork = request.app.state.preview_work
    with work.place():
        looking = work.subject(
            parts.database, tenant_id, _decoded(body.photo), placement, correlation_id_of(request)
        )
        subject = await while_connected(request, looking)
    lines = _lines(request, work, subject, wanted, placement)
    return StreamingResponse(lines, media_type=MEDIA_TYPE, headers={"Cache-Control": "no-store"})


async def _with_backdrops(
    connection: AsyncConnection, tenant_id: str, scenes: Sequence[Scene]
) -> list[_Wanted]:
    wanted = []
    for scene in scenes:
        stored = None
        if isinstance(scene, BackdropScene):
            stored = await backdrops.ready_backdrop(connection, tenant_id, scene.picture)
        wanted.append(_Wanted(scene, stored))
    return wanted


async def _lines(
    request: Request, work: PreviewWork, subject: Subject, wanted: Sequence[_Wanted], placement: Placement
) -> AsyncIterator[str]:
    """Ends where the client hangs up: the server then closes the stream."""
    if subject.cutout is not None:
        line = CutoutLine(cutout=_letters(subject.cutout), confidence=subject.confidence or 0.0)
        yield f"{line.model_dump_json()}\n"
    for index, each in enumerate(wanted):
        try:
            picture = await work.shown(subject, each.scene, placement, each.stored)
        except OpalError as error:
            problem = describe(error, str(request.scope["path"]), correlation_id_of(request))
            told = PreviewLine(index=index, problem=problem)
        else:
            told = PreviewLine(index=index, picture=_letters(picture))
        yield f"{told.model_dump_json(exclude_none=True)}\n"


def _decoded(letters: str) -> bytes:
    try:
        data = base64.b64decode(letters, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidInput("body.photo: not base64.") from error
    return data


def _letters(data: bytes) -> str:
    return base64.b64encode(data).decode("ascii")

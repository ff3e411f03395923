"""``/v1/presets``: the pictures that can be made, with the rules they are measured against."""

from collections.abc import Sequence
from typing import Annotated, Final

from fastapi import APIRouter, Path, Response
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy.ext.asyncio import AsyncConnection

from opal.database import presets as own_presets
from opal.database.presets import TooManyPresets
from opal.errors import InvalidJson, InvalidPreset, NotFound
from opal.faults import SMALL_NAME
from opal.http.authentication import SettingsRoute, Tenant
from opal.http.errors import BodyTooLarge, UnsupportedMediaType
from opal.http.openapi import answer
from opal.http.problem import ALWAYS, BY_KEY, problems
from opal.marketplaces.presets import Preset, load_presets, read_own_preset, usable_presets
from opal.web_api.parts import WebParts

router = APIRouter(route_class=SettingsRoute, tags=["catalogue"])

_NAME: Final = "house-main"
EXAMPLE_TOML: Final = """\
channel = "our shop"

[[presets]]
name = "house-main"
title = "Our shop"
description = "1200 x 1200 on our grey."
width = 1200
height = 1200
format = "jpeg"
ground = "colour"
colour = "#f4f4f4"
fill = 0.8

[[presets.rules]]
rule = "fill_share"
equals = 0.8
tolerance = 0.02
"""

PresetName = Annotated[
    str,
    Path(
        pattern=SMALL_NAME,
        description="The preset's name: small letters, digits, hyphens.",
        examples=[_NAME],
    ),
]


class PresetList(BaseModel):
    """Every preset: those that everyone has, then the tenant's own."""

    presets: list[Preset]
    own: list[str] = Field(description="The names of those that are the tenant's own.")


class PresetFile(BaseModel):
    """A preset of your own, as the text of a TOML file."""

    model_config = ConfigDict(extra="forbid", json_schema_extra={"examples": [{"toml": EXAMPLE_TOML}]})

    toml: str = Field(
        min_length=1,
        description="In the form of Opal's own files, with one preset of the name in the address; "
        "docs/presets.md has every key.",
    )


@router.get(
    "/v1/presets",
    summary="List presets",
    responses={
        **answer("Every preset.", PresetList(presets=[load_presets()["amazon-main"]], own=[])),
        **problems(*BY_KEY, *ALWAYS),
    },
)
async def list_presets(parts: WebParts, tenant_id: Tenant) -> PresetList:
    """Name, canvas, format and rules of every preset, each rule with its source."""
    async with parts.database.read() as connection:
        own = await tenant_presets(connection, tenant_id)
    return PresetList(presets=[*load_presets().values(), *own], own=[preset.name for preset in own])


@router.put(
    "/v1/presets/{name}",
    summary="Keep a preset of your own",
    response_model=Preset,
    responses={
        **answer("The preset, in the place of the one of that name.", read_own_preset(EXAMPLE_TOML, _NAME)),
        **answer("The new preset.", read_own_preset(EXAMPLE_TOML, _NAME), 201),
        **problems(
            InvalidJson,
            *BY_KEY,
            BodyTooLarge,
            UnsupportedMediaType,
            InvalidPreset,
            TooManyPresets,
            *ALWAYS,
        ),
    },
)
async def save_preset(
    response: Response, parts: WebParts, tenant_id: Tenant, name: PresetName, body: PresetFile
) -> Preset:
    """Checked and tried as Opal's own are; new jobs may name it from now on.

    Jobs that were made before keep the one they were made with.
    """
    preset = read_own_preset(body.toml, name)
    async with parts.database.transaction() as connection:
        created = await own_presets.save_preset(
            connection, tenant_id, name, preset.model_dump(mode="json", exclude_defaults=True)
        )
    response.status_code = 201 if created else 200
    return preset


@router.delete(
    "/v1/presets/{name}",
    status_code=204,
    summary="Delete a preset of your own",
    responses={204: {"description": "It is gone."}, **problems(*BY_KEY, NotFound, *ALWAYS)},
)
async def delete_preset(parts: WebParts, tenant_id: Tenant, name: PresetName) -> None:
    """Jobs that were made with it keep it; new ones cannot name it any more."""
    async with parts.database.transaction() as connection:
        await own_presets.delete_preset(connection, tenant_id, name)


async def tenant_presets(connection: AsyncConnection, tenant_id: str) -> Sequence[Preset]:
    """The tenant's own presets that can be used."""
    return usable_presets(await own_presets.list_presets(connection, tenant_id))

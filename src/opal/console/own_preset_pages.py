"""``/settings/presets``: presets of the tenant's own, written as the text that Opal's own are written in."""

from typing import Annotated, Final, Literal

from fastapi import APIRouter, Form, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from opal.console.forms import Form as FormRoute
from opal.console.forms import onward
from opal.console.page import Page, pages_of
from opal.errors import InvalidPreset, NotFound, OpalError
from opal.marketplaces.preset_text import line_of_fault, preset_toml
from opal.marketplaces.presets import Preset, load_presets, read_own_preset
from opal.web_api import presets
from opal.web_api.parts import WebParts
from opal.web_api.presets import EXAMPLE_TOML, PresetFile, tenant_presets

router = APIRouter(route_class=Page, include_in_schema=False)
forms = APIRouter(route_class=FormRoute, include_in_schema=False)

_PATH: Final = "/settings/presets"
_EXAMPLE_NAME: Final = "house-main"


class _Sent(BaseModel):
    """The form's fields. ``editing`` is the name of the preset that it was opened with; empty: a new one."""

    model_config = ConfigDict(extra="ignore")

    name: str = Field(default="", max_length=200)
    toml: str = Field(default="", max_length=100_000)
    editing: str = Field(default="", max_length=64)
    intent: Literal["save", "check"] = "save"


@router.get(_PATH)
async def show_presets(request: Request, parts: WebParts) -> Response:
    """The tenant's own, and everyone's to begin from."""
    return pages_of(request).render(
        request, "own_presets", own=await _own(request, parts), official=list(load_presets().values())
    )


@router.get(f"{_PATH}/edit")
async def edit_preset(
    request: Request,
    parts: WebParts,
    name: Annotated[str | None, Query(max_length=64)] = None,
    copy: Annotated[str | None, Query(max_length=64)] = None,
) -> Response:
    """The form: with one's own preset, a copy of any, or the example. Raises ``NotFound``."""
    own = {preset.name: preset for preset in await _own(request, parts)}
    if name is not None:
        if name not in own:
            raise NotFound(f"You have no preset of your own named {name!r}.")
        return _form(request, name, preset_toml(own[name]), known=True)
    if copy is not None:
        found = load_presets().get(copy) or own.get(copy)
        if found is None:
            raise NotFound(f"There is no preset named {copy!r}.")
        new_name = f"own-{copy}"[:64]
        return _form(request, new_name, preset_toml(found, new_name))
    return _form(request, _EXAMPLE_NAME, EXAMPLE_TOML)


@forms.post(f"{_PATH}/edit")
async def save_preset(request: Request, parts: WebParts, sent: Annotated[_Sent, Form()]) -> Response:
    """Keep it; or, asked to ``check``, say whether it would do."""
    name, toml = sent.name.strip(), sent.toml.replace("\r\n", "\n")
    own = {preset.name for preset in await _own(request, parts)}
    known = sent.editing in own and name == sent.editing
    try:
        if sent.intent == "check":
            return _form(request, name, toml, known=known, checked=read_own_preset(toml, name))
        if not toml:
            raise InvalidPreset(f"{name}: the text is empty.")
        if name in own and not known:
            raise InvalidPreset(f"You have a preset named {name!r}: edit that one, or choose another name.")
        await presets.save_preset(Response(), parts, request.state.tenant_id, name, PresetFile(toml=toml))
    except OpalError as error:
        if not error.expected:
            raise
        return _form(request, name, toml, known=known, fault=error.message)
    return onward(_PATH, "preset_saved")


@forms.post(f"{_PATH}/{{name}}/delete")
async def delete_preset(request: Request, parts: WebParts, name: str) -> Response:
    """Forget it; jobs that were made with it keep it."""
    await presets.delete_preset(parts, request.state.tenant_id, name)
    return onward(_PATH, "preset_deleted")


async def _own(request: Request, parts: WebParts) -> list[Preset]:
    async with parts.database.read() as connection:
        return list(await tenant_presets(connection, request.state.tenant_id))


def _form(
    request: Request,
    name: str,
    toml: str,
    *,
    known: bool = False,
    fault: str | None = None,
    checked: Preset | None = None,
) -> Response:
    return pages_of(request).render(
        request,
        "own_preset",
        status=422 if fault else 200,
        name=name,
        toml=toml,
        known=known,
        fault=fault,
        line=None if fault is None else line_of_fault(toml, fault),
        checked=checked,
    )

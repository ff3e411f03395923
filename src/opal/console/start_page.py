"""``/``: drop photos, choose how they shall look and where they go, start."""

from typing import get_args

from fastapi import APIRouter, Request, Response

from opal.console.page import Page, pages_of
from opal.console.preset_cards import channels
from opal.database import backdrops, ledger
from opal.images.geometry import ALIGNMENTS
from opal.images.shadow import ShadowKind
from opal.marketplaces.presets import load_presets
from opal.placement.placement import DEFAULT_MARGIN
from opal.placement.scene import DEFAULT_SCENE, NAMED_SCENES
from opal.web_api.brand_profiles import profile_views
from opal.web_api.parts import WebParts
from opal.web_api.presets import tenant_presets

router = APIRouter(route_class=Page, include_in_schema=False)

_CHOSEN_AT_FIRST = ("square-1x1",)
_MOST_BACKDROPS = 12
"""Newest first; the gallery is to choose from, not to search in."""


@router.get("/")
async def read_start(request: Request, parts: WebParts) -> Response:
    """The page with nothing dropped yet."""
    tenant_id: str = request.state.tenant_id
    async with parts.database.read() as connection:
        own = await tenant_presets(connection, tenant_id)
        account = await ledger.balance(connection, tenant_id)
        stored = await backdrops.list_backdrops(connection, tenant_id, 4 * _MOST_BACKDROPS)
        profiles = await profile_views(connection, tenant_id)
    photo = parts.settings.photo
    return pages_of(request).render(
        request,
        "start",
        scenes=NAMED_SCENES,
        default_scene=DEFAULT_SCENE,
        backdrops=[each for each in stored if each.picture is not None][:_MOST_BACKDROPS],
        profiles=[profile.model_dump(mode="json") for profile in profiles],
        doubt_below=parts.settings.review.below,
        shadows=get_args(ShadowKind),
        alignments=ALIGNMENTS,
        margin=DEFAULT_MARGIN,
        channels=channels([*load_presets().values(), *own], {preset.name for preset in own}),
        chosen=_CHOSEN_AT_FIRST,
        credits=account.available,
        most_photos=parts.settings.web.max_items_per_job,
        most_bytes=photo.max_bytes,
        blobs_here=parts.settings.blob.adapter == "folder",
    )

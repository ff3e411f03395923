"""``/api/remove``: rembg's HTTP server, for those who ran ``rembg s``. A PNG of its size.

Put into web-api by ``app.py``. What has no counterpart (matting thresholds, models) is taken, without effect.
"""

import ipaddress
from typing import Any, Final
from urllib.parse import urlsplit

import structlog
from fastapi import APIRouter, Request, Response

from opal.cutout_pictures.wanted import ORIGINAL, Colour, Wanted
from opal.database import picture_charges
from opal.database.keys import require_tenant
from opal.errors import NotFound
from opal.http.disconnect import while_connected
from opal.http.problem import correlation_id_of
from opal.web_api.removebg import answered, studio_of
from opal.web_api.removebg_body import Body, read_body
from opal.web_api.removebg_caller import Caller, Told, identify
from opal.web_api.removebg_errors import Refused
from opal.web_api.removebg_openapi import REMBG_GET, REMBG_POST
from opal.web_api.removebg_request import read_wanted
from opal.web_api.removebg_values import read_boolean
from opal.web_api.removebg_work import Studio

PREFIX: Final = "/api/"
router = APIRouter(tags=["remove.bg"])

_LOCAL_NAMES: Final = {"localhost", "127.0.0.1", "::1"}
# A page in a browser, or a proxy: whoever is behind them is not known to be on this machine.
_NOT_LOCAL_HEADERS: Final = ("origin", "forwarded", "x-forwarded-for", "x-real-ip", "via")


@router.post("/api/remove", **REMBG_POST)
async def remove_posted(request: Request) -> Response:
    """Cut out the picture in `file`, as `rembg s` does. One credit."""

    async def work(told: Told) -> Response:
        studio = studio_of(request)
        caller = await _caller(request, studio)
        tenant_id = caller.tenant_id
        with structlog.contextvars.bound_contextvars(tenant_id=tenant_id), studio.line.place(tenant_id):
            body = await read_body(request, studio.line, studio.settings.max_bytes)
            try:
                body.fields = {**request.query_params, **body.fields}
                if "file" in body.files and "image_file" not in body.files:
                    body.files["image_file"] = body.files.pop("file")
                return await _cut_out(request, studio, caller, body, told)
            finally:
                body.close()

    return await answered(work)


@router.get("/api/remove", **REMBG_GET)
async def remove_from_url(request: Request) -> Response:
    """Cut out the picture at `url`, as `rembg s` does. One credit."""

    async def work(told: Told) -> Response:
        studio = studio_of(request)
        caller = await _caller(request, studio)
        tenant_id = caller.tenant_id
        with structlog.contextvars.bound_contextvars(tenant_id=tenant_id), studio.line.place(tenant_id):
            asked = request.query_params
            body = Body(fields={**asked, "image_url": asked.get("url", "")})
            try:
                return await _cut_out(request, studio, caller, body, told)
            finally:
                # What was fetched.
                body.close()

    return await answered(work)


async def _cut_out(request: Request, studio: Studio, caller: Caller, body: Body, told: Told) -> Response:
    wanted = _wanted(body)
    if not body.files and not body.fields.get("image_url"):
        raise Refused("missing_source", "Send the picture as file, or its address as url.")
    making = studio.make(caller, body, wanted, told, correlation_id_of(request))
    made = await while_connected(request, making)
    headers = {"X-Credits-Charged": f"{made.credits:g}", "Cache-Control": "no-store"}
    return Response(made.picture.data, headers=headers, media_type=made.picture.media_type)


def _wanted(body: Body) -> Wanted:
    fields = {"format": "png", "channels": "alpha" if _mask_only(body) else "rgba"}
    colour = _colour(body.fields.get("bgc", "").strip())
    if colour is not None:
        fields["bg_color"] = bytes(colour).hex()
    # These are what the picture depends on, and so what tells two requests apart.
    url = body.fields.get("image_url")
    body.fields = {**fields, "size": ORIGINAL, **({"image_url": url} if url else {})}
    return read_wanted(fields, size=ORIGINAL)


def _mask_only(body: Body) -> bool:
    text = body.fields.get("om", "").strip()
    try:
        return bool(text) and read_boolean(text)
    except ValueError as error:
        raise Refused("invalid_request", f"om {error}") from error


def _colour(text: str) -> Colour | None:
    if not text:
        return None
    parts = text.split(",")
    if len(parts) != 4 or not all(part.strip().isdecimal() and len(part) < 6 for part in parts):
        raise Refused("invalid_bg_color", "bgc must be red,green,blue,alpha.")
    red, green, blue, alpha = (int(part) for part in parts)
    if max(red, green, blue, alpha) > 255:
        raise Refused("invalid_bg_color", "bgc's parts must be 0 to 255.")
    return red, green, blue, alpha


async def _caller(request: Request, studio: Studio) -> Caller:
    """By key; without one, ``open_tenant`` where it is set and the request comes from this machine."""
    tenant_id = studio.settings.open_tenant
    has_key = request.headers.get("X-Api-Key") or request.headers.get("Authorization")
    if has_key or tenant_id is None or not _is_local(request):
        return await identify(request, studio.database)
    async with studio.database.for_tenant(tenant_id).read() as connection:
        try:
            await require_tenant(connection, tenant_id)
        except NotFound as error:
            raise Refused("auth_failed", error.message) from error
        return Caller(tenant_id, sandbox=False, funds=await picture_charges.funds(connection, tenant_id))


def _is_local(request: Request) -> bool:
    """From this machine, by a name of this machine, and by no browser's or proxy's doing."""
    if any(name in request.headers for name in _NOT_LOCAL_HEADERS):
        return False
    if request.headers.get("sec-fetch-site", "none") not in {"none", "same-origin"}:
        return False
    named = urlsplit(f"//{request.headers.get('host', '')}").hostname
    peer: Any = request.client.host if request.client is not None else ""
    try:
        return named in _LOCAL_NAMES and ipaddress.ip_address(peer).is_loopback
    except ValueError:
        return False

"""``POST /v1.0/improve``: keeps a picture for the operator to look at, where that is switched on.

Put into web-api by ``app.py``. Off by default: nothing that is sent to Opal is kept without a word.
"""

import asyncio
import json
import tempfile
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from fastapi import APIRouter, Request, Response

from opal.decoder.pictures import probe
from opal.images.limits import Header
from opal.web_api.removebg import answered, studio_of
from opal.web_api.removebg_body import read_body
from opal.web_api.removebg_caller import Told, identify
from opal.web_api.removebg_errors import Refused
from opal.web_api.removebg_openapi import IMPROVE
from opal.web_api.removebg_source import image_source

router = APIRouter(tags=["remove.bg"])

MOST_PER_DAY: Final = 100
_LONGEST_NAME: Final = 255
_LONGEST_TAG: Final = 64


@router.post("/v1.0/improve", **IMPROVE)
async def improve(request: Request) -> Response:
    """Keep a picture that was not cut out well, with its name and a tag. At most 100 a day; no credits."""

    async def work(_told: Told) -> Response:
        studio = studio_of(request)
        caller = await identify(request, studio.database)
        folder = studio.settings.improve_folder
        if folder is None:
            raise Refused("improve_disabled", "OPAL_REMOVEBG_IMPROVE_FOLDER names no folder to keep it in.")
        with studio.line.place(caller.tenant_id):
            body = await read_body(request, studio.line, studio.settings.max_bytes)
            try:
                tag = body.fields.get("tag", "")
                if len(tag) > _LONGEST_TAG:
                    raise Refused("invalid_tag", f"tag has at most {_LONGEST_TAG} characters.")
                source = await studio.fetched(image_source(body), body, caller.tenant_id)
                data = await source.read()
                header = await asyncio.to_thread(probe, data, studio.limits)
                name = body.fields.get("image_filename", "")[:_LONGEST_NAME]
                told = {"filename": name, "tag": tag, "tenant_id": caller.tenant_id}
                kept = await asyncio.to_thread(_keep, folder / caller.tenant_id, data, header, told)
            finally:
                body.close()
        return Response(json.dumps({"id": kept}), media_type="application/json")

    return await answered(work)


def _keep(folder: Path, data: bytes, header: Header, told: dict[str, str]) -> str:
    """Two files: what was sent, and what was said of it. Returns their id."""
    today = folder / datetime.now(UTC).strftime("%Y-%m-%d")
    today.mkdir(parents=True, exist_ok=True)
    if sum(1 for _ in today.glob("*.json")) >= MOST_PER_DAY:
        raise Refused(
            "rate_limit_exceeded", f"At most {MOST_PER_DAY} pictures a day.", {"Retry-After": "3600"}
        )
    made = str(uuid.uuid4())
    _write(today / f"{made}.{header.format.value}", data)
    _write(today / f"{made}.json", json.dumps(told).encode())
    return made


def _write(path: Path, data: bytes) -> None:
    with tempfile.NamedTemporaryFile(dir=path.parent, prefix=".", delete=False) as file:
        file.write(data)
    Path(file.name).replace(path)

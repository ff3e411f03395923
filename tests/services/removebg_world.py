"""web-api with a placement endpoint beside it that cuts out without a network: what brings its own alpha
keeps it, of the rest whatever is dark is the product."""

import base64
import io
import zipfile
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import cache
from pathlib import Path
from typing import Any

import httpx
import numpy as np
import pyvips
from numpy.typing import NDArray
from tests.services.http_services import WebApi, bound_socket, running_web_api, served

from opal.cutout.interface import Cutout, EngineInfo
from opal.errors import NoProductFound
from opal.images.limits import Limits
from opal.images.photo import Photo
from opal.messages.cutout_contract import CutoutRequest, CutoutResponse
from opal.messages.scoring_contract import ScoreRequest, ScoreResponse
from opal.scoring.app import create_app
from opal.scoring.cut_out import cut_out
from opal.scoring.model_slots import ModelSlots
from opal.settings import RemoveBgSettings, ScoringSettings

WIDTH, HEIGHT = 200, 160
LEFT, TOP, SUBJECT_WIDTH, SUBJECT_HEIGHT = 40, 30, 80, 60
COLOUR = (200, 40, 90)
CutOut = Callable[[CutoutRequest], CutoutResponse]


class DarkThings:
    """The cut-out engine: whatever is dark."""

    @property
    def info(self) -> EngineInfo:
        return EngineInfo("dark-things", "1", "none", "0" * 64)

    def cut_out(self, photo: Photo) -> Cutout:
        if photo.alpha is not None:
            matte = photo.alpha.numpy().astype(np.float32) / np.float32(255.0)
        else:
            matte = (photo.pixels.numpy().mean(axis=2) < 128).astype(np.float32)
        if not (matte > 0.5).any():
            raise NoProductFound
        return Cutout(matte, 1.0)


def at_once(request: CutoutRequest) -> CutoutResponse:
    """The endpoint's own function, with that engine."""
    return cut_out(request, DarkThings(), Limits())


@asynccontextmanager
async def removebg_api(
    folder: Path, cut: CutOut = at_once, *, removebg: RemoveBgSettings | None = None, **groups: Any
) -> AsyncIterator[WebApi]:
    """web-api and its endpoint; a rate limit that no test meets unless it sets one."""
    bound, url = bound_socket()
    scoring = ScoringSettings(url=f"{url}/score", concurrency=2)
    slots = ModelSlots(lambda: None, no_scene, 2, cut)
    await slots.load()
    settings = removebg or RemoveBgSettings(rate_limit=10**6)
    async with (
        served(create_app(scoring, slots, max_photo_bytes=30_000_000), bound),
        running_web_api(folder, scoring=scoring, removebg=settings, **groups) as api,
    ):
        yield api


def no_scene(_request: ScoreRequest) -> ScoreResponse:
    raise AssertionError("only cut-outs are asked for")


@cache
def cut_photo(kind: str = "png", width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A picture that brings its alpha: a block of one colour at ``LEFT``, ``TOP`` of WIDTH × HEIGHT."""
    pixels = np.zeros((height, width, 4), np.uint8)
    across, down = width / WIDTH, height / HEIGHT
    rows = slice(round(TOP * down), round((TOP + SUBJECT_HEIGHT) * down))
    pixels[..., :3] = (90, 160, 220)
    pixels[rows, round(LEFT * across) : round((LEFT + SUBJECT_WIDTH) * across)] = (*COLOUR, 255)
    data: bytes = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb").write_to_buffer(f".{kind}")
    return data


@cache
def plain_photo(kind: str = "jpg", width: int = WIDTH, height: int = HEIGHT) -> bytes:
    """A picture without alpha: a dark block at the same place on white."""
    pixels = np.full((height, width, 3), 250, np.uint8)
    across, down = width / WIDTH, height / HEIGHT
    rows = slice(round(TOP * down), round((TOP + SUBJECT_HEIGHT) * down))
    pixels[rows, round(LEFT * across) : round((LEFT + SUBJECT_WIDTH) * across)] = (30, 60, 20)
    data: bytes = pyvips.Image.new_from_array(pixels).copy(interpretation="srgb").write_to_buffer(f".{kind}")
    return data


def pixels_of(data: bytes) -> NDArray[np.uint8]:
    """A file's pixels, (H, W, bands)."""
    image = pyvips.Image.new_from_buffer(data, "")
    pixels: NDArray[np.uint8] = image.numpy().reshape(image.height, image.width, -1)
    return pixels


def unpacked(data: bytes) -> dict[str, bytes]:
    """The files of an archive."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        return {name: archive.read(name) for name in archive.namelist()}


def in_base64(data: bytes) -> str:
    return base64.b64encode(data).decode()


async def ask(api: WebApi, photo: bytes | None = None, /, **fields: str) -> httpx.Response:
    files = {"image_file": ("mug.png", photo if photo is not None else cut_photo())}
    return await api.client.post("/v1.0/removebg", files=files, data={"size": "auto", **fields})


async def refused(answer: httpx.Response) -> tuple[int, str]:
    """Status and code; the form is the same for every error."""
    assert answer.headers["content-type"] == "application/json"
    document = answer.json()
    assert set(document) == {"errors"}
    [error] = document["errors"]
    assert set(error) == {"title", "code", "detail"}
    assert all(isinstance(text, str) and text for text in error.values())
    return answer.status_code, error["code"]

"""A placement endpoint that answers at once: the real contract over real HTTP, with an ellipse for a cut-out.

Started as a process of its own by the fault tests and by benchmarks/pipeline.py, so that what they see is the
way around the network, not the network. Prints its port on the first line. It fetches the photo and PUTs
real PNG files, as the true endpoint does.
"""

import argparse
import asyncio
import socket
import sys
from functools import lru_cache

import httpx
import numpy as np
import pyvips
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from opal.images.matte import encode_matte
from opal.messages.scoring_contract import ScoreRequest

PUT_HEADERS = {"x-ms-blob-type": "BlockBlob", "Content-Type": "image/png"}


@lru_cache(maxsize=16)
def pictures(width: int, height: int) -> tuple[bytes, bytes]:
    """Scene and matte as PNG: an ellipse with a soft edge, over three quarters of each side."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float32)
    radius = np.hypot((columns - width / 2) / (width * 0.375), (rows - height / 2) / (height * 0.375))
    matte = np.clip((1.0 - radius) * min(width, height) * 0.375, 0.0, 1.0).astype(np.float32)
    shade = (255 - 160 * matte).astype(np.uint8)
    scene = pyvips.Image.new_from_array(np.dstack([shade, shade, shade])).copy(interpretation="srgb")
    data: bytes = scene.pngsave_buffer(compression=1)
    return data, encode_matte(matte)


def upright_size(photo: bytes) -> tuple[int, int]:
    """Width and height of the photo as it is looked at."""
    image = pyvips.Image.new_from_buffer(photo, "").autorot()
    return int(image.width), int(image.height)


def meta(width: int, height: int, seed: int) -> dict[str, object]:
    """What the true endpoint would say about such a cut-out."""
    box = {"left": width // 8, "top": height // 8, "width": width * 3 // 4, "height": height * 3 // 4}
    return {
        "engine": "instant",
        "engine_version": "1",
        "models": [],
        "seed": seed,
        "prompt_used": "",
        "photo_width": width,
        "photo_height": height,
        "canvas_width": width,
        "canvas_height": height,
        "product_box": box,
        "transform": {"scale": 1.0, "tx": 0.0, "ty": 0.0},
        "fidelity": {},
        "confidence": 1.0,
        "timings": {},
    }


class Endpoint:
    """One client for all requests; its connections stay open."""

    def __init__(self) -> None:
        self.http = httpx.AsyncClient(timeout=10.0, trust_env=False)

    async def score(self, request: Request) -> Response:
        """Answer one request as ``POST /score`` does."""
        wanted = ScoreRequest.model_validate_json(await request.body())
        try:
            return await self._score(wanted)
        except httpx.HTTPError as error:
            body = {"code": "photo_unreachable", "message": type(error).__name__, "retryable": True}
            return JSONResponse({"error": body}, 500)

    async def _score(self, wanted: ScoreRequest) -> Response:
        fetched = await self.http.get(wanted.input_image_sas)
        fetched.raise_for_status()
        width, height = upright_size(fetched.content)
        assert wanted.output_sas is not None
        urls = (wanted.output_sas.scene, wanted.output_sas.matte)
        for url, data in zip(urls, pictures(width, height), strict=True):
            stored = await self.http.put(url, content=data, headers=PUT_HEADERS)
            # 409: an earlier try of the same request stored the same picture.
            if stored.status_code != httpx.codes.CONFLICT:
                stored.raise_for_status()
        return JSONResponse({"meta": meta(width, height, wanted.seed)})


def main() -> None:
    """Serve until killed."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--port", type=int, default=0)
    listening = socket.create_server(("127.0.0.1", parser.parse_args().port))
    # asyncio does so only for sockets that it made; without, an answer's body may wait 40 ms for an ACK.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    sys.stdout.write(f"{listening.getsockname()[1]}\n")
    sys.stdout.flush()
    app = Starlette(routes=[Route("/score", Endpoint().score, methods=["POST"])])
    server = uvicorn.Server(uvicorn.Config(app, log_level="warning", lifespan="off"))
    asyncio.run(server.serve(sockets=[listening]))


if __name__ == "__main__":
    main()

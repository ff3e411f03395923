"""A placement endpoint on a real socket that answers by a script, for the orchestrator's tests."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import Any

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

Answer = Callable[[Request], Awaitable[Response]]

META: dict[str, Any] = {
    "engine": "studio",
    "engine_version": "1",
    "models": [],
    "seed": 7,
    "prompt_used": "",
    "photo_width": 10,
    "photo_height": 10,
    "canvas_width": 10,
    "canvas_height": 10,
    "product_box": {"left": 0, "top": 0, "width": 10, "height": 10},
    "transform": {"scale": 1.0, "tx": 0.0, "ty": 0.0},
    "fidelity": {},
    "confidence": 0.9,
}


async def ok(_request: Request) -> Response:
    """Success, without inline pictures."""
    return JSONResponse({"meta": META})


def refusing(status: int, headers: dict[str, str] | None = None, body: Any = None) -> Answer:
    """An answer of the platform, or ``body``."""

    async def answer(_request: Request) -> Response:
        return JSONResponse(body if body is not None else {"message": "platform"}, status, headers=headers)

    return answer


def own_error(status: int, code: str, *, retryable: bool) -> Answer:
    """An answer of the endpoint itself."""
    return refusing(status, body={"error": {"code": code, "message": "Why not.", "retryable": retryable}})


class Endpoint:
    """Answers with ``script`` in order, its last entry for ever; remembers what it was sent."""

    def __init__(self, *script: Answer) -> None:
        self.script = script
        self.requests: list[Request] = []
        self.bodies: list[bytes] = []
        self.url = ""

    async def __call__(self, request: Request) -> Response:
        turn = min(len(self.requests), len(self.script) - 1)
        self.requests.append(request)
        self.bodies.append(await request.body())
        return await self.script[turn](request)


@asynccontextmanager
async def serving(endpoint: Endpoint) -> AsyncIterator[Endpoint]:
    """``endpoint`` on a free loopback port."""
    app = Starlette(routes=[Route("/score", endpoint.__call__, methods=["POST"])])
    config = uvicorn.Config(app, host="127.0.0.1", port=0, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    await server.startup()
    port = server.servers[0].sockets[0].getsockname()[1]
    endpoint.url = f"http://127.0.0.1:{port}/score"
    try:
        yield endpoint
    finally:
        await server.shutdown()

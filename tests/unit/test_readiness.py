"""What is logged of a part that keeps a service from being ready."""

from fastapi import FastAPI
from httpx import ASGITransport, AsyncClient
from structlog.testing import capture_logs

from opal.http.health import health_routes


async def _silent() -> None:
    raise TimeoutError


async def test_a_part_that_fails_without_words_is_logged_with_a_reason() -> None:
    app = FastAPI()
    app.include_router(health_routes({"blobs": _silent}))
    async with AsyncClient(transport=ASGITransport(app), base_url="http://opal") as client:
        with capture_logs() as lines:
            assert (await client.get("/readyz")).status_code == 503
    assert [line["reason"] for line in lines if line.get("action") == "ready.failed"] == ["TimeoutError"]

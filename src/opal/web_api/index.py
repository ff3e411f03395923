"""``/``: one plain page that says what is running here and how to talk to it."""

from fastapi import APIRouter
from fastapi.responses import HTMLResponse

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Opal</title>
<style>
  body { font: 1rem/1.5 system-ui, sans-serif; max-width: 46rem; margin: 3rem auto; padding: 0 1rem; }
  pre { background: #f4f3f1; color: #1c1b19; padding: 1rem; overflow-x: auto; border-radius: .4rem; }
</style>
<h1>Opal</h1>
<p>Raw product photos in, marketplace-ready pictures out, with measured proof that the product was not
altered. This is the API; every call but the health pages takes a key in <code>X-API-Key</code>.</p>
<p><a href="/openapi.json">OpenAPI</a> · <a href="/healthz">alive</a> · <a href="/readyz">ready</a> ·
<a href="/metrics">metrics</a></p>
<h2>One photo's way</h2>
<pre>
KEY='X-API-Key: opal_…'
JSON='Content-Type: application/json'

# 1. a job with one photo
curl -sH "$KEY" -H "$JSON" -H 'Idempotency-Key: my-first-job' \\
  -d '{"scene": "studio-white", "presets": ["amazon-main"], "items": [{"filename": "mug.jpg"}]}' \\
  __ORIGIN__/v1/jobs

# 2. a URL that can write this one photo, the photo, and the word that it is there
curl -sH "$KEY" -H "$JSON" -d '{"job_id": "job_…", "item_id": "item_…"}' __ORIGIN__/v1/uploads/sas
curl -T mug.jpg -H 'x-ms-blob-type: BlockBlob' '(url from the answer)'
curl -sH "$KEY" -H "$JSON" -d '{"job_id": "job_…", "item_id": "item_…"}' __ORIGIN__/v1/uploads/complete

# 3. follow it, then take everything
curl -NH "$KEY" __ORIGIN__/v1/jobs/job_…/events
curl -OJH "$KEY" __ORIGIN__/v1/jobs/job_…/archive.zip
</pre>
</html>
"""


def index_page(public_url: str) -> APIRouter:
    """The page, its examples with ``public_url``."""
    router = APIRouter()
    page = _PAGE.replace("__ORIGIN__", public_url)

    @router.get("/", response_class=HTMLResponse, include_in_schema=False)
    async def index() -> HTMLResponse:
        return HTMLResponse(
            page, headers={"Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'"}
        )

    return router

"""web-api with its pages: what `opal web-api` serves.

The console lies over web-api and uses its views and its routes' dependencies; nothing of web-api knows of the
console (docs/decisions/0014-console-over-web-api.md).
"""

from typing import Any, Final

from fastapi import FastAPI, Request, Response
from starlette.exceptions import HTTPException

from opal.console import (
    access,
    credit_pages,
    delivery_pages,
    health_pages,
    item_page,
    job_pages,
    key_pages,
    own_preset_pages,
    review_pages,
    settings_pages,
    start_page,
    webhook_pages,
)
from opal.console.assets import Assets
from opal.console.page import Pages, no_page, wants_page
from opal.console.security import content_security_policy
from opal.settings import Settings
from opal.web_api import app as web_api

_WITH_FORMS: Final = (
    settings_pages,
    key_pages,
    webhook_pages,
    delivery_pages,
    own_preset_pages,
    health_pages,
)
PAGES: Final = (access, start_page, job_pages, item_page, review_pages, credit_pages, *_WITH_FORMS)
"""Every module with pages; the tests of their quality find each page by its route."""


def serve(settings: Settings) -> None:
    """Serve API and console until the process is told to stop."""
    web_api.serve(settings, add_pages)


def add_pages(app: FastAPI) -> None:
    """Add every page, and what pages are made of, to web-api's ``app``."""
    assets = Assets.of_package()
    settings: Settings = app.state.parts.settings
    app.state.pages = Pages(assets, content_security_policy(settings))
    _answer_people(app)
    app.include_router(assets.router())
    for pages in PAGES:
        app.include_router(pages.router)
    for pages in _WITH_FORMS:
        app.include_router(pages.forms)


def _answer_people(app: FastAPI) -> None:
    """Tell on a page that there is none; programs are answered as web-api does."""
    as_problem: Any = app.exception_handlers[HTTPException]

    async def told(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code in {404, 405} and wants_page(request):
            return no_page(request)
        answer: Response = await as_problem(request, error)
        return answer

    app.add_exception_handler(HTTPException, told)

"""Builds the FastAPI application that every HTTP service starts from."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager

from fastapi import FastAPI
from pydantic import BaseModel, SecretStr

from opal import __version__
from opal.database.engine import Database
from opal.http import problem
from opal.http.health import Check, Refresh, health_routes
from opal.http.key_use import KeyUse
from opal.http.openapi import complete_document
from opal.http.request_context import RequestContext
from opal.http.request_limit import RequestLimit

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_service(
    service: str,
    title: str,
    description: str,
    *,
    database: Database,
    key_use: KeyUse,
    max_body_bytes: int,
    checks: Mapping[str, Check],
    metrics_key: SecretStr | None = None,
    refresh_metrics: Refresh | None = None,
    lifespan: Lifespan | None = None,
    unlimited_prefixes: tuple[str, ...] = (),
    documented_models: tuple[type[BaseModel], ...] = (),
) -> FastAPI:
    """An application with problems, limits, correlation ids and health routes, and nothing else yet.

    ``metrics_key`` and ``refresh_metrics`` are for ``/metrics``. ``unlimited_prefixes`` name the
    paths whose bodies the JSON limit does not concern, ``documented_models`` what OpenAPI should describe
    although no JSON body is made of it.
    """
    app = FastAPI(
        title=title,
        description=description,
        version=__version__,
        lifespan=lifespan,
        # The stock pages load their scripts from a CDN; /openapi.json serves any viewer.
        docs_url=None,
        redoc_url=None,
        # An address is right or wrong; a redirect would be built from the client's Host header.
        redirect_slashes=False,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.database = database
    app.state.key_use = key_use
    app.state.checks = checks
    problem.install(app)
    app.add_middleware(RequestLimit, max_bytes=max_body_bytes, exempt_prefixes=unlimited_prefixes)
    app.add_middleware(RequestContext, service=service)
    app.include_router(health_routes(checks, metrics_key, refresh_metrics))
    complete_document(app, documented_models)
    return app

"""Builds the FastAPI application that every HTTP service starts from."""

from collections.abc import Callable, Mapping
from contextlib import AbstractAsyncContextManager
from typing import Any

from fastapi import FastAPI

from opal import __version__
from opal.database.engine import Database
from opal.http import problem
from opal.http.body_limit import BodyLimit
from opal.http.health import Check, health_routes
from opal.http.problem import Problem
from opal.http.request_context import RequestContext

Lifespan = Callable[[FastAPI], AbstractAsyncContextManager[None]]


def build_service(
    service: str,
    title: str,
    description: str,
    *,
    database: Database,
    max_body_bytes: int,
    checks: Mapping[str, Check],
    lifespan: Lifespan | None = None,
    unlimited_prefix: str | None = None,
) -> FastAPI:
    """An application with problems, limits, correlation ids and health routes, and nothing else yet.

    ``unlimited_prefix`` names the paths whose bodies the JSON limit does not concern.
    """
    app = FastAPI(
        title=title,
        description=description,
        version=__version__,
        lifespan=lifespan,
        # The stock pages load their scripts from a CDN; /openapi.json serves any viewer.
        docs_url=None,
        redoc_url=None,
        generate_unique_id_function=lambda route: route.name,
    )
    app.state.database = database
    problem.install(app)
    app.add_middleware(BodyLimit, max_bytes=max_body_bytes, exempt_prefix=unlimited_prefix)
    app.add_middleware(RequestContext, service=service)
    app.include_router(health_routes(checks))
    _document_problems(app)
    return app


def _document_problems(app: FastAPI) -> None:
    """Put the Problem schema into OpenAPI and drop FastAPI's own error shape, which is never sent."""
    generate = app.openapi

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            document = generate()
            schemas = document.setdefault("components", {}).setdefault("schemas", {})
            schemas.pop("HTTPValidationError", None)
            schemas.pop("ValidationError", None)
            problem_schema = Problem.model_json_schema(ref_template="#/components/schemas/{model}")
            schemas.update(problem_schema.pop("$defs", {}))
            schemas["Problem"] = problem_schema
            app.openapi_schema = document
        return app.openapi_schema

    app.openapi = openapi  # type: ignore[method-assign]  # FastAPI's documented way to extend OpenAPI

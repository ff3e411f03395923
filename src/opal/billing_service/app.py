"""Puts billing-service together: the credits route and the health routes, nothing else.

Called by the command line.
"""

import asyncio

from fastapi import FastAPI
from pydantic import SecretStr

from opal.assembly import open_database
from opal.database.engine import Database
from opal.http.credits import router as credits_router
from opal.http.key_use import KeyUse
from opal.http.server import run_server
from opal.http.service import build_service
from opal.settings import Settings, WebSettings
from opal.telemetry import running


def serve(settings: Settings) -> None:
    """Bring the database up to date, then serve until the process is told to stop."""
    with running(settings, "billing-service"):
        asyncio.run(_serve(settings))


async def _serve(settings: Settings) -> None:
    async with open_database(settings) as database:
        app = create_app(database, settings.web, settings.telemetry.metrics_key)
        await run_server(app, settings.web, settings.web.billing_port)


def create_app(database: Database, settings: WebSettings, metrics_key: SecretStr | None = None) -> FastAPI:
    """The application on ``database``, which stays the caller's to close."""
    app = build_service(
        "billing-service",
        "Opal billing",
        "Credits of a tenant: balance, holds and the ledger behind them.",
        database=database,
        # In Azure it may only read, so it counts for itself.
        key_use=KeyUse(settings, None),
        max_body_bytes=settings.max_body_bytes,
        checks={"database": database.check},
        metrics_key=metrics_key,
    )
    app.include_router(credits_router)
    return app

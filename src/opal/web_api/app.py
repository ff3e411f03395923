"""Puts web-api together: the routes, what they share, and the loops that run beside them.

Called by the command line.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Mapping, Sequence
from contextlib import asynccontextmanager

from fastapi import FastAPI

from opal.assembly import Parts, build_parts, build_sealer
from opal.blobs.folder import FolderBlobs
from opal.database.migrate import migrate
from opal.decoder.client import start_decoder
from opal.delivery_sender.sender import DeliverySender
from opal.destinations.opening import Destinations
from opal.errors import InvalidSettings
from opal.heap import limit_heaps
from opal.http.credits import router as credits_router
from opal.http.exposure import is_loopback
from opal.http.key_use import KeyUse
from opal.http.server import run_server
from opal.http.service import build_service
from opal.http.sessions import Sessions
from opal.messages.webhook_event import WebhookEvent
from opal.operations.services import OtherServices
from opal.outgoing.client import Outgoing
from opal.settings import Settings
from opal.telemetry import running
from opal.web_api import (
    archive,
    backdrop_previews,
    backdrops,
    blobs,
    brand_profiles,
    deliveries,
    delivery_targets,
    engines,
    events,
    item_pictures,
    item_previews,
    job_reports,
    jobs,
    keys,
    mattes,
    operations,
    picture_deliveries,
    presets,
    public_links,
    public_pictures,
    rembg,
    removebg,
    removebg_improve,
    results_table,
    rework,
    scene_previews,
    scenes,
    tenant_data,
    uploads,
    variants,
    webhooks,
)
from opal.web_api.backdrop_check import BackdropCheck
from opal.web_api.blob_answer import Pace
from opal.web_api.engines import engines_of
from opal.web_api.event_tail import EventTail
from opal.web_api.matte_check import MatteCheck
from opal.web_api.photo_check import PhotoCheck
from opal.web_api.preview_work import PreviewWork
from opal.web_api.removebg_work import Studio
from opal.web_api.shown_pictures import ShownPictures
from opal.web_api.stock import Stock
from opal.web_api.webhook_docs import describe_webhooks
from opal.webhook_sender.sender import WebhookSender

# A photo that must be read whole may be 60 MB: two at a time bound the memory.
_PHOTOS_AT_A_TIME = 2

_DESCRIPTION = (
    "Raw product photos in, marketplace-ready pictures out. Create a job, upload its photos to signed URLs, "
    "follow it, download pictures and reports. Errors are problems (RFC 9457) with a stable `code`."
)

_IN_STREAMS = (
    events.ItemChange,
    events.JobChange,
    scene_previews.CutoutLine,
    scene_previews.PreviewLine,
    WebhookEvent,
)
"""Models that no body names, as they come in streams or are sent by ourselves."""

AddPages = Callable[[FastAPI], None]
"""Adds routes for people beside the API's, as the console does."""


def serve(settings: Settings, add_pages: AddPages) -> None:
    """Bring the database up to date, then serve until the process is told to stop."""
    limit_heaps()
    with running(settings, "web-api"):
        start_decoder()
        asyncio.run(_serve(settings, add_pages))


async def _serve(settings: Settings, add_pages: AddPages) -> None:
    parts = build_parts(settings)
    try:
        await migrate(parts.database)
        app = create_app(parts)
        add_pages(app)
        await run_server(app, settings.web, settings.web.port, on_stop=app.state.event_tail.stop)
    finally:
        await parts.close()


def create_app(parts: Parts) -> FastAPI:
    """The application on ``parts``, which stay the caller's to close.

    Raises ``InvalidSettings`` where others could reach what needs no key, and ``UnknownEngine``.
    """
    settings = parts.settings
    _refuse_to_be_open(settings)
    outgoing = Outgoing(settings.outgoing)
    destinations = Destinations(settings.delivery, outgoing)
    sealer = build_sealer(settings)
    webhook_sender = WebhookSender(parts.database, outgoing, sealer, settings.webhook)
    delivery_sender = DeliverySender(parts.database, parts.blobs, destinations, sealer, settings.delivery)
    studio = Studio(parts, outgoing)
    preview_work, others = PreviewWork(parts), OtherServices(settings.telemetry.service_addresses)
    app = build_service(
        "web-api",
        "Opal",
        _DESCRIPTION,
        database=parts.database,
        key_use=KeyUse(settings.web, parts.database),
        max_body_bytes=settings.web.max_body_bytes,
        checks=parts.checks,
        metrics_key=settings.telemetry.metrics_key,
        refresh_metrics=Stock(parts.database, parts.queues).take,
        lifespan=lambda _app: _loops(
            {
                "outbox-relay-loop": parts.relay.run,
                "sweeper-loop": parts.sweeper.run,
                "upkeep-loop": parts.upkeep.run,
                "webhook-sender-loop": webhook_sender.run,
                "delivery-sender-loop": delivery_sender.run,
            },
            (studio.close, preview_work.close, others.close, destinations.close, outgoing.close),
        ),
        # Blobs and the bodies of pictures made at once have limits of their own.
        unlimited_prefixes=(blobs.PREFIX, removebg.PREFIX, rembg.PREFIX),
        documented_models=_IN_STREAMS,
    )
    app.state.parts, app.state.outgoing = parts, outgoing
    app.state.studio, app.state.engines = studio, engines_of(settings.scoring)
    app.state.preview_work = preview_work
    app.state.other_services = others
    app.state.destinations = destinations
    app.state.sealer = sealer
    app.state.sessions = Sessions(sealer, settings.web.port, secure=not is_loopback(settings.web.host))
    app.state.webhook_sender = webhook_sender
    app.state.event_tail = EventTail(parts.database)
    app.state.backdrop_check = BackdropCheck(parts.blobs, settings.photo)
    app.state.matte_check = MatteCheck(parts.blobs, settings.photo)
    app.state.previews = job_reports.Previews(parts.blobs)
    app.state.shown_pictures = ShownPictures(parts.blobs, settings.photo)
    app.state.public_pace = Pace(settings.web.public_downloads)
    app.state.photo_check = PhotoCheck(parts.blobs, settings.photo, asyncio.Semaphore(_PHOTOS_AT_A_TIME))
    _add_routes(app, parts)
    describe_webhooks(app)
    return app


def _refuse_to_be_open(settings: Settings) -> None:
    """Routes that need no key are for this machine alone."""
    if settings.removebg.open_tenant is not None and not is_loopback(settings.web.host):
        raise InvalidSettings(
            "OPAL_REMOVEBG_OPEN_TENANT: lets /api/remove work without a key, and "
            f"{settings.web.host} can be reached from other machines."
        )


def _add_routes(app: FastAPI, parts: Parts) -> None:
    """Every resource; those of remove.bg last, as they answer whatever is under their prefix."""
    for resource in (jobs, uploads, backdrops, events, variants, archive, presets, scenes, job_reports):
        app.include_router(resource.router)
    for resource in (backdrop_previews, brand_profiles, item_pictures, item_previews):
        app.include_router(resource.router)
    for resource in (webhooks, deliveries, delivery_targets, picture_deliveries):
        app.include_router(resource.router)
    app.include_router(engines.router)
    app.include_router(results_table.router)
    app.include_router(mattes.router)
    app.include_router(rework.router)
    app.include_router(scenes.thumbnail_router)
    app.include_router(scene_previews.router)
    app.include_router(public_links.router)
    for resource in (keys, tenant_data, operations):
        app.include_router(resource.router)
    app.include_router(public_pictures.router)
    app.include_router(credits_router)
    if isinstance(parts.blobs, FolderBlobs):
        app.include_router(blobs.blob_routes(parts.blobs, parts.settings.photo.max_bytes))
    app.include_router(removebg.router)
    app.include_router(removebg_improve.router)
    app.include_router(rembg.router)
    app.include_router(removebg.no_such_route())


@asynccontextmanager
async def _loops(
    loops: Mapping[str, Callable[[asyncio.Event], Coroutine[None, None, None]]],
    closing: Sequence[Callable[[], Awaitable[None]]],
) -> AsyncIterator[None]:
    """The relay's loop for left-overs, the sweeper and the senders of webhooks and pictures live here.

    web-api is the part that is always on. When they have ended, what they used is closed, in order.
    """
    stop = asyncio.Event()
    async with asyncio.TaskGroup() as group:
        for name, run in loops.items():
            group.create_task(run(stop), name=name)
        try:
            yield
        finally:
            stop.set()
    for close in closing:
        await close()

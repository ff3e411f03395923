"""A database with one tenant and its webhooks, and senders on it, for the tests of the sender."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import update
from standardwebhooks import Webhook as Verifier
from tests.services.http_services import migrated
from tests.services.webhook_receiver import Received

from opal.database import deliveries, items, jobs, keys, ledger, webhooks
from opal.database.deliveries import Delivery
from opal.database.engine import Database, utc_now
from opal.database.tables import webhook_deliveries
from opal.database.tables import webhooks as webhook_table
from opal.database.webhooks import Webhook
from opal.items.item import Recipe
from opal.items.states import ItemState
from opal.messages.webhook_event import EventType
from opal.outgoing.client import Outgoing
from opal.outgoing_settings import OutgoingSettings, WebhookSettings
from opal.sealing import Sealer
from opal.settings import load_settings
from opal.webhook_sender.sender import WebhookSender

TENANT = "acme"
SEALER = Sealer(["A" * 43 + "="])
RECIPE = Recipe(scene="white", placement={}, presets=("square-1x1",), prompt="", seed=0)


@dataclass(slots=True)
class Hooks:
    """A database with one tenant, and senders on it."""

    database: Database
    outgoing: Outgoing
    secrets: dict[str, str]

    def sender(self, **settings: Any) -> WebhookSender:
        return WebhookSender(
            self.database,
            self.outgoing,
            SEALER,
            WebhookSettings(**{"timeout_s": 5.0, "poll_s": 0.05, **settings}),
        )

    async def endpoint(self, url: str) -> Webhook:
        async with self.database.transaction() as connection:
            made, secret = await webhooks.create_webhook(
                connection, SEALER, TENANT, url, (EventType.ITEM_COMPLETED,), most=100
            )
        self.secrets[made.id] = secret
        return made

    async def complete(self, count: int = 1) -> list[str]:
        """Complete so many items of a new job, each a delivery to every endpoint; returns their ids."""
        async with self.database.transaction() as connection:
            new = [jobs.NewItem(f"{number}.jpg") for number in range(count)]
            _, made = await jobs.create_job(connection, TENANT, RECIPE, new, name="", correlation_id="c-1")
            for each in made:
                item = each
                for step in (ItemState.UPLOADED, ItemState.PROCESSING, ItemState.COMPLETED):
                    item = await items.move(connection, item, step, by="test")
        return [item.id for item in made]

    async def deliveries(self, hook: Webhook) -> list[Delivery]:
        async with self.database.read() as connection:
            return await deliveries.list_deliveries(connection, hook.id, 1000)

    async def hook(self, hook: Webhook) -> Webhook:
        async with self.database.read() as connection:
            return await webhooks.tenant_webhook(connection, TENANT, hook.id)

    async def let_time_pass(self, days: float = 4) -> None:
        """Everything that waits is due, and every failure as long ago."""
        past = utc_now() - timedelta(days=days)
        async with self.database.transaction() as connection:
            await connection.execute(update(webhook_deliveries).values(next_at=past, claimed_until=None))
            await connection.execute(update(webhook_table).values(not_before=past))
            failing = webhook_table.c.failing_since.is_not(None)
            await connection.execute(update(webhook_table).where(failing).values(failing_since=past))

    def verified(self, hook: Webhook, request: Received) -> Any:
        return Verifier(self.secrets[hook.id]).verify(request.body, request.headers)


@asynccontextmanager
async def hooks_in(folder: Path) -> AsyncIterator[Hooks]:
    """With one tenant; afterwards everything is closed."""
    settings = load_settings(data_dir=folder)
    await migrated(settings)
    database = Database(settings.database_url, settings.database)
    async with database.transaction() as connection:
        await keys.ensure_tenant(connection, TENANT, "Acme")
        await ledger.grant(connection, TENANT, 1000)
    outgoing = Outgoing(OutgoingSettings(private_addresses="allow"))
    try:
        yield Hooks(database, outgoing, {})
    finally:
        await outgoing.close()
        await database.close()


@asynccontextmanager
async def running(sender: WebhookSender) -> AsyncIterator[None]:
    stop = asyncio.Event()
    loop = asyncio.create_task(sender.run(stop))
    try:
        yield
    finally:
        stop.set()
        await loop

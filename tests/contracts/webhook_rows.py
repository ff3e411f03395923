"""Webhooks and what they are told, as rows of a database: for the contracts of both."""

from tests.contracts.tenants import TENANT

from opal.database import deliveries, items, jobs, webhooks
from opal.database.deliveries import Delivery, Due
from opal.database.engine import Database, utc_now
from opal.database.webhooks import Webhook
from opal.items.item import Item, Recipe
from opal.items.states import ItemState
from opal.messages.webhook_event import EventType
from opal.sealing import Sealer

SEALER = Sealer(["A" * 43 + "="])
ALL = tuple(EventType)
URL = "https://shop.example/hook"
_S = ItemState


async def endpoint(
    database: Database, events: tuple[EventType, ...] = ALL, tenant: str = TENANT, most: int = 10
) -> Webhook:
    async with database.transaction() as connection:
        made, secret = await webhooks.create_webhook(connection, SEALER, tenant, URL, events, most=most)
    assert secret.startswith("whsec_")
    return made


async def new_items(database: Database, count: int = 1, state: ItemState = _S.PROCESSING) -> list[Item]:
    """Items of one job, all in ``state``."""
    recipe = Recipe(scene="white", placement={}, presets=("square-1x1",), prompt="", seed=0)
    way = (_S.CREATED, _S.UPLOADED, _S.PROCESSING, _S.COMPLETED)
    async with database.transaction() as connection:
        new = [jobs.NewItem(f"{number}.jpg", "SKU") for number in range(count)]
        _, made = await jobs.create_job(connection, TENANT, recipe, new, name="mugs", correlation_id="c-1")
        moved = []
        for each in made:
            item = each
            for step in way[1 : way.index(state) + 1]:
                item = await items.move(connection, item, step, by="test")
            moved.append(item)
    return moved


async def listed(database: Database, webhook: Webhook) -> list[Delivery]:
    async with database.read() as connection:
        return await deliveries.list_deliveries(connection, webhook.id, 1000)


async def claim(database: Database, webhook: Webhook, limit: int = 10, claim_s: float = 60.0) -> list[Due]:
    async with database.transaction() as connection:
        return await deliveries.claim(connection, webhook.id, limit, now=utc_now(), claim_s=claim_s)


async def told(database: Database, count: int = 1) -> Webhook:
    """An endpoint with ``count`` deliveries."""
    hook = await endpoint(database, (EventType.ITEM_COMPLETED,))
    await new_items(database, count, _S.COMPLETED)
    return hook

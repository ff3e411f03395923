"""The sender's signatures and tests: with every secret that signs, at once, and never without one."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy import select, update
from standardwebhooks import Webhook as Verifier
from tests.services.webhook_hooks import SEALER, TENANT, Hooks, hooks_in, running
from tests.services.webhook_receiver import Receiver, answer, listening

from opal.database import webhooks
from opal.database.engine import utc_now
from opal.database.tables import webhooks as webhook_table
from opal.items.states import ItemState
from opal.messages.webhook_event import EventType, ItemNews, WebhookEvent
from opal.outgoing_settings import WebhookSettings
from opal.sealing import Sealer
from opal.webhook_sender.sender import WebhookSender

NEWS = ItemNews(
    job_id="job_1",
    item_id="item_1",
    filename="mug.jpg",
    sku="MUG-01",
    state=ItemState.EXPORTED,
    review=False,
    error=None,
    correlation_id="",
)


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[Hooks]:
    async with hooks_in(tmp_path) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as running:
        yield running


async def test_a_rotated_secret_leaves_no_gap(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    old = hooks.secrets[hook.id]
    async with hooks.database.transaction() as connection:
        _, new = await webhooks.rotate_secret(connection, SEALER, TENANT, hook.id, old_for=timedelta(hours=1))
    await hooks.complete()
    await hooks.sender().deliver_due()
    [request] = receiver.received
    for secret in (old, new):
        Verifier(secret).verify(request.body, request.headers)


async def test_a_test_is_sent_at_once_once_and_counts_for_nothing(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    sender = hooks.sender(timeout_s=0.5)
    event = WebhookEvent(type=EventType.ITEM_EXPORTED, timestamp=utc_now(), test=True, data=NEWS)
    arrived = await sender.send_test(TENANT, hook.id, event)
    assert (arrived.state, arrived.last_status, arrived.test) == ("delivered", 204, True)
    told = hooks.verified(hook, receiver.received[0])
    assert (told["type"], told["test"], told["data"]["sku"]) == ("item.exported", True, "MUG-01")
    for said, status, reason in (
        (answer(410), 410, "It answered 410 Gone."),
        (answer(302, "Location: http://127.0.0.1:1/"), 302, "It answered 302; redirects are not followed."),
        (None, None, "No answer within 0.5 s."),
    ):
        receiver.say = said
        failed = await sender.send_test(TENANT, hook.id, event)
        assert (failed.state, failed.attempts) == ("failed", 1)
        assert (failed.last_status, failed.last_error) == (status, reason)
    seen = await hooks.hook(hook)
    assert (seen.state, seen.failures) == ("active", 0)
    # Each is an event of its own, and nothing of it is left to send.
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 4
    await hooks.let_time_pass()
    assert await sender.deliver_due() == 0
    # With another key nothing can be signed, and nothing is sent.
    stranger = WebhookSender(hooks.database, hooks.outgoing, Sealer(["B" * 42 + "A="]), WebhookSettings())
    unsigned = await stranger.send_test(TENANT, hook.id, event)
    assert "sealed with a key" in str(unsigned.last_error)
    assert len(receiver.received) == 4


async def test_readable_secrets_are_sealed_when_the_sender_starts(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    hooks.secrets[hook.id] = plain = "whsec_" + "A" * 43 + "="
    async with hooks.database.transaction() as connection:
        await connection.execute(update(webhook_table).values(sealed=None, secret=plain))
    async with running(hooks.sender()):
        await hooks.complete()
        await receiver.wait_for(1)
    hooks.verified(hook, receiver.received[0])
    async with hooks.database.read() as connection:
        assert plain not in str((await connection.execute(select(webhook_table))).all())

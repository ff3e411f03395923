"""The sender on a real database, to real receivers that verify, refuse, redirect, hang and go away."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from standardwebhooks import Webhook as Verifier
from standardwebhooks import WebhookVerificationError
from tests.services.webhook_hooks import SEALER, TENANT, Hooks, hooks_in, running
from tests.services.webhook_receiver import OK, Receiver, answer, listening

from opal.database import deliveries, keys, ledger, webhooks
from opal.database.engine import Database, utc_now
from opal.database.migrate import migrate
from opal.outgoing.client import Outgoing
from opal.outgoing_settings import OutgoingSettings, WebhookSettings
from opal.settings import load_settings
from opal.webhook_sender.sender import WebhookSender

SLOW_S = 4.0
"""A wait is planned before the try is written down, which takes a busy machine its time."""


@pytest.fixture
async def hooks(tmp_path: Path) -> AsyncIterator[Hooks]:
    async with hooks_in(tmp_path) as made:
        yield made


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with listening() as running:
        yield running


async def test_a_receiver_can_verify_what_it_got(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    [item_id] = await hooks.complete()
    assert await hooks.sender().deliver_due() == 1
    [request] = receiver.received
    told = hooks.verified(hook, request)
    assert (told["type"], told["data"]["item_id"]) == ("item.completed", item_id)
    assert request.line == "POST /hook HTTP/1.1"
    assert request.headers["content-type"] == "application/json"
    [delivery] = await hooks.deliveries(hook)
    assert request.headers["webhook-id"] == delivery.event_id
    assert (delivery.state, delivery.attempts, delivery.last_status) == ("delivered", 1, 204)
    assert await hooks.sender().deliver_due() == 0
    with pytest.raises(WebhookVerificationError):
        Verifier(hooks.secrets[hook.id]).verify(request.body + b" ", request.headers)


async def test_two_endpoints_get_the_same_event_under_secrets_of_their_own(
    hooks: Hooks, receiver: Receiver
) -> None:
    first, second = await hooks.endpoint(receiver.url), await hooks.endpoint(receiver.url + "/2")
    await hooks.complete()
    assert await hooks.sender().deliver_due() == 2
    by_path = {request.line.split()[1]: request for request in receiver.received}
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    hooks.verified(first, by_path["/hook"])
    hooks.verified(second, by_path["/hook/2"])
    with pytest.raises(WebhookVerificationError):
        hooks.verified(first, by_path["/hook/2"])


@pytest.mark.parametrize(
    ("said", "status", "reason"),
    [
        (answer(500), 500, "It answered 500."),
        (answer(404), 404, "It answered 404."),
        (answer(302, "Location: http://127.0.0.1:1/"), 302, "It answered 302; redirects are not followed."),
        (b"nonsense\r\n\r\n", None, "It closed the connection without an answer"),
    ],
)
async def test_a_failure_is_tried_again_under_the_same_id_with_a_new_timestamp(
    hooks: Hooks, receiver: Receiver, said: bytes, status: int | None, reason: str
) -> None:
    hook = await hooks.endpoint(receiver.url)
    await hooks.complete()
    receiver.say = said
    sender = hooks.sender()
    await sender.deliver_due()
    [failed] = await hooks.deliveries(hook)
    assert (failed.state, failed.attempts, failed.last_status) == ("waiting", 1, status)
    assert failed.last_error is not None
    assert failed.last_error.startswith(reason)
    assert failed.last_at is not None
    wait = (failed.next_at - failed.last_at).total_seconds()
    assert 5 - SLOW_S <= wait <= 5.6
    assert (await hooks.hook(hook)).failures == 1
    assert await sender.deliver_due() == 0
    receiver.say = OK
    await asyncio.sleep(1.1 - utc_now().microsecond / 1e6)
    await hooks.let_time_pass()
    await sender.deliver_due()
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert first.body == second.body
    assert int(first.headers["webhook-timestamp"]) < int(second.headers["webhook-timestamp"])
    hooks.verified(hook, second)
    [delivered] = await hooks.deliveries(hook)
    assert (delivered.state, delivered.attempts, delivered.last_error) == ("delivered", 2, None)
    assert (await hooks.hook(hook)).failures == 0


async def test_the_schedule_ends_after_ten_tries(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    await hooks.complete()
    receiver.say = answer(500)
    sender = hooks.sender(max_failures=1000)
    waits = []
    for _ in range(12):
        await sender.deliver_due()
        [delivery] = await hooks.deliveries(hook)
        assert delivery.last_at is not None
        waits.append((delivery.next_at - delivery.last_at).total_seconds())
        if delivery.state == "failed":
            break
        await hooks.let_time_pass()
    assert len(receiver.received) == 10
    planned = [5, 300, 1800, 7200, 18000, 36000, 50400, 72000, 86400]
    assert all(plan - SLOW_S <= wait <= plan * 1.11 for plan, wait in zip(planned, waits[:-1], strict=True))
    assert (delivery.state, delivery.attempts) == ("failed", 10)
    await hooks.let_time_pass()
    assert await sender.deliver_due() == 0
    # A replay sends the same event again.
    receiver.say = OK
    async with hooks.database.transaction() as connection:
        await deliveries.replay(connection, hook.id, delivery.id)
    await sender.deliver_due()
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 1
    assert [each.state for each in await hooks.deliveries(hook)] == ["delivered"]


async def test_gone_disables_at_once_and_enabling_sends_what_waited(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    receiver.say = answer(410)
    await hooks.complete(3)
    sender = hooks.sender(per_endpoint=1)
    await sender.deliver_due()
    assert len(receiver.received) == 1
    disabled = await hooks.hook(hook)
    assert (disabled.state, disabled.disabled_reason) == ("disabled", "It answered 410 Gone.")
    await hooks.let_time_pass()
    assert await sender.deliver_due() == 0
    async with hooks.database.transaction() as connection:
        await webhooks.enable_webhook(connection, TENANT, hook.id)
    receiver.say = OK
    while await sender.deliver_due():
        pass
    assert sorted(each.state for each in await hooks.deliveries(hook)) == ["delivered", "delivered", "failed"]


async def test_repeated_failure_that_lasts_disables(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    await hooks.complete()
    receiver.say = answer(503)
    sender = hooks.sender(max_failures=3)
    for _ in range(2):
        await sender.deliver_due()
        assert (await hooks.hook(hook)).state == "active"
        await hooks.let_time_pass()
    await sender.deliver_due()
    disabled = await hooks.hook(hook)
    assert disabled.state == "disabled"
    assert disabled.disabled_reason == "3 tries in a row failed, the last one: It answered 503."


async def test_an_endpoint_that_is_away_costs_its_deliveries_nothing(
    hooks: Hooks, receiver: Receiver
) -> None:
    hook = await hooks.endpoint(receiver.url)
    receiver.say = answer(429, "Retry-After: 60")
    await hooks.complete(50)
    sender = hooks.sender()
    for _ in range(5):
        await sender.deliver_due()
    # A few that were under way together; then it is left alone, as long as it asked for.
    assert len(receiver.received) == 4
    assert sum(each.attempts == 0 for each in await hooks.deliveries(hook)) == 46
    async with hooks.database.read() as connection:
        for seconds, due in ((55, []), (65, [(hook.id, 4)])):
            at = utc_now() + timedelta(seconds=seconds)
            assert await deliveries.due_webhooks(connection, at, 9) == due
    await hooks.let_time_pass()
    assert await sender.deliver_due() == 1


async def test_a_private_address_is_not_called(hooks: Hooks, receiver: Receiver) -> None:
    # Made while it was public, or while the settings allowed it.
    hook = await hooks.endpoint(receiver.url.replace("http://127.0.0.1", "https://localhost"))
    other = await hooks.endpoint("https://169.254.169.254/latest/meta-data")
    await hooks.complete()
    strict = Outgoing(OutgoingSettings(private_addresses="refuse"))
    sender = WebhookSender(hooks.database, strict, SEALER, WebhookSettings())
    assert await sender.deliver_due() == 2
    assert receiver.connections == 0
    for each in (hook, other):
        [delivery] = await hooks.deliveries(each)
        assert (delivery.state, delivery.last_status) == ("waiting", None)
        assert (await hooks.hook(each)).failures == 1
    assert delivery.last_error == "169.254.169.254 leads to an address that may not be called."
    await strict.close()


async def test_one_that_hangs_holds_up_nobody_else(hooks: Hooks, receiver: Receiver) -> None:
    async with listening() as hanging:
        hanging.say = None
        stuck = await hooks.endpoint(hanging.url)
        await hooks.endpoint(receiver.url)
        async with running(hooks.sender(timeout_s=30)):
            await hooks.complete(20)
            await hanging.wait_for(4)
            await receiver.wait_for(20, 25)
        assert (hanging.connections, hanging.most_open) == (4, 4)
        assert receiver.most_open <= 4
    assert {each.attempts for each in await hooks.deliveries(stuck)} == {0}


async def test_many_senders_send_each_delivery_once(hooks: Hooks, receiver: Receiver) -> None:
    await hooks.endpoint(receiver.url)
    async with running(hooks.sender()), running(hooks.sender()), running(hooks.sender()):
        await hooks.complete(60)
        await receiver.wait_for(60)
    assert len({request.headers["webhook-id"] for request in receiver.received}) == 60
    assert len(receiver.received) == 60


async def test_a_sender_that_died_is_made_up_for(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    await hooks.complete()
    receiver.say = None
    sender = hooks.sender()
    dying = asyncio.create_task(sender.deliver_due())
    await receiver.wait_for(1)
    dying.cancel()
    await asyncio.gather(dying, return_exceptions=True)
    [delivery] = await hooks.deliveries(hook)
    assert (delivery.state, delivery.attempts) == ("waiting", 0)
    other = hooks.sender()
    assert await other.deliver_due() == 0
    await hooks.let_time_pass()
    receiver.say = OK
    assert await other.deliver_due() == 1
    first, second = receiver.received
    assert first.headers["webhook-id"] == second.headers["webhook-id"]
    assert [each.state for each in await hooks.deliveries(hook)] == ["delivered"]


async def test_stopping_does_not_wait_for_one_that_hangs(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    receiver.say = None
    await hooks.complete()
    async with asyncio.timeout(6), running(hooks.sender(timeout_s=30)):
        await receiver.wait_for(1)
    assert [each.attempts for each in await hooks.deliveries(hook)] == [0]


async def test_the_loop_outlives_a_database_that_is_not_ready(tmp_path: Path, receiver: Receiver) -> None:
    settings = load_settings(data_dir=tmp_path / "empty")
    late = Hooks(
        Database(settings.database_url, settings.database),
        Outgoing(OutgoingSettings(private_addresses="allow")),
        {},
    )
    async with running(late.sender()):
        await asyncio.sleep(0.2)
        await migrate(late.database)
        async with late.database.transaction() as connection:
            await keys.ensure_tenant(connection, TENANT, "Acme")
            await ledger.grant(connection, TENANT, 10)
        await late.endpoint(receiver.url)
        await late.complete()
        await receiver.wait_for(1)
    await late.outgoing.close()
    await late.database.close()


async def test_an_answer_of_any_size_is_not_read(hooks: Hooks, receiver: Receiver) -> None:
    hook = await hooks.endpoint(receiver.url)
    receiver.say, receiver.forever = b"HTTP/1.1 200 OK\r\n\r\n", b"x" * 10_000
    await hooks.complete()
    await hooks.sender().deliver_due()
    assert [each.state for each in await hooks.deliveries(hook)] == ["delivered"]


@pytest.fixture(autouse=True)
def _no_secret_in_a_log(hooks: Hooks, capsys: pytest.CaptureFixture[str]) -> Iterator[None]:
    yield
    written = "".join(capsys.readouterr())
    assert "whsec_" not in written
    assert "/hook" not in written

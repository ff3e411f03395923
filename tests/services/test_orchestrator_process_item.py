"""The orchestrator's stage, delivery by delivery, with a real endpoint on a socket."""

import base64
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from pydantic import SecretStr
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from tests.services.pipeline_world import GRANTED, World, delivery, matte_png, world_in
from tests.services.scripted_endpoint import META, Answer, Endpoint, ok, own_error, refusing, serving
from tests.services.stored_backdrops import forget_backdrop, stored_backdrop

from opal.database import items, jobs, ledger
from opal.database.engine import utc_now
from opal.database.items import Stage
from opal.errors import BlobNotFound
from opal.items.item import Item
from opal.items.states import ItemState
from opal.messages.job_message import JobMessage
from opal.messages.scoring_contract import ScoreRequest
from opal.orchestrator.app import build_stage
from opal.platform_settings import BlobSettings, QueueSettings
from opal.scoring_client.client import ScoringClient
from opal.settings import ScoringSettings, WorkerSettings
from opal.worker.item_stage import ItemStage
from opal.worker.settlement import Dead, Done, Later

MAX_FAILURES = 3
MAX_DELIVERIES = 6


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    worker = WorkerSettings(lease_s=30, max_failures=MAX_FAILURES, retry_base_s=0.5)
    queue = QueueSettings(max_delivery_count=MAX_DELIVERIES)
    async with world_in(tmp_path, worker=worker, queue=queue) as world:
        yield world


def storing(world: World, confidence: float = 0.9) -> Answer:
    """What the true endpoint does: it stores both pictures itself and answers with meta only."""

    async def answer(request: Request) -> Response:
        wanted = ScoreRequest.model_validate_json(await request.body())
        assert wanted.output_sas is not None
        for url in (wanted.output_sas.scene, wanted.output_sas.matte):
            path = urlsplit(url).path.removeprefix("/blobs/outputs/")
            await world.parts.blobs.write("outputs", path, matte_png(), content_type="image/png")
        return JSONResponse({"meta": {**META, "confidence": confidence}})

    return answer


def after(first: Callable[[], Awaitable[object]], then: Answer) -> Answer:
    """``then``'s answer, after something else has happened meanwhile."""

    async def answer(request: Request) -> Response:
        await first()
        return await then(request)

    return answer


@dataclass(frozen=True, slots=True)
class Orchestrator:
    stage: ItemStage[JobMessage]
    endpoint: Endpoint

    async def deliver(self, item: Item, count: int = 1) -> Done | Later | Dead:
        return await self.stage.handle(JobMessage.of(item), delivery(count))


@asynccontextmanager
async def orchestrator(world: World, *script: Answer) -> AsyncIterator[Orchestrator]:
    async with serving(Endpoint(*script)) as endpoint:
        settings = ScoringSettings(url=endpoint.url, key=SecretStr("k"), attempts=1)
        scoring = ScoringClient(settings, first_wait_s=0.01, longest_wait_s=0.01)
        try:
            yield Orchestrator(build_stage(world.parts, scoring), endpoint)
        finally:
            await scoring.close()
            await world.parts.relay.close()


async def test_an_item_is_completed_charged_and_sent_on_in_one_go(world: World) -> None:
    [item] = await world.queued()
    async with orchestrator(world, storing(world)) as worker:
        assert await worker.deliver(item) == Done()
    done = await world.item(item.id)
    assert (done.state, done.attempt, done.lease_until) == (ItemState.COMPLETED, 1, None)
    assert done.meta["confidence"] == META["confidence"]
    assert done.scene_path is not None
    assert done.scene_path.endswith("/outputs/1-scene.png")
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED - 1, 0)
    assert await world.message_ids("exports") == [f"{item.id}:0"]
    seconds = (await world.story(item))[-1].details["seconds"]
    assert set(seconds) == {"verify_photo", "sign_urls", "ask_endpoint", "store_outputs", "verify_outputs"}


@pytest.mark.parametrize(("confidence", "review"), [(0.79, True), (0.8, False)])
async def test_a_doubtful_cut_out_is_marked_and_goes_on_like_any_other(
    world: World, confidence: float, review: bool
) -> None:
    [item] = await world.queued()
    async with orchestrator(world, storing(world, confidence)) as worker:
        assert await worker.deliver(item) == Done()
    done = await world.item(item.id)
    assert (done.state, done.review) == (ItemState.COMPLETED, review)
    assert bool((await world.story(item))[-1].details.get("review")) is review
    assert await world.message_ids("exports") == [f"{item.id}:0"]
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED - 1, 0)


async def test_the_endpoint_is_told_the_whole_recipe(world: World) -> None:
    [item] = await world.queued()
    async with orchestrator(world, storing(world)) as worker:
        await worker.deliver(item)
    [body] = worker.endpoint.bodies
    sent = ScoreRequest.model_validate_json(body)
    assert (sent.tenant_id, sent.job_id, sent.item_id) == (item.tenant_id, item.job_id, item.id)
    assert (sent.scene, sent.placement, sent.seed) == ("white", {}, 5)
    assert "/blobs/raw/" in sent.input_image_sas
    assert worker.endpoint.requests[0].headers["x-correlation-id"] == "corr-1"


async def test_a_backdrop_travels_as_a_url_of_its_own(world: World) -> None:
    made = await stored_backdrop(world.parts)
    [item] = await world.queued(scene=made.scene)
    async with orchestrator(world, storing(world)) as worker:
        assert await worker.deliver(item) == Done()
    sent = ScoreRequest.model_validate_json(worker.endpoint.bodies[0])
    assert sent.scene == made.scene
    assert sent.backdrop_image_sas is not None
    url = urlsplit(sent.backdrop_image_sas)
    assert url.path == f"/blobs/raw/{made.path}"
    assert parse_qs(url.query)["sp"] == ["r"]


async def test_an_item_whose_backdrop_is_gone_ends_with_a_code_and_costs_nothing(world: World) -> None:
    made = await stored_backdrop(world.parts)
    [item] = await world.queued(scene=made.scene)
    await forget_backdrop(world.parts, made)
    async with orchestrator(world, storing(world)) as worker:
        assert await worker.deliver(item) == Done()
        assert worker.endpoint.bodies == []
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "unknown_backdrop")
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED, 0)


@pytest.mark.parametrize("when", ["before the endpoint is asked", "while the endpoint works"])
async def test_a_photo_that_is_replaced_fails_the_item_and_costs_nothing(world: World, when: str) -> None:
    [item] = await world.queued()

    async def replace() -> None:
        assert item.raw_path is not None
        await world.parts.blobs.write("raw", item.raw_path, b"x", content_type="image/jpeg", overwrite=True)

    answer = storing(world)
    if when.startswith("before"):
        await replace()
    else:
        answer = after(replace, answer)
    async with orchestrator(world, answer) as worker:
        assert await worker.deliver(item) == Done()
    assert bool(worker.endpoint.bodies) is when.startswith("while")
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "photo_changed")
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED, 0)


@pytest.mark.parametrize("fault", ["gone", "replaced"])
async def test_a_backdrop_whose_picture_is_lost_is_not_sent_to_the_endpoint(world: World, fault: str) -> None:
    made = await stored_backdrop(world.parts)
    [item] = await world.queued(scene=made.scene)
    if fault == "gone":
        await world.parts.blobs.delete("raw", made.path)
    else:
        await world.parts.blobs.write("raw", made.path, b"x", content_type="image/png", overwrite=True)
    async with orchestrator(world, storing(world)) as worker:
        assert isinstance(await worker.deliver(item), Later)
        assert worker.endpoint.bodies == []
    assert (await world.story(item))[-1].code == "stored_picture_unusable"


async def test_the_endpoints_urls_outlast_those_of_clients(tmp_path: Path) -> None:
    async with world_in(tmp_path, blob=BlobSettings(url_lifetime_s=1)) as world:
        [item] = await world.queued()
        async with orchestrator(world, storing(world)) as worker:
            assert await worker.deliver(item) == Done()
        sent = ScoreRequest.model_validate_json(worker.endpoint.bodies[0])
    assert sent.output_sas is not None
    for url in (sent.input_image_sas, sent.output_sas.scene, sent.output_sas.matte):
        ends = int(parse_qs(urlsplit(url).query)["se"][0])
        assert ends - utc_now().timestamp() > 600


async def test_inline_pictures_are_stored(world: World) -> None:
    async def inline(_request: Request) -> Response:
        scene, matte = (base64.b64encode(data).decode() for data in (b"scene", matte_png()))
        return JSONResponse({"image_bytes_b64": scene, "matte_bytes_b64": matte, "meta": META})

    [item] = await world.queued()
    async with orchestrator(world, inline) as worker:
        assert await worker.deliver(item) == Done()
    done = await world.item(item.id)
    assert done.scene_path is not None
    assert await world.parts.blobs.read("outputs", done.scene_path) == b"scene"


async def test_a_refused_photo_fails_alone_with_the_endpoints_reason(world: World) -> None:
    [bad, good] = await world.queued(2)
    async with orchestrator(
        world, own_error(422, "no_product_found", retryable=False), storing(world)
    ) as worker:
        assert await worker.deliver(bad) == Done()
        assert await worker.deliver(good) == Done()
    failed = await world.item(bad.id)
    assert (failed.state, failed.error_code) == (ItemState.FAILED, "no_product_found")
    assert failed.error_message == "Why not."
    assert (await world.item(good.id)).state is ItemState.COMPLETED
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED - 1, 0)


async def test_failures_are_counted_and_the_last_one_is_final(world: World) -> None:
    [item] = await world.queued()
    async with orchestrator(world, refusing(500)) as worker:
        for failures in range(1, MAX_FAILURES):
            outcome = await worker.deliver(item, failures)
            assert isinstance(outcome, Later)
            waiting = await world.item(item.id)
            assert (waiting.state, waiting.failures) == (ItemState.QUEUED, failures)
        assert isinstance(await worker.deliver(item, MAX_FAILURES), Dead)
        # The dead letter, sent again by an operator, finds the item ended.
        assert await worker.deliver(item) == Done()
    failed = await world.item(item.id)
    assert (failed.state, failed.error_code, failed.interruptions) == (ItemState.FAILED, "scoring_failed", 0)
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED, 0)


@pytest.mark.parametrize("status", [401, 429, 503])
async def test_an_endpoint_that_is_away_does_not_count_against_the_photo(world: World, status: int) -> None:
    [item] = await world.queued()
    async with orchestrator(world, refusing(status)) as worker:
        for count in range(1, MAX_DELIVERIES):
            assert isinstance(await worker.deliver(item, count), Later)
        waiting = await world.item(item.id)
        assert (waiting.state, waiting.failures) == (ItemState.QUEUED, 0)
        # The queue would give the message up; another takes its place, and the photo waits on.
        assert await worker.deliver(item, MAX_DELIVERIES) == Done()
    waiting = await world.item(item.id)
    assert (waiting.state, waiting.failures, waiting.epoch) == (ItemState.QUEUED, 0, item.epoch + 1)
    assert (await world.balance()).held == 1


async def test_nothing_is_charged_for_pictures_that_are_not_there(world: World) -> None:
    [item] = await world.queued()
    async with orchestrator(world, ok) as worker:
        assert isinstance(await worker.deliver(item), Later)
    assert (await world.item(item.id)).failures == 1
    assert (await world.balance()).balance == GRANTED


async def test_a_later_attempt_writes_under_its_own_names(world: World) -> None:
    [item] = await world.queued()
    async with orchestrator(world, refusing(500), storing(world)) as worker:
        await worker.deliver(item)
        assert await worker.deliver(item, 2) == Done()
    done = await world.item(item.id)
    assert done.matte_path is not None
    assert done.matte_path.endswith("/2-matte.png")
    with pytest.raises(BlobNotFound):
        await world.parts.blobs.info("outputs", done.matte_path.replace("/2-", "/1-"))


async def test_a_redelivery_while_another_worker_lives_waits_for_its_lease(world: World) -> None:
    [item] = await world.queued()
    claimed = await world.claimed(Stage.PROCESS, item, lease_s=20)
    async with orchestrator(world, storing(world)) as worker:
        outcome = await worker.deliver(item)
    assert isinstance(outcome, Later)
    assert timedelta(seconds=15) < outcome.delay < timedelta(seconds=21)
    assert await world.item(item.id) == claimed
    assert worker.endpoint.requests == []


async def test_a_dead_workers_item_is_taken_over(world: World) -> None:
    [item] = await world.queued()
    claimed = await world.claimed(Stage.PROCESS, item)
    await world.set(claimed, lease_until=utc_now() - timedelta(seconds=1))
    async with orchestrator(world, storing(world)) as worker:
        assert await worker.deliver(item, 2) == Done()
    done = await world.item(item.id)
    assert (done.state, done.attempt) == (ItemState.COMPLETED, 2)
    claims = [event for event in await world.story(item) if "taken_over" in event.details]
    assert [event.details["taken_over"] for event in claims] == [False, True]


async def test_a_message_that_comes_again_after_completion_does_nothing_more(world: World) -> None:
    [item] = await world.queued()
    async with orchestrator(world, storing(world)) as worker:
        assert await worker.deliver(item) == Done()
        done = await world.item(item.id)
        for count in (2, 3):
            assert await worker.deliver(item, count) == Done()
    assert await world.item(item.id) == done
    assert await world.message_ids("exports") == [f"{item.id}:0"]
    assert len(worker.endpoint.requests) == 1
    assert (await world.balance()).balance == GRANTED - 1


async def test_a_lost_export_message_is_the_sweepers_to_find(world: World) -> None:
    item = await world.completed()
    async with orchestrator(world, storing(world)) as worker:
        assert await worker.deliver(item, 2) == Done()
    assert await world.message_ids("exports") == []
    await world.aged(item, world.parts.settings.sweeper.stale_s + 1)
    assert (await world.parts.sweeper.sweep()).exports_resent == 1


async def test_the_result_of_a_cancelled_item_is_dropped(world: World) -> None:
    job, [item] = await world.job()
    await world.parts.relay.publish_pending()

    async def cancel() -> None:
        async with world.parts.database.transaction() as connection:
            await jobs.cancel_job(connection, job, by="test")

    async with orchestrator(world, after(cancel, storing(world))) as worker:
        assert isinstance(await worker.deliver(item), Later)
        assert await worker.deliver(item, 2) == Done()
    ended = await world.item(item.id)
    assert (ended.state, ended.error_code) == (ItemState.CANCELLED, None)
    balance = await world.balance()
    assert (balance.balance, balance.held) == (GRANTED, 0)


async def test_a_worker_that_wakes_up_too_late_changes_nothing(world: World) -> None:
    [item] = await world.queued()

    async def overtake() -> None:
        """The lease ends unnoticed; another worker takes over and completes the item."""
        current = await world.item(item.id)
        await world.set(current, lease_until=utc_now() - timedelta(seconds=1))
        taken = await world.claimed(Stage.PROCESS, current)
        changes: dict[str, Any] = {"scene_path": "theirs", "matte_path": "theirs"}
        async with world.parts.database.transaction() as connection:
            done = await items.move(connection, taken, ItemState.COMPLETED, by="other", changes=changes)
            await ledger.debit(connection, done)

    async with orchestrator(world, after(overtake, storing(world))) as worker:
        assert isinstance(await worker.deliver(item), Later)
    done = await world.item(item.id)
    assert (done.state, done.attempt, done.scene_path) == (ItemState.COMPLETED, 2, "theirs")
    assert (await world.balance()).balance == GRANTED - 1


async def test_a_message_for_an_item_that_is_not_there_is_put_aside(world: World) -> None:
    [item] = await world.queued()
    message = JobMessage.of(item).model_copy(update={"item_id": "item_gone"})
    async with orchestrator(world, storing(world)) as worker:
        outcome = await worker.stage.handle(message, delivery())
    assert isinstance(outcome, Dead)

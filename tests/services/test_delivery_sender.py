"""The sender on real parts: to folder, container and bucket; killed, refused, hanging, full, repeated."""

import asyncio
import hashlib
import json
import os
import resource
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import update
from tests.services.azure_container import SAS, azure_container
from tests.services.delivery_places import KINDS, TENANT, Given, given_place
from tests.services.http_services import RULE, migrated
from tests.services.webhook_receiver import answer, listening

from opal.assembly import Parts, build_parts
from opal.database import delivery_targets as targets
from opal.database import items, jobs, keys, ledger, variants
from opal.database import picture_deliveries as deliveries
from opal.database.delivery_plan import plan_deliveries
from opal.database.delivery_targets import DeliveryTarget
from opal.database.engine import utc_now
from opal.database.picture_deliveries import PictureDelivery
from opal.database.tables import delivery_targets as target_table
from opal.database.tables import picture_deliveries as delivery_table
from opal.database.variants import VariantRow
from opal.delivery_sender.sender import DeliverySender
from opal.destinations.folder import FolderDestination
from opal.destinations.interface import content_of
from opal.destinations.opening import Destinations
from opal.destinations.places import place_of
from opal.errors import DestinationFailed
from opal.items.item import Recipe, blob_path, new_id
from opal.items.states import ItemState
from opal.outgoing.client import Outgoing
from opal.outgoing_settings import DeliverySettings, OutgoingSettings
from opal.sealing import Sealer
from opal.settings import child_environment, load_settings

RECIPE = Recipe(scene="white", placement={}, presets=("square-1x1",), prompt="", seed=0)
SEALER = Sealer(["A" * 43 + "="])
PICTURE = b"a picture"


@dataclass(slots=True)
class World:
    """Parts with one tenant, and senders on them."""

    parts: Parts
    outgoing: Outgoing
    root: Path
    opened: list[Destinations] = field(default_factory=list)

    def sender(self, sealer: Sealer = SEALER, **settings: Any) -> DeliverySender:
        chosen = DeliverySettings(**{"folder_root": self.root, "poll_s": 0.05, "timeout_s": 20, **settings})
        self.opened.append(Destinations(chosen, self.outgoing))
        return DeliverySender(self.parts.database, self.parts.blobs, self.opened[-1], sealer, chosen)

    async def target(self, given: Given, template: str = "{sku}/{preset}.{ext}") -> str:
        made = DeliveryTarget(
            id=new_id("target"),
            tenant_id=TENANT,
            name="",
            place=given.place.model_dump(),
            template=template,
            reports=True,
            presets=[],
            formats=[],
            state="active",
            disabled_reason=None,
            failures=0,
            failing_since=None,
            created_at=utc_now(),
        )
        async with self.parts.database.transaction() as connection:
            sealed = SEALER.seal(made.id, given.secret) if given.secret else None
            await targets.create_target(connection, made, sealed, most=100)
        return made.id

    async def export(self, *skus: str, data: bytes = PICTURE, stored: bool = True) -> None:
        """One finished picture of each product."""
        async with self.parts.database.transaction() as connection:
            new = [jobs.NewItem("photo.jpg", sku) for sku in skus]
            _, made = await jobs.create_job(connection, TENANT, RECIPE, new, name="", correlation_id="c")
            for each in made:
                item = each
                for step in (ItemState.UPLOADED, ItemState.PROCESSING, ItemState.COMPLETED):
                    item = await items.move(connection, item, step, by="test")
                item = await items.move(connection, item, ItemState.EXPORTED, by="test")
                path = blob_path(TENANT, item.job_id, item.id, "exports", "1/square-1x1.jpg")
                if stored:
                    await self.parts.blobs.write("exports", path, data, content_type="image/jpeg")
                sha256 = hashlib.sha256(data).hexdigest()
                row = VariantRow(
                    "square-1x1", path, "jpeg", "image/jpeg", 10, 10, len(data), sha256, [RULE], None
                )
                await variants.record_variant(connection, item, row)
                await plan_deliveries(connection, item, [row])

    async def deliveries(self, target_id: str) -> list[PictureDelivery]:
        async with self.parts.database.read() as connection:
            found = await deliveries.list_picture_deliveries(connection, 100, target_id=target_id)
        return sorted(found, key=lambda each: each.path)

    async def states(self, target_id: str) -> list[str]:
        return [each.state for each in await self.deliveries(target_id)]

    async def reasons(self, target_id: str) -> set[str | None]:
        return {each.last_error for each in await self.deliveries(target_id)}

    async def seen(self, target_id: str) -> DeliveryTarget:
        async with self.parts.database.read() as connection:
            return await targets.tenant_target(connection, TENANT, target_id)

    async def let_time_pass(self) -> None:
        """Everything that waits is due, every claim is over, every failure as long ago."""
        past = utc_now() - timedelta(days=2)
        async with self.parts.database.transaction() as connection:
            await connection.execute(update(delivery_table).values(next_at=past, claimed_until=None))
            failing = target_table.c.failing_since.is_not(None)
            values = {"not_before": past, "failing_since": past}
            await connection.execute(update(target_table).where(failing).values(**values))

    async def forget_arrivals(self) -> None:
        """As if every sender had died before it noted what it did."""
        async with self.parts.database.transaction() as connection:
            await connection.execute(update(delivery_table).values(state="waiting", attempts=0, etag=None))
        await self.let_time_pass()


@asynccontextmanager
async def world_in(folder: Path, **groups: Any) -> AsyncIterator[World]:
    settings = load_settings(data_dir=folder / "data", **groups)
    await migrated(settings)
    parts = build_parts(settings)
    outgoing = Outgoing(settings.outgoing)
    root = folder / "root"
    root.mkdir()
    async with parts.database.transaction() as connection:
        await keys.ensure_tenant(connection, TENANT, "Acme")
        await ledger.grant(connection, TENANT, 1000)
    world = World(parts, outgoing, root)
    try:
        yield world
    finally:
        for destinations in world.opened:
            await destinations.close()
        await outgoing.close()
        await parts.close()


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with world_in(tmp_path, outgoing=OutgoingSettings(private_addresses="allow")) as made:
        yield made


def container(url: str) -> Given:
    stored = {"kind": "azure", "container_url": url, "account": "acmeshop"}
    return Given(place_of(stored), {"sas": SAS}, lambda _path: None)


def folder() -> Given:
    return Given(place_of({"kind": "folder", "folder": "shop"}), {}, lambda _path: None)


@pytest.mark.parametrize("kind", KINDS)
async def test_pictures_and_reports_arrive(world: World, kind: str) -> None:
    with given_place(kind, world.root) as given:
        here = await world.target(given)
        await world.export("MUG-01", "MUG-02")
        assert await world.sender().deliver_due() == 1
        assert await world.states(here) == ["delivered"] * 4
        assert (given.read("MUG-01/square-1x1.jpg") or (b"",))[0] == PICTURE
        data, kind_of = given.read("MUG-02/square-1x1.json") or (b"", None)
        report = json.loads(data)
        assert report["compliance"] == [RULE]
        assert (report["sku"], report["file"], report["passed"]) == ("MUG-02", "square-1x1.jpg", True)
        assert kind_of in (None, "application/json")
        assert all(each.etag for each in await world.deliveries(here))


async def test_what_a_dead_sender_delivered_is_not_sent_again(world: World) -> None:
    with azure_container() as there:
        here = await world.target(container(there.url))
        await world.export("A", "B")
        await world.sender().deliver_due()
        before = list(there.asked)
        await world.forget_arrivals()
        del there.blobs["B/square-1x1.jpg"]
        await world.sender().deliver_due()
        assert await world.states(here) == ["delivered"] * 4
        again = there.asked[len(before) :]
        assert [asked for asked in again if asked.startswith("PUT")] == ["PUT blob B/square-1x1.jpg"]


async def test_a_key_that_may_only_write_is_enough(world: World) -> None:
    with azure_container() as there:
        there.may_read = False
        here = await world.target(container(there.url))
        await world.export("A")
        await world.sender().deliver_due()
        assert await world.states(here) == ["delivered", "delivered"]


async def test_a_sender_that_is_stopped_leaves_all_to_the_next(world: World) -> None:
    async with listening() as there:
        there.say = None
        here = await world.target(container(f"http://127.0.0.1:{there.port}/pictures"))
        await world.export("A")
        stop = asyncio.Event()
        running = asyncio.create_task(world.sender().run(stop))
        await there.wait_for(1)
        stop.set()
        await running
        assert await world.states(here) == ["waiting", "waiting"]
        there.say = answer(404)
        await world.let_time_pass()
        await world.sender().deliver_due()
        assert {each.attempts for each in await world.deliveries(here)} <= {0, 1}


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        (answer(403), "It answered 401 or 403: the key is wrong, or may not do this."),
        (answer(500), "It answered 500."),
        (answer(302, "Location: http://127.0.0.1:1/"), None),
        (b"", "The connection failed."),
        (None, "Not delivered within 0.5 s."),
    ],
    ids=["refused", "error", "redirect", "cut off", "hang"],
)
async def test_a_failed_try_says_why_and_is_made_again(
    world: World, said: bytes | None, reason: str | None
) -> None:
    async with listening() as there:
        there.say = said
        here = await world.target(container(f"http://127.0.0.1:{there.port}/pictures"))
        await world.export("A")
        await world.sender(timeout_s=0.5 if said is None else 20, per_target=1).deliver_due()
        tried = [each for each in await world.deliveries(here) if each.attempts]
        assert [each.state for each in tried] == ["waiting"]
        assert reason is None or tried[0].last_error == reason
        assert "sig" not in str(tried[0].last_error)
        assert tried[0].last_at is not None
        assert 4.5 < (tried[0].next_at - tried[0].last_at).total_seconds() < 6
        # It is being left alone.
        assert (await world.seen(here)).failures == 1
        assert await world.sender().deliver_due() == 0


async def test_a_target_that_fails_for_long_is_disabled(world: World) -> None:
    async with listening() as there:
        there.say = answer(403)
        here = await world.target(container(f"http://127.0.0.1:{there.port}/pictures"))
        await world.export("A")
        sender = world.sender(max_failures=3, disable_after_s=3600)
        for _ in range(3):
            await sender.deliver_due()
            await world.let_time_pass()
        seen = await world.seen(here)
        assert seen.state == "disabled"
        assert str(seen.disabled_reason).startswith(
            "3 tries in a row failed, the last one: It answered 401 or 403"
        )
        assert await sender.deliver_due() == 0


async def test_a_private_address_is_not_called(tmp_path: Path) -> None:
    async with world_in(tmp_path) as strict, listening() as there:
        urls = (f"http://127.0.0.1:{there.port}/pictures", "https://169.254.169.254/pictures")
        heres = [await strict.target(container(url)) for url in urls]
        await strict.export("A")
        await strict.sender().deliver_due()
        for here in heres:
            [reason] = await strict.reasons(here) - {None}
            assert "http" in str(reason) or "may not be called" in str(reason)
        assert there.connections == 0


async def test_a_folder_that_is_not_allowed_or_not_there(world: World) -> None:
    here = await world.target(folder())
    await world.export("A")
    await world.sender(folder_root=None).deliver_due()
    assert await world.reasons(here) >= {"This service does not deliver to folders."}
    await world.let_time_pass()
    await world.sender(folder_root=world.root / "none").deliver_due()
    assert await world.reasons(here) >= {"The operator's folder for deliveries is not there."}
    assert not (world.root / "none").exists()


async def test_a_link_in_a_folder_leads_nowhere(world: World, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (world.root / TENANT).mkdir()
    (world.root / TENANT / "shop").symlink_to(outside)
    here = await world.target(folder())
    await world.export("A")
    await world.sender().deliver_due()
    assert await world.reasons(here) >= {"A link leads out of the folder."}
    assert list(outside.iterdir()) == []


async def test_a_picture_that_is_lost_or_damaged_here_is_given_up_and_blames_nobody(world: World) -> None:
    here = await world.target(folder(), "{sku}-{preset}.{ext}")
    await world.export("LOST", stored=False)
    await world.sender().deliver_due()
    assert await world.states(here) == ["failed", "delivered"]
    assert (await world.seen(here)).failures == 0


async def test_another_key_cannot_open_the_secret(world: World) -> None:
    with azure_container() as there:
        here = await world.target(container(there.url))
        await world.export("A")
        await world.sender(sealer=Sealer(["B" * 42 + "A="])).deliver_due()
        assert any("sealed with a key" in str(reason) for reason in await world.reasons(here))
        assert there.asked == []


async def test_a_full_disk_leaves_nothing_half_written(tmp_path: Path) -> None:
    """A limit on the size of files stands for it: the system refuses the write in the same way."""
    destination = FolderDestination(tmp_path, TENANT, "shop")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4096, before[1]))
    try:
        with pytest.raises(DestinationFailed, match="The folder failed"):
            await destination.put("large.jpg", content_of(bytes(100_000), "image/jpeg"))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert list((tmp_path / TENANT / "shop").iterdir()) == []
    assert await destination.put("large.jpg", content_of(bytes(100_000), "image/jpeg"))


_DYING = """
import asyncio, sys
from pathlib import Path
from opal.destinations.folder import FolderDestination
from opal.destinations.interface import Content
async def pieces():
    yield b"half"
    yield b"half"
    print("half written", flush=True)
    await asyncio.sleep(60)
    yield b"never"
content = Content(12, "0" * 64, "image/jpeg", pieces)
asyncio.run(FolderDestination(Path(sys.argv[1]), "acme", "shop").put("mug.jpg", content))
"""


async def test_what_a_killed_process_left_is_no_picture_and_is_cleared_away(tmp_path: Path) -> None:
    dying = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", _DYING, str(tmp_path)),
        stdout=asyncio.subprocess.PIPE,
        env=child_environment({"PYTHONPATH": os.pathsep.join(sys.path)}),
    )
    assert dying.stdout is not None
    assert await dying.stdout.readline() == b"half written\n"
    dying.kill()
    await dying.wait()
    folder = tmp_path / "acme" / "shop"
    assert [path.suffix for path in folder.iterdir()] == [".part"]
    await FolderDestination(tmp_path, TENANT, "shop").put("mug.jpg", content_of(PICTURE, "image/jpeg"))
    assert [(path.name, path.read_bytes()) for path in folder.iterdir()] == [("mug.jpg", PICTURE)]


async def test_nothing_of_the_machines_own_clouds_gets_in(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in (
        ("AWS_SKIP_SIGNATURE", "true"),
        ("AWS_SESSION_TOKEN", "the-operators-own"),
        ("AWS_ENDPOINT_URL_S3", "http://127.0.0.1:9"),
    ):
        monkeypatch.setenv(name, value)
    async with listening() as there:
        there.say = answer(200, 'ETag: "1"')
        stored = {"kind": "s3", "bucket": "acme-pictures", "access_key_id": "AKIAEXAMPLE"}
        place = place_of({**stored, "endpoint": f"http://127.0.0.1:{there.port}"})
        await world.target(Given(place, {"secret_access_key": "example"}, lambda _path: None))
        await world.export("A")
        await world.sender().deliver_due()
        put = next(request for request in there.received if request.line.startswith("PUT"))
        assert put.headers["authorization"].startswith("AWS4-HMAC-SHA256 Credential=AKIAEXAMPLE/")
        assert "the-operators-own" not in str(put.headers)

"""The blob store answers 503, breaks bodies off, loses answers and stalls, whoever asks it.

Azurite behind a proxy, asked by the real SDK, and by the placement endpoint through signed URLs. The pictures
have the bytes of an undisturbed run, no call takes longer than it may, and what was given up is swept away.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path

import httpx
import pytest
from pydantic import SecretStr
from tests.azurite.account import empty_containers
from tests.azurite.server import ACCOUNT, KEY, Azurite, azurite
from tests.faults.blob_proxy import SHARES, Fate, blob_proxy
from tests.faults.faulty_endpoint import FaultyEndpoint, serving
from tests.faults.figures import Figures
from tests.faults.findings import Findings, examine
from tests.faults.instant_endpoint import PUT_HEADERS, meta, pictures, upright_size
from tests.faults.line import PRESETS, opened_parts, settled, with_blobs, working
from tests.faults.timed_blobs import CarelessBlobs, TimedBlobs
from tests.services.http_services import NO_CERTIFICATES

from opal.assembly import Parts
from opal.blobs.azure_blob import AzureBlobs
from opal.blobs.interface import CONTAINERS
from opal.database import recorded_blobs
from opal.database.engine import utc_now
from opal.database.items import list_items
from opal.database.variants import job_variants
from opal.errors import BlobStoreUnavailable
from opal.messages.scoring_contract import ScoreMeta, ScoreRequest, ScoreResponse
from opal.platform_settings import BlobSettings
from opal.scoring_client.client import ScoringClient
from opal.settings import RetentionSettings, ScoringSettings, SweeperSettings, WorkerSettings
from opal.upkeep.orphans import Orphans

LONGEST_S = 300.0
DEADLINE_S = 3.0
BUSY_MACHINE_S = 3.0
"""By how much a call's end may be noticed late."""


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Azurite]:
    with azurite(tmp_path_factory.mktemp("azurite"), plain=True) as server:
        yield server


@dataclass(frozen=True, slots=True)
class StoringEndpoint:
    """Fetches the photo and stores its pictures by signed URLs, once each: it fails with the store."""

    http: httpx.AsyncClient

    async def __call__(self, wanted: ScoreRequest) -> ScoreResponse:
        fetched = (await self.http.get(wanted.input_image_sas)).raise_for_status()
        width, height = upright_size(fetched.content)
        assert wanted.output_sas is not None
        urls = (wanted.output_sas.scene, wanted.output_sas.matte)
        for url, data in zip(urls, pictures(width, height), strict=True):
            stored = await self.http.put(url, content=data, headers=PUT_HEADERS)
            # 409: an earlier try of the same request stored the same picture.
            if stored.status_code != httpx.codes.CONFLICT:
                stored.raise_for_status()
        return ScoreResponse(meta=ScoreMeta.model_validate(meta(width, height, wanted.seed)))


@dataclass(frozen=True, slots=True)
class Run:
    """What a job came to over a store in trouble."""

    findings: Findings
    pictures: dict[str, str]
    """sha256 by the photo's file name."""
    fates: dict[Fate, int]
    longest_s: float
    orphans: int
    """Blobs that no row names, before the sweep of orphans."""
    orphans_left: int


def settings_of(port: int) -> BlobSettings:
    """Of the store behind ``port``."""
    account_url = f"http://127.0.0.1:{port}/{ACCOUNT}"
    return BlobSettings(
        adapter="azure", account_url=account_url, account_key=SecretStr(KEY), timeout_s=DEADLINE_S
    )


async def play(
    folder: Path,
    store: Azurite,
    items: int,
    seed: int,
    *,
    kind: type[TimedBlobs] = TimedBlobs,
    shares: Mapping[Fate, float] = SHARES,
    strikes: Callable[[bytes], bool] = lambda _head: True,
) -> Run:
    """One job; the store is in order again when it is over."""
    await empty_containers(store)
    async with blob_proxy(store.port, stall_s=3 * DEADLINE_S, seed=seed) as proxy:
        proxy.shares, proxy.strikes = shares, strikes
        groups = {
            "blob": settings_of(proxy.port),
            "worker": WorkerSettings(
                concurrency=6, lease_s=30, retry_base_s=0.2, retry_max_s=1, max_failures=30
            ),
            "sweeper": SweeperSettings(interval_s=5, stale_s=60),
        }
        async with opened_parts(folder, items, **groups) as world:
            parts, blobs = world.parts, kind(world.parts.blobs)
            job, _created = await world.job(items, presets=PRESETS)
            proxy.faulty = True
            await work(with_blobs(parts, blobs))
            proxy.faulty = False
            findings = await examine(
                parts.database, parts.blobs, parts.queues, job.id, presets=PRESETS, granted=items
            )
            orphans = await unnamed(parts)
            sweep = Orphans(parts.database, parts.blobs, RetentionSettings())
            later = utc_now() + timedelta(days=30)
            for _turn in range(2 + sum(proxy.fates.values()) // 500):
                await sweep.turn(later)
            return Run(
                findings,
                await pictures_of(parts, job.id),
                dict(proxy.fates),
                blobs.longest_s,
                orphans,
                await unnamed(parts),
            )


async def work(parts: Parts) -> None:
    """Take the job to its end."""
    http = httpx.AsyncClient(timeout=2.0, trust_env=False, verify=NO_CERTIFICATES)
    async with http, serving(FaultyEndpoint(score=StoringEndpoint(http))) as endpoint:
        scoring = ScoringClient(
            ScoringSettings(url=endpoint.url, instances=4), first_wait_s=0.1, longest_wait_s=0.5
        )
        async with working(parts, scoring):
            await settled(parts, LONGEST_S)
        await scoring.close()


async def pictures_of(parts: Parts, job_id: str) -> dict[str, str]:
    async with parts.database.read() as connection:
        items = await list_items(connection, job_id)
        made = await job_variants(connection, job_id)
    return {item.filename: row.sha256 for item in items for row in made.get(item.id, [])}


async def unnamed(parts: Parts) -> int:
    """Blobs that no row names."""
    count = 0
    for container in CONTAINERS:
        paths = [blob.path async for blob in parts.blobs.walk(container)]
        async with parts.database.read() as connection:
            count += len(await recorded_blobs.unnamed(connection, container, paths))
    return count


@pytest.mark.parametrize(("seed", "items"), [(1, 25), pytest.param(2, 150, marks=pytest.mark.battery)])
async def test_a_store_in_trouble(
    seed: int, items: int, store: Azurite, tmp_path: Path, figures: Figures
) -> None:
    # The photos are all one, but for their names: one of them tells how the others must look.
    reference = await play(tmp_path / "undisturbed", store, 1, seed, shares={})
    run = await play(tmp_path / "disturbed", store, items, seed)
    [expected] = reference.pictures.values()
    differing = sum(digest != expected for digest in run.pictures.values())
    struck = sum(count for fate, count in run.fates.items() if fate is not Fate.PASSED)
    figures(
        f"blob faults, seed {seed}",
        items=items,
        lost=run.findings.lost,
        differing=differing,
        orphans=f"{run.orphans}, after the sweep {run.orphans_left}",
        longest_call_s=run.longest_s,
        struck=f"{struck} of {sum(run.fates.values())} requests",
    )
    assert not run.findings.faults, run.findings
    assert len(run.pictures) == items
    assert differing == 0
    assert run.longest_s <= DEADLINE_S + BUSY_MACHINE_S
    assert run.orphans_left == 0
    # A store without trouble would prove nothing.
    assert set(run.fates) >= {Fate.REFUSED, Fate.BROKEN_BODY, Fate.ANSWER_LOST}


async def test_control_a_failed_write_taken_for_done(
    store: Azurite, tmp_path: Path, figures: Figures
) -> None:
    # The SDK's own tries would hide most faults.
    run = await play(tmp_path, store, 4, 1, kind=CarelessBlobs, shares={Fate.REFUSED: 1.0}, strikes=exports)
    damaged = run.findings.faults.get("blobs_as_recorded", 0)
    figures("control: a failed write taken for done", damaged=damaged)
    assert damaged == 4


def exports(head: bytes) -> bool:
    """Whether a request is a write of a finished picture."""
    return head.startswith(b"PUT") and b"/exports/" in head.split(b" ")[1]


async def test_control_without_a_deadline(store: Azurite, figures: Figures) -> None:
    longest_s = {}
    async with blob_proxy(store.port, stall_s=60, seed=1) as proxy:
        proxy.faulty, proxy.shares = True, {Fate.STALLED: 1.0}
        for timeout_s in (DEADLINE_S, DEADLINE_S + BUSY_MACHINE_S + 1):
            blobs = AzureBlobs(settings_of(proxy.port).model_copy(update={"timeout_s": timeout_s}), None)
            timed = TimedBlobs(blobs)
            with pytest.raises(BlobStoreUnavailable):
                await timed.info("raw", "acme/none.jpg")
            await blobs.close()
            longest_s[timeout_s] = timed.longest_s
    figures("control: no deadline", longest_call_s=max(longest_s.values()))
    assert [took > DEADLINE_S + BUSY_MACHINE_S for took in longest_s.values()] == [False, True]

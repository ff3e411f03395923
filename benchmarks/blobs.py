"""How fast blobs go to Azure's store and come back: Opal's adapter beside plain httpx, on one Azurite.

The same blobs, one after the other and several at a time, written to fresh names and read again; the sides
take turns. Azurite keeps all in memory and shares the machine's cores with whoever asks it, so the figures
compare the two sides and say nothing of Azure. Prints a table; writes `benchmarks/results/blobs.json`.
"""

import argparse
import asyncio
import json
import statistics
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import asdict, dataclass
from datetime import timedelta
from itertools import count
from pathlib import Path

import httpx

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tests.azurite.account import azure_blobs, kept_connections  # noqa: E402
from tests.azurite.server import azurite  # noqa: E402

from opal.blobs.azure_blob import AzureBlobs  # noqa: E402
from opal.blobs.interface import Permission  # noqa: E402

RESULTS = ROOT / "benchmarks" / "results" / "blobs.json"
SIZES = {"thumbnail": 30_000, "variant": 600_000, "photo": 3_500_000, "large photo": 24_000_000}
AT_A_TIME = (1, 4)
MEGABYTES = 48
"""Per measurement."""


@dataclass(frozen=True, slots=True)
class Row:
    """Megabytes per second of both sides, medians over the rounds."""

    what: str
    bytes: int
    at_a_time: int
    opal: float
    httpx: float

    @property
    def share(self) -> float:
        """Opal's speed in httpx's."""
        return self.opal / self.httpx


Step = Callable[[str], Awaitable[None]]


async def measure(rounds: int) -> list[Row]:
    """Every size, way and number at a time."""
    with tempfile.TemporaryDirectory() as folder, azurite(Path(folder)) as server:
        async with (
            azure_blobs(server, transport=kept_connections(server)) as blobs,
            httpx.AsyncClient(verify=server.trust(), trust_env=False) as client,
        ):
            return [
                row
                for size, length in SIZES.items()
                for at_a_time in AT_A_TIME
                for row in await _rows(blobs, client, size, bytes(length), at_a_time, rounds)
            ]


async def _rows(  # noqa: PLR0917 - both sides, and what is measured
    blobs: AzureBlobs, client: httpx.AsyncClient, size: str, data: bytes, at_a_time: int, rounds: int
) -> list[Row]:
    names = count()
    number = max(at_a_time * 2, min(200, MEGABYTES * 1_000_000 // len(data)))
    urls: dict[str, str] = {}

    async def opal_write(name: str) -> None:
        await blobs.write("exports", name, data, content_type="image/jpeg")

    async def opal_read(name: str) -> None:
        assert len(await blobs.read("exports", name)) == len(data)

    async def plain_write(name: str) -> None:
        headers = {"x-ms-blob-type": "BlockBlob", "Content-Type": "image/jpeg"}
        (await client.put(urls[name], content=data, headers=headers)).raise_for_status()

    async def plain_read(name: str) -> None:
        assert len((await client.get(urls[name])).raise_for_status().content) == len(data)

    took: dict[str, list[float]] = {"opal write": [], "opal read": [], "httpx write": [], "httpx read": []}
    for _ in range(rounds):
        for side, write, read in (("opal", opal_write, opal_read), ("httpx", plain_write, plain_read)):
            made = [f"bench/{next(names)}.jpg" for _ in range(number)]
            for permission, way, step in (
                (Permission.CREATE, "write", write),
                (Permission.READ, "read", read),
            ):
                for name in made:
                    signed = await blobs.signed_url("exports", name, permission, timedelta(minutes=10))
                    urls[name] = signed.url
                took[f"{side} {way}"].append(await _time(step, made, at_a_time))
            for name in made:
                await blobs.delete("exports", name)
    speed = {each: number * len(data) / 1e6 / statistics.median(seconds) for each, seconds in took.items()}
    return [
        Row(f"{way} {size}", len(data), at_a_time, speed[f"opal {way}"], speed[f"httpx {way}"])
        for way in ("write", "read")
    ]


async def _time(step: Step, names: Sequence[str], at_a_time: int) -> float:
    waiting = iter(names)

    async def work() -> None:
        for name in waiting:
            await step(name)

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(at_a_time)))
    return time.perf_counter() - started


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    rows = asyncio.run(measure(parser.parse_args().rounds))
    print(f"{'':20}{'at a time':>10}{'Opal MB/s':>11}{'httpx MB/s':>12}{'share':>8}")
    for row in rows:
        print(f"{row.what:20}{row.at_a_time:>10}{row.opal:>11.1f}{row.httpx:>12.1f}{row.share:>8.2f}")
    RESULTS.parent.mkdir(parents=True, exist_ok=True)
    RESULTS.write_text(json.dumps([{**asdict(row), "share": row.share} for row in rows], indent=2), "utf-8")


if __name__ == "__main__":
    main()

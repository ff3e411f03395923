"""What the fault experiments share: servers, and the lives that they are run on."""

import asyncio
import os
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from tests.faults.azure_life import azure_life
from tests.faults.process_server import ProcessServer
from tests.faults.rig import LEASE_S, Life, Rigs
from tests.faults.running_services import InstantEndpoint

from opal.assembly import open_database
from opal.settings import load_settings

LIVES = os.environ.get("OPAL_TEST_LIVES", "laptop").split(",")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest group begins first, so that nothing waits for it at the end."""

    def later(item: pytest.Item) -> bool:
        return all(mark.args != ("long storm",) for mark in item.iter_markers("xdist_group"))

    items.sort(key=later)


@pytest.fixture(scope="session")
def process_server() -> Iterator[ProcessServer]:
    """What forks services; shared, as starting it costs as much as a service."""
    with ProcessServer() as server:
        yield server


@pytest.fixture(scope="session")
def scoring_url() -> Iterator[str]:
    """The endpoint that answers at once."""
    endpoint = InstantEndpoint.start()
    yield endpoint.url
    endpoint.end()


@pytest.fixture(scope="session")
def empty_database(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The file of an embedded database with its tables."""
    folder = tmp_path_factory.mktemp("empty")

    async def make() -> None:
        async with open_database(load_settings(data_dir=folder)):
            pass

    asyncio.run(make())
    return (folder / "opal.sqlite").read_bytes()


@pytest.fixture(params=LIVES)
def life(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Life]:
    """A life, its servers running: none on a laptop."""
    if request.param == "laptop":
        yield Life("laptop", {})
        return
    servers = tmp_path / "servers"
    servers.mkdir()
    lock_s = getattr(request.module, "LOCK_S", LEASE_S)
    databases: Callable[[], AbstractContextManager[str]] = request.getfixturevalue("postgres_copies")

    @contextmanager
    def own(name: str) -> Iterator[dict[str, str]]:
        with databases() as url, running.own_queues(name) as queues:
            yield {**queues, "DATABASE_URL": url}

    with azure_life(servers, request.getfixturevalue("own_postgres"), lock_s, keyed=True) as running:
        yield Life("Azure", running.environment, own)


@pytest.fixture
def rigs(
    tmp_path: Path,
    process_server: ProcessServer,
    scoring_url: str,
    empty_database: bytes,
    life: Life,
) -> Rigs:
    """What makes rigs for a test."""
    return Rigs(tmp_path, process_server, scoring_url, empty_database, life)

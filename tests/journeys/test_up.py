"""A day with `opal up`: ready, one photo through the real network, a killed worker, a clean end."""

import os
import signal
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil
import pytest
from tests.journeys.opal_process import alive, family, lines_until, opal, running

from opal.cli.api_client import ApiClient

pytestmark = pytest.mark.xdist_group("services")

PHOTOS = sorted((Path(__file__).parents[2] / "samples" / "photos").glob("*.jpg"))


# A dead worker's photo is taken over after seconds instead of a minute.
_SOON = {"OPAL_WORKER_LEASE_S": "4", "OPAL_QUEUE_LOCK_S": "4"}


@dataclass(frozen=True)
class Up:
    """A running `opal up`."""

    pid: int
    url: str
    key: str
    data: Path

    def child(self, name: str) -> psutil.Process:
        """The process of one service."""
        for process in psutil.Process(self.pid).children():
            if name in process.cmdline():
                return process
        raise AssertionError(f"{name} does not run")


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    with running("up", "--port", "0", "--data", "data", cwd=folder, changes=_SOON) as process:
        told = lines_until(process, "stop with Ctrl-C")
        words = {line.split("│", 1)[1].rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in told[-6:]}
        yield Up(process.pid, words["API and start page"], words["API key"], folder / "data")


def test_the_key_is_kept_for_its_owner_only(up: Up) -> None:
    path = up.data / "development-key"
    assert path.read_text("utf-8").strip() == up.key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_one_on_the_same_data_is_refused_in_one_line(up: Up) -> None:
    done = opal("up", "--port", "0", "--data", str(up.data), cwd=up.data)
    assert done.returncode == 1
    assert f"process {up.pid}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


async def test_a_photo_becomes_pictures_though_its_workers_are_killed(up: Up, tmp_path: Path) -> None:
    """Both workers die by SIGKILL while the job runs; it finishes, charged once."""
    async with ApiClient(up.url, up.key) as api:
        job = await api.create_job(
            "journey", "studio-white", ["square-1x1", "amazon-main"], ["photo.jpg"], idempotency_key="journey"
        )
        again = await api.create_job(
            "journey", "studio-white", ["square-1x1", "amazon-main"], ["photo.jpg"], idempotency_key="journey"
        )
        assert again == job
        item_id = job["items"][0]["id"]
        killed = []
        await api.upload(job["id"], item_id, PHOTOS[0])
        async for change in api.follow(job["id"]):
            for state, name in (("processing", "orchestrator"), ("completed", "export-worker")):
                if change.state == state and name not in killed:
                    killed.append(name)
                    os.kill(up.child(name).pid, signal.SIGKILL)
        assert killed == ["orchestrator", "export-worker"]
        item = (await api.job(job["id"]))["items"][0]
        assert (item["state"], item["error"]) == ("exported", None)
        answer = await api.variants(job["id"], item_id)
        assert {variant["preset"] for variant in answer["variants"]} == {"square-1x1", "amazon-main"}
        for variant in answer["variants"]:
            await api.download(variant["url"], tmp_path / variant["filename"], variant["sha256"])
    shown = opal("credits", "show", "local", "--json", cwd=tmp_path, changes={"OPAL_DATA_DIR": str(up.data)})
    assert shown.stdout.count('"debit"') == 1


def test_sigterm_ends_everything_within_five_seconds(up: Up) -> None:
    processes = family(up.pid)
    assert len(processes) >= 6
    os.kill(up.pid, signal.SIGTERM)
    psutil.wait_procs(processes, timeout=5)
    assert not alive(processes)

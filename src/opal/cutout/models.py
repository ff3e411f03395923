"""Model weights: which there are, where they lie, whether they are the very bytes that were pinned.

Weights are fetched into the user's cache by `opal models pull` and never part of the repository. Every load
checks the hash first, so a picture's `meta` names the weights that really made it.
"""

import fcntl
import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from opal.cutout.npm_package import NpmPackage, open_package, read_resource
from opal.errors import ModelCorrupt, ModelMissing, UnknownEngine

Progress: TypeAlias = Callable[[int, int], None]
"""Called with bytes done and bytes in all, now and then."""


@dataclass(frozen=True, slots=True)
class ModelSpec:
    """One set of weights: what it is, and where it is published."""

    name: str
    description: str
    licence: str
    sha256: str
    bytes: int
    package: NpmPackage
    resource: str
    """Its entry in the package's table of chunked files."""

    @property
    def file_name(self) -> str:
        """The name carries the hash: other weights of the same name never replace these."""
        return f"{self.name}-{self.sha256[:12]}.onnx"


@dataclass(frozen=True, slots=True)
class ModelState:
    """A model and whether its file is there with the right size (the hash is checked by `verify_model`)."""

    spec: ModelSpec
    path: Path
    present: bool


# The weights are MIT by the package's ThirdPartyLicenses.json; the package around them is AGPL, which
# is why it is fetched by whoever runs Opal and nothing of it is shipped.
_IMGLY = NpmPackage(
    name="@imgly/background-removal-data",
    version="1.4.5",
    sha256="ca7789abb39370727c9a098310b53bce41518d200000423c7107f8c01bbce946",
    bytes=136_455_985,
)

MODELS: dict[str, ModelSpec] = {
    spec.name: spec
    for spec in (
        ModelSpec(
            name="isnet",
            description="IS-Net, half precision: the default.",
            licence="MIT",
            sha256="b6e8497ba978a6f5fbb647e419d2696cd80df5a23cb6a8ea532021911bd76acb",
            bytes=88_188_479,
            package=_IMGLY,
            resource="/models/medium",
        ),
        ModelSpec(
            name="isnet-small",
            description="IS-Net with 8-bit weights: half the size, coarser edges.",
            licence="MIT",
            sha256="7001d60734fdc112dd9c062635fb59cd401fb82a9d4213134bce4dbd655c803a",
            bytes=44_342_436,
            package=_IMGLY,
            resource="/models/small",
        ),
    )
}


def model_spec(name: str) -> ModelSpec:
    """The model of that name; raises UnknownEngine naming those there are."""
    if name not in MODELS:
        raise UnknownEngine(f"There are no weights named {name!r}. Known: {', '.join(MODELS)}.")
    return MODELS[name]


def list_models(models_dir: Path) -> list[ModelState]:
    """Every known model and whether it is on this machine; reads no contents."""
    return [model_state(spec, models_dir) for spec in MODELS.values()]


def model_state(spec: ModelSpec, models_dir: Path) -> ModelState:
    """Where a model's file lies, and whether it is there with the right size."""
    path = models_dir / spec.file_name
    return ModelState(spec, path, path.is_file() and path.stat().st_size == spec.bytes)


def verify_model(spec: ModelSpec, models_dir: Path) -> Path:
    """The file of a model whose bytes have the pinned hash.

    Raises ModelMissing and ModelCorrupt.
    """
    path = models_dir / spec.file_name
    try:
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        raise ModelMissing(
            f"The weights {spec.name!r} are not in {models_dir}; run `opal models pull`."
        ) from None
    if found != spec.sha256:
        raise ModelCorrupt(
            f"{path} has sha256 {found[:12]}…, not {spec.sha256[:12]}…; run `opal models pull --again`."
        )
    return path


def pull_model(
    spec: ModelSpec,
    models_dir: Path,
    *,
    companions: Iterable[ModelSpec] = (),
    progress: Progress | None = None,
    archive: Path | None = None,
) -> Path:
    """Fetch a model into `models_dir` unless it is there already; returns its file.

    Where its package is fetched, `companions` out of the same package are kept as well. `archive` is the
    package's tarball where the machine has no network. Several processes may pull at once: one fetches, the
    others wait. Raises ModelCorrupt and DownloadFailed.
    """
    models_dir.mkdir(parents=True, exist_ok=True)
    with _only_one(models_dir):
        if not model_state(spec, models_dir).present:
            with open_package(spec.package, archive, progress or _silent) as contents:
                for each in (spec, *(other for other in companions if other.package == spec.package)):
                    if not model_state(each, models_dir).present:
                        _store(read_resource(contents, each.resource), each, models_dir / each.file_name)
        return verify_model(spec, models_dir)


def remove_model(spec: ModelSpec, models_dir: Path) -> None:
    """Delete a model's file, so that the next pull fetches it again."""
    (models_dir / spec.file_name).unlink(missing_ok=True)


def _store(pieces: Iterator[bytes], spec: ModelSpec, path: Path) -> None:
    """Write under another name, check, then rename: a half-written model is never found."""
    digest = hashlib.sha256()
    unfinished = path.with_suffix(f".{os.getpid()}.part")
    try:
        with unfinished.open("wb") as file:
            for piece in pieces:
                digest.update(piece)
                file.write(piece)
        if digest.hexdigest() != spec.sha256:
            raise ModelCorrupt(f"The weights {spec.name!r} as published have sha256 {digest.hexdigest()}.")
        unfinished.replace(path)
    finally:
        unfinished.unlink(missing_ok=True)


@contextmanager
def _only_one(models_dir: Path) -> Iterator[None]:
    with (models_dir / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _silent(_done: int, _total: int) -> None:
    pass

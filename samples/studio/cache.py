"""Where the samples that are not shipped lie once rendered, and which of them are still to come."""

import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any

# Raise this when pictures change: another version is another folder, so old and new never mix.
VERSION = 1


def cache_folder() -> Path:
    """The user's own folder for rendered samples, named by the script's version."""
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "opal" / f"samples-v{VERSION}"


def is_rendered(sample: dict[str, Any], folder: Path) -> bool:
    """Whether both of a listed sample's files are there; files appear whole or not at all (see `whole`)."""
    return all((folder / sample[key]).is_file() for key in ("photo", "alpha"))


def still_missing(listed: Iterable[dict[str, Any]], folder: Path) -> list[str]:
    """Names of the samples that are neither shipped nor in the folder, in the order of the list."""
    return [s["name"] for s in listed if not s["shipped"] and not is_rendered(s, folder)]


def unfinished(file: Path) -> Path:
    """Where a file is written until `whole` gives it its name; the suffix, which tells the format, stays."""
    file.parent.mkdir(parents=True, exist_ok=True)
    return file.with_name(f".unfinished-{os.getpid()}-{file.name}")


def whole(file: Path) -> None:
    """Gives what `unfinished(file)` holds its name at one stroke: a stop leaves no half picture."""
    unfinished(file).replace(file)

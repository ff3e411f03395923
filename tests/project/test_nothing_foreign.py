"""No tracked file names a package registry's host or a path of somebody's machine."""

import re
from pathlib import Path

from tests.project.source_tree import ROOT, tracked_files

# Put together from pieces, so that this file does not match itself.
_HOSTS = ("registry." + "npmjs", "npmjs" + ".org", "pypi" + ".org", "python" + "hosted", "deb." + "debian")
_PATHS = ("/wo" + "rk/main", "/wo" + "rk/shared", "/ro" + "ot/", "/Us" + "ers/", "bash" + "_jobs")
_FOREIGN = re.compile("|".join(re.escape(text) for text in (*_HOSTS, *_PATHS)), re.IGNORECASE)


def _lines(path: Path) -> list[str]:
    try:
        return path.read_text("utf-8").splitlines()
    except UnicodeDecodeError:
        return []  # a picture or another binary


def test_no_registry_host_and_no_machine_path() -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:120]}"
        for path in tracked_files()
        for number, line in enumerate(_lines(path), 1)
        if _FOREIGN.search(line)
    ]
    assert not found, "\n".join(found)


def test_locks_pin_every_package_by_hash() -> None:
    loose = []
    for lock in sorted((ROOT / "requirements").glob("*.txt")):
        text = re.sub(r"\\\n\s*", " ", lock.read_text("utf-8"))
        for line in text.splitlines():
            if (
                line
                and not line.startswith((" ", "#"))
                and ("==" not in line or "--hash=sha256:" not in line)
            ):
                loose.append(f"{lock.name}: {line[:80]}")
    assert not loose, "\n".join(loose)

"""What has to be deployed: the parts that changed between the commit that runs and this one.

    python -m infra.deploy.changes DEPLOYED_COMMIT

prints `app=true` and so on for $GITHUB_OUTPUT. The commit that runs is a tag of the resource group: counted
from the last push instead, what a failed deployment left behind would be forgotten.
"""

import subprocess
import sys
from collections.abc import Iterable
from fnmatch import fnmatchcase

PARTS = ("app", "scoring", "infra", "docs")

# What the scoring image runs; tests/infra/test_changes.py holds it to what opal.scoring imports.
SCORING = (
    "src/opal/__init__.py",
    "src/opal/cutout/*",
    "src/opal/decoder/*",
    "src/opal/errors/*",
    "src/opal/faults.py",
    "src/opal/fidelity.py",
    "src/opal/heap.py",
    "src/opal/http/*",
    "src/opal/images/*",
    "src/opal/messages/*",
    "src/opal/outgoing/*",
    "src/opal/outgoing_settings.py",
    "src/opal/placement/*",
    "src/opal/platform_settings.py",
    "src/opal/scoring/*",
    "src/opal/setting_addresses.py",
    "src/opal/settings.py",
    "src/opal/settings_group.py",
    "src/opal/telemetry/*",
    "src/opal/telemetry_settings.py",
)

# In order: the first line that fits a file says which parts it belongs to.
RULES: tuple[tuple[str, frozenset[str]], ...] = (
    *((pattern, frozenset({"app", "scoring"})) for pattern in SCORING),
    ("src/opal/*", frozenset({"app"})),
    ("azureml/*", frozenset({"scoring"})),
    ("infra/modules/apps.bicep", frozenset({"app", "infra"})),
    ("infra/modules/app.bicep", frozenset({"app", "infra"})),
    ("infra/prices.toml", frozenset({"docs"})),
    ("infra/usage.toml", frozenset({"docs"})),
    ("infra/costs.py", frozenset({"docs"})),
    # Costs and the simulation, and what they are reckoned from.
    ("infra/scaling/*", frozenset({"docs"})),
    ("infra/limits.toml", frozenset({"docs"})),
    ("infra/parameters.py", frozenset({"docs"})),
    ("infra/service_times.*", frozenset({"docs"})),
    # How a new colour is made and tried.
    ("infra/deploy/endpoint.py", frozenset({"scoring"})),
    ("infra/deploy/smoke.py", frozenset({"scoring"})),
    ("infra/*", frozenset({"infra"})),
    (".github/*", frozenset()),
    ("docs/*", frozenset({"docs"})),
    ("LICENSE", frozenset({"docs"})),
    ("NOTICE", frozenset({"docs"})),
    ("requirements/runtime.*", frozenset({"app", "scoring"})),
    ("requirements/build.*", frozenset({"app", "scoring"})),
    ("requirements/node.*", frozenset({"app", "scoring"})),
    ("requirements/azureml.*", frozenset({"scoring"})),
    ("requirements/*", frozenset()),
    ("containers/*", frozenset({"scoring"})),
    ("Dockerfile", frozenset({"app", "scoring"})),
    (".dockerignore", frozenset({"app", "scoring"})),
    ("docker-compose.yml", frozenset()),
    ("tests/*", frozenset()),
    ("benchmarks/*", frozenset()),
    ("samples/*", frozenset()),
    (".ci/*", frozenset()),
    ("Makefile", frozenset()),
    (".gitignore", frozenset()),
    (".pre-commit-config.yaml", frozenset()),
    ("*.md", frozenset({"docs"})),
    # What no line names is deployed rather than forgotten: pyproject.toml, and whatever comes.
    ("*", frozenset({"app", "scoring", "infra"})),
)


def parts_of(file: str) -> frozenset[str]:
    """The parts that a file, named from the repository's root, belongs to."""
    return next(parts for pattern, parts in RULES if fnmatchcase(file, pattern))


def changed_parts(files: Iterable[str]) -> frozenset[str]:
    """The parts that any of ``files`` belongs to."""
    return frozenset[str]().union(*(parts_of(file) for file in files))


def changed_files(deployed: str) -> list[str] | None:
    """Files that differ between ``deployed`` and this commit; None where ``deployed`` is not known here."""
    known = ["git", "cat-file", "-e", f"{deployed}^{{commit}}"]
    if not deployed or subprocess.run(known, capture_output=True, check=False).returncode:  # noqa: S603
        return None
    # Without looking for renames, a moved file is one that went and one that came, and both count.
    command = ["git", "diff", "--name-only", "--no-renames", "-z", deployed, "HEAD"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)  # noqa: S603
    return [name for name in done.stdout.split("\0") if name]


def main(deployed: str) -> int:
    """Print a line for each part; everything counts as changed where nothing is known to run."""
    files = changed_files(deployed)
    changed = frozenset(PARTS) if files is None else changed_parts(files)
    for part in PARTS:
        sys.stdout.write(f"{part}={str(part in changed).lower()}\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else ""))

"""Every module of opal can be imported, so that no command fails only when somebody calls it."""

import subprocess
import sys

from tests.project.source_tree import modules

# Runs when Alembic loads it, with Alembic's own context; tests/migrations covers it.
_RUN_BY_ALEMBIC = "opal.database.migrations.env"
_RUNS_AT_IMPORT = {"opal.__main__", _RUN_BY_ALEMBIC}


def test_every_module_imports() -> None:
    names = [module.name for module in modules() if module.name not in _RUNS_AT_IMPORT]
    program = "import importlib, sys\nfor name in sys.argv[1:]:\n    importlib.import_module(name)\n"
    # A process of its own: nothing that another test imported can hide a missing import.
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", program, *names], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr

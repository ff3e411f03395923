"""`python -m opal`, which is how the supervisor starts its children."""

from opal.cli.main import run

run()

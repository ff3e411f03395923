"""What a step tells the workflow's run beside its exit code: values to star out, lines for the summary."""

import os
import sys
from pathlib import Path


def mask_in_log(value: str) -> None:
    """Have GitHub star out ``value`` wherever it turns up in this run's log."""
    if os.environ.get("GITHUB_ACTIONS") == "true":
        sys.stdout.write(f"::add-mask::{value}\n")
        sys.stdout.flush()


def add_to_summary(markdown: str) -> None:
    """Add to the run's page; by hand, GITHUB_STEP_SUMMARY may be /dev/stdout."""
    with Path(os.environ["GITHUB_STEP_SUMMARY"]).open("a", encoding="utf-8") as summary:
        summary.write(markdown)

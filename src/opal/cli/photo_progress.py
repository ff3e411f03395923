"""The progress bar over photos, and how many are in work at a time. Used by `process.py` and `check.py`."""

import os

from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)

from opal.cli.terminal import remarks


def photo_progress() -> Progress:
    """A bar on stderr with count, rate and time left; its task has the field ``rate``."""
    return Progress(
        TextColumn("Photos"),
        BarColumn(bar_width=40),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeElapsedColumn(),
        TextColumn("left"),
        TimeRemainingColumn(),
        console=remarks(),
    )


def advance(progress: Progress, bar: TaskID, done: int, seconds: float) -> None:
    """One photo more, `done` in all since the run began."""
    progress.update(bar, advance=1, rate=f"{done / max(seconds, 1e-3) * 60:.1f}/min")


def default_workers() -> int:
    """Photos in work at a time where nobody says otherwise."""
    # The network and the encoders use several cores by themselves; more photos at a time cost memory.
    return max(1, min(4, (os.cpu_count() or 1) // 2))

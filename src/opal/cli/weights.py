"""Fetches missing model weights before work starts, with a progress bar. Used by up, demo and process."""

from pathlib import Path

from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TransferSpeedColumn

from opal.cli.terminal import remarks
from opal.cutout.engines import engine_weights
from opal.cutout.models import MODELS, ModelSpec, model_state, pull_model
from opal.settings import Settings


def ensure_weights(settings: Settings) -> None:
    """Have the weights of the engine in use on this machine; says nothing when they are.

    An engine that is a file of one's own is looked for when it is loaded.
    Raises UnknownEngine, DownloadFailed and ModelCorrupt.
    """
    spec = engine_weights(settings.scoring.engine)
    if spec is not None and not model_state(spec, settings.models_dir).present:
        pull_with_progress(spec, settings.models_dir)


def pull_with_progress(spec: ModelSpec, models_dir: Path, archive: Path | None = None) -> Path:
    """Fetch one model, showing how far it is; returns its file.

    The others of its package are kept as well: the download is the same, and they are engines to choose from.
    """
    progress = Progress(
        TextColumn("Weights {task.fields[model]}"),
        BarColumn(bar_width=40),
        DownloadColumn(),
        TransferSpeedColumn(),
        console=remarks(),
    )
    with progress:
        bar = progress.add_task("", total=None, model=spec.name)

        def show(done: int, total: int) -> None:
            progress.update(bar, completed=done, total=total)

        return pull_model(spec, models_dir, companions=MODELS.values(), progress=show, archive=archive)

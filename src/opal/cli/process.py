"""`opal process`: a folder of photos to marketplace pictures in this process, resumable."""

import time
from collections.abc import Sequence
from concurrent.futures import FIRST_COMPLETED, ThreadPoolExecutor, wait
from contextlib import closing, suppress
from pathlib import Path
from typing import Annotated, Any

import typer

from opal import __version__
from opal.cli.main import EXIT_FAILED
from opal.cli.photo_files import find_photos
from opal.cli.photo_progress import advance, default_workers, photo_progress
from opal.cli.placement_option import parse_placement
from opal.cli.process_failures import (
    FAILURES_NAME,
    Retry,
    RunOptions,
    engine_key,
    retry_command,
    to_retry,
)
from opal.cli.process_flat import MODELS, FlatLook, process_flat, tell_flat
from opal.cli.process_folder import ResultFolder, Work
from opal.cli.process_photo import LocalRecipe, process_photo
from opal.cli.report import SUMMARY_COLUMNS, Report, ReportItem, review_line, summary_rows
from opal.cli.scene_option import choose_scene
from opal.cli.shown_name import key_path, path_key
from opal.cli.terminal import JsonOption, command_app, print_json, print_table, remarks
from opal.cli.weights import ensure_weights
from opal.content_credentials.sign import PictureSigner
from opal.cutout.compute import Compute
from opal.cutout.engines import engine_identity, load_engine
from opal.cutout.interface import CutoutEngine
from opal.errors import InvalidInput
from opal.images.limits import Limits
from opal.marketplaces.presets import resolve_presets, use_presets_of
from opal.placement.scene import DEFAULT_SCENE, MAX_SEED
from opal.settings import Settings, load_settings

app = command_app()


def _folder(text: str) -> Path:
    # An unset variable in a script; taken for a path it would be the present folder.
    if not text.strip():
        raise typer.BadParameter("an empty name is no folder.")
    return Path(text)


_PhotosArgument = Annotated[
    list[Path] | None,
    typer.Argument(
        help="Photos, and folders of photos; without --out the last is the pictures' folder.",
        show_default=False,
    ),
]
_OutOption = Annotated[
    Path | None, typer.Option("--out", parser=_folder, metavar="FOLDER", help="Folder for the pictures.")
]
_SceneOption = Annotated[
    str,
    typer.Option("--scene", help="A scene's name (see `opal scenes`), its JSON, or a .json file of it."),
]
_PlacementOption = Annotated[
    str, typer.Option("--placement", help="How the product stands, as JSON: '{\"straighten\": true}'.")
]
_PresetOption = Annotated[
    list[str] | None, typer.Option("--preset", help="A preset's name (see `opal presets`); repeatable.")
]
_SeedOption = Annotated[
    int, typer.Option("--seed", min=0, max=MAX_SEED, help="The same seed gives the same picture.")
]
_WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, max=64, help="Photos in work at a time; each takes up to 1 GB."),
]
_RetryOption = Annotated[
    Path | None,
    typer.Option(
        "--retry",
        parser=_folder,
        metavar="FOLDER",
        help="Do what failed in a result folder again, as it was to be done; instead of all above and -m.",
    ),
]
_FlatOption = Annotated[
    bool,
    typer.Option("--flat", help="As `rembg p`: a cut-out OUT/<photo>.png of each photo and nothing else."),
]
_ModelOption = Annotated[
    str | None, typer.Option("-m", "--model", help="The engine: a name or an .onnx file's path.")
]
_MaskOption = Annotated[bool, typer.Option("-om", "--only-mask", help="With --flat: the mask alone.")]
_ColourOption = Annotated[
    tuple[int, int, int, int] | None,
    typer.Option("-bgc", "--bgcolor", metavar="R G B A", help="With --flat: a colour behind the product."),
]
_NO_FOLDER = "Name photos and an --out folder, or a folder to --retry."
_NOT_WITH_FLAT = ("retry", "scene", "placement", "preset", "seed")
_NOT_WITH_RETRY = ("photos", "out", "scene", "placement", "preset", "seed", "model")


@app.command()
def process(  # noqa: PLR0917 - one parameter per option
    context: typer.Context,
    photos: _PhotosArgument = None,
    out: _OutOption = None,
    scene: _SceneOption = DEFAULT_SCENE,
    placement: _PlacementOption = "{}",
    preset: _PresetOption = None,
    seed: _SeedOption = 0,
    retry: _RetryOption = None,
    workers: _WorkersOption = None,
    model: _ModelOption = None,
    flat: _FlatOption = False,
    only_mask: _MaskOption = False,
    bgcolor: _ColourOption = None,
    as_json: JsonOption = False,
) -> None:
    """Make pictures of photos and folders; run it again to do what is new or failed.

    Results go to OUT: <photo>/<preset>.<ext>, report.json, report.html; failures.json if photos failed.
    Exit code 1: some photos failed.
    """
    settings = _with_engine(load_settings(), model and MODELS.get(model, model))
    workers = workers or default_workers()
    if flat:
        for name in _NOT_WITH_FLAT:
            if _was_given(context, name):
                raise InvalidInput(f"With --flat there are only cut-outs; leave out {name}.")
        _process_flat(photos or [], out, FlatLook(only_mask, bgcolor), settings, workers, as_json)
        return
    if only_mask or bgcolor is not None:
        raise InvalidInput("--only-mask and --bgcolor are for --flat; else --preset and --scene say how.")
    if retry is not None:
        for name in _NOT_WITH_RETRY:
            if _was_given(context, name):
                raise InvalidInput(f"With --retry the folder says how; leave out {name}.")
        out, runs = retry, to_retry(retry)
    elif not photos:
        raise InvalidInput(_NO_FOLDER)
    else:
        photos, out = photos_and_folder(photos, out)
        here = path_key(Path.cwd())
        presets, engine = preset or ["square-1x1"], engine_key(settings.scoring.engine)
        options = RunOptions(
            folder=here, scene=scene, placement=placement, presets=presets, seed=seed, engine=engine
        )
        runs = [Retry(options, _found(photos, out))]
    started = time.monotonic()
    use_presets_of(settings.presets_folder)
    items: list[ReportItem] = []
    skipped = 0
    for each in runs:
        made, unchanged = _make(each, out, _with_engine(settings, each.engine), workers)
        items += made
        skipped += unchanged
    report = Report(seconds=round(time.monotonic() - started, 2), items=items)
    _tell(report, skipped, out, as_json)
    if report.failures:
        raise typer.Exit(EXIT_FAILED)


def _with_engine(settings: Settings, engine: str | None) -> Settings:
    """The settings, with another engine if one is named."""
    if engine is None:
        return settings
    scoring = settings.scoring.model_copy(update={"engine": engine})
    return settings.model_copy(update={"scoring": scoring})


def _process_flat(  # noqa: PLR0917 - the command's own
    photos: list[Path], out: Path | None, look: FlatLook, settings: Settings, workers: int, as_json: bool
) -> None:
    if not photos:
        raise InvalidInput(_NO_FOLDER)
    started = time.monotonic()
    photos, out = photos_and_folder(photos, out)
    items = process_flat(_found(photos, out), out, look.wanted(), settings, workers)
    if tell_flat(items, out, time.monotonic() - started, as_json=as_json):
        raise typer.Exit(EXIT_FAILED)


def _was_given(context: typer.Context, name: str) -> bool:
    source = context.get_parameter_source(name)
    return (
        source is not None and source.name == "COMMANDLINE" and bool(context.params[name] or name == "seed")
    )


def _found(photos: Sequence[Path], out: Path) -> list[Path]:
    if out.exists() and not out.is_dir():
        raise InvalidInput(f"{out} is a file; --out names a folder.")
    found = [each for each in find_photos(photos) if not each.resolve().is_relative_to(out.resolve())]
    if not found:
        raise InvalidInput("There are no photos in the places named.")
    return found


def _make(run: Retry, out: Path, settings: Settings, workers: int) -> tuple[list[ReportItem], int]:
    """Make the photos of one recipe; answers with what became of them, and how many were done already."""
    started = time.monotonic()
    told = run.options
    presets = resolve_presets(told.presets)
    limits = Limits.of(settings.photo)
    chosen = choose_scene(told.scene, limits, presets, _begin(told))
    recipe = LocalRecipe(
        scene=chosen.scene,
        placement=parse_placement(told.placement),
        presets=presets,
        seed=told.seed,
        review_below=settings.review.below,
        limits=limits,
        backdrop=chosen.backdrop,
        signer=PictureSigner.of(settings.signing),
    )
    key = _recipe_key(chosen.key, recipe, settings)
    out.mkdir(parents=True, exist_ok=True)
    with closing(ResultFolder(out, key, told, review_below=recipe.review_below)) as folder:
        works = folder.plan(run.photos)
        items = {work.folder: work.done for work in works if work.done is not None}
        todo = [work for work in works if work.done is None]
        if todo:
            items |= _run(todo, folder, _engine(settings), recipe, workers)
        folder.save(round(time.monotonic() - started, 2), ended=True)
    return [items[work.folder] for work in works], len(works) - len(todo)


def _begin(options: RunOptions) -> Path:
    """Where the options' relative paths begin; told shortly where that is here, as errors name them."""
    folder = key_path(options.folder)
    return Path() if folder == Path.cwd() else folder


def _engine(settings: Settings) -> CutoutEngine:
    ensure_weights(settings)
    return load_engine(settings.scoring.engine, settings.models_dir, Compute.of(settings.scoring))


def photos_and_folder(photos: list[Path], out: Path | None) -> tuple[list[Path], Path]:
    """What to work on and where to; without ``out`` as ``rembg p IN OUT`` has it.

    Raises InvalidInput where nothing says which folder the pictures go to.
    """
    if out is not None:
        return photos, out
    if len(photos) < 2 or photos[-1].is_file():
        raise InvalidInput(_NO_FOLDER)
    return photos[:-1], photos[-1]


def _run(
    todo: Sequence[Work], folder: ResultFolder, engine: CutoutEngine, recipe: LocalRecipe, workers: int
) -> dict[str, ReportItem]:
    done: dict[str, ReportItem] = {}
    started = time.monotonic()
    with photo_progress() as progress, ThreadPoolExecutor(workers) as pool:
        bar = progress.add_task("", total=len(todo), rate="")
        waiting = {pool.submit(process_photo, work, folder.out, engine, recipe): work for work in todo}
        try:
            while waiting:
                finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
                for future in finished:
                    work = waiting.pop(future)
                    done[work.folder] = future.result()
                    folder.note(work, done[work.folder])
                    advance(progress, bar, len(done), time.monotonic() - started)
        except BaseException:
            # Ctrl-C, or a full disk: what is done stays done and is known to the next run.
            pool.shutdown(wait=False, cancel_futures=True)
            with suppress(OSError):
                # On a disk that is full: the journal has it as well.
                folder.save(round(time.monotonic() - started, 2), ended=False)
            remarks().print(
                f"{len(done)} of {len(todo)} photos done. Run it again to go on.", highlight=False
            )
            raise
    return done


def _tell(report: Report, skipped: int, out: Path, as_json: bool) -> None:
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    if not report.items:
        typer.echo(f"No photo of {out}/ has failed.")
        return
    print_table(SUMMARY_COLUMNS, summary_rows(report.items))
    done = len(report.items) - report.failures
    unchanged = f", {skipped} of them unchanged since an earlier run" if skipped else ""
    typer.echo(
        f"\n{done} of {len(report.items)} photos{unchanged}, {report.seconds:.1f} s. Results in {out}/."
    )
    if line := review_line(report):
        typer.echo(line)
    if report.failures:
        typer.echo(f"What failed is listed in {out / FAILURES_NAME}. To do these again: {retry_command(out)}")


def _recipe_key(scene: str | dict[str, Any], recipe: LocalRecipe, settings: Settings) -> dict[str, object]:
    key: dict[str, object] = {
        "opal": __version__,
        "scene": scene,
        "placement": recipe.placement.model_dump(mode="json"),
        "presets": [preset.model_dump(mode="json") for preset in recipe.presets],
        "seed": recipe.seed,
        "engine": engine_identity(settings.scoring.engine, settings.models_dir, Compute.of(settings.scoring)),
        # A photo above the limit is halved or refused by them.
        "photo": {"max_pixels": recipe.limits.max_pixels, "halve": recipe.limits.halve},
    }
    if recipe.signer is not None:
        key["signed_by"] = recipe.signer.credential.fingerprint
    return key

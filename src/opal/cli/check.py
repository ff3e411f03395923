"""`opal check`: any existing pictures, such as a merchant's old catalogue, held against presets' rules."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Annotated

import typer

from opal.cli.check_page import CheckPage
from opal.cli.check_picture import Judge, LateEngine, check_picture
from opal.cli.check_report import BROKEN_COLUMNS, CheckedPicture, CheckReport, broken_rows, summary_lines
from opal.cli.main import EXIT_FAILED
from opal.cli.photo_files import find_photos
from opal.cli.photo_progress import advance, default_workers, photo_progress
from opal.cli.shown_name import shown
from opal.cli.terminal import JsonOption, command_app, one_line, print_json, print_table, remarks
from opal.cli.weights import ensure_weights
from opal.cutout.compute import Compute
from opal.cutout.engines import load_engine
from opal.errors import InvalidInput
from opal.images.limits import Limits
from opal.marketplaces.measurements import PRODUCT_RULES
from opal.marketplaces.presets import Preset, resolve_presets, use_presets_of
from opal.settings import Settings, load_settings

app = command_app()

_WorkersOption = Annotated[
    int | None,
    typer.Option("--workers", min=1, max=64, help="Pictures in work at a time; each takes up to 1 GB."),
]


@app.command()
def check(  # noqa: PLR0917 - one parameter per option
    files: Annotated[list[Path], typer.Argument(help="Pictures, and folders of pictures.")],
    preset: Annotated[
        list[str], typer.Option("--preset", help="A preset's name (see `opal presets`); repeatable.")
    ],
    channel_only: Annotated[
        bool,
        typer.Option("--channel-only", help="Leave out rules that are Opal's own, such as an exact size."),
    ] = False,
    html: Annotated[
        Path | None, typer.Option("--html", help="Write a page for people here, thumbnails beside it.")
    ] = None,
    workers: _WorkersOption = None,
    as_json: JsonOption = False,
) -> None:
    """Judge existing pictures by presets' rules; nothing is changed.

    Prints every rule that is not kept. Exit code 1: a required rule is broken, or a file cannot be read.
    """
    started = time.monotonic()
    settings = load_settings()
    use_presets_of(settings.presets_folder)
    presets = [_of_channel(each) if channel_only else each for each in resolve_presets(preset)]
    page = None if html is None else CheckPage(html)
    found = find_photos(files)
    if not found:
        raise InvalidInput("There are no pictures in the places named.")
    judge = _judge(presets, settings)
    pictures = _run(found, judge, page, workers or default_workers())
    report = CheckReport.of(pictures, round(time.monotonic() - started, 2))
    if page is not None:
        page.write(report, found, presets)
    _tell(report, html, as_json)
    if report.failed or report.unreadable:
        raise typer.Exit(EXIT_FAILED)


def _of_channel(preset: Preset) -> Preset:
    rules = tuple(rule for rule in preset.rules if rule.authority != "own")
    if not rules:
        raise InvalidInput(f"All rules of preset {preset.name!r} are Opal's own; leave out --channel-only.")
    return preset.model_copy(update={"rules": rules})


def _judge(presets: Sequence[Preset], settings: Settings) -> Judge:
    if any(rule.rule in PRODUCT_RULES for each in presets for rule in each.rules):
        ensure_weights(settings)
    scoring = settings.scoring
    return Judge(
        presets=presets,
        engine=LateEngine(lambda: load_engine(scoring.engine, settings.models_dir, Compute.of(scoring))),
        limits=Limits.of(settings.photo),
        review_below=settings.review.below,
    )


def _run(found: Sequence[Path], judge: Judge, page: CheckPage | None, workers: int) -> list[CheckedPicture]:
    started = time.monotonic()
    pictures = []
    with photo_progress() as progress, ThreadPoolExecutor(workers) as pool:
        bar = progress.add_task("", total=len(found), rate="")
        tasks = [
            pool.submit(check_picture, path, judge, None if page is None else page.thumbnail(number))
            for number, path in enumerate(found)
        ]
        try:
            for task in tasks:
                pictures.append(task.result())
                advance(progress, bar, len(pictures), time.monotonic() - started)
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise
    return pictures


def _tell(report: CheckReport, html: Path | None, as_json: bool) -> None:
    if as_json:
        print_json(report.model_dump(mode="json"))
        return
    for picture in report.pictures:
        if picture.error is not None:
            line = f"{picture.file}: {picture.error.message} [{picture.error.code}]"
            remarks().print(one_line(line), markup=False, highlight=False, soft_wrap=True)
    rows = broken_rows(report)
    if rows:
        print_table(BROKEN_COLUMNS, rows)
        typer.echo()
    for line in summary_lines(report):
        typer.echo(line)
    if html is not None:
        typer.echo(f"Page for people: {shown(html)}")

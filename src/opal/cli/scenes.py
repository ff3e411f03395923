"""`opal scenes`: the ready-made scenes by name."""

from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.placement.scene import NAMED_SCENES

app = command_app()


@app.command()
def scenes(as_json: JsonOption = False) -> None:
    """List the ready-made scenes; the same names work in the API and in `opal process --scene`."""
    if as_json:
        print_json(
            [
                {
                    "name": named.name,
                    "description": named.description,
                    "scene": named.scene.model_dump(mode="json", by_alias=True),
                }
                for named in NAMED_SCENES
            ]
        )
        return
    print_table(
        ("name", "kind", "description"),
        [(named.name, named.scene.kind, named.description) for named in NAMED_SCENES],
    )

"""`opal presets`: the export presets, what they make and which rules they are held against."""

from opal.cli.terminal import JsonOption, command_app, print_json, print_table
from opal.marketplaces.presets import load_presets, use_presets_of
from opal.settings import load_settings

app = command_app()


@app.command()
def presets(as_json: JsonOption = False) -> None:
    """List the export presets; the same names work in the API and in `opal process --preset`."""
    use_presets_of(load_settings().presets_folder)
    known = load_presets().values()
    if as_json:
        print_json([preset.model_dump(mode="json", exclude_none=True) for preset in known])
        return
    print_table(
        ("name", "channel", "size", "format", "rules#", "description"),
        [
            (
                preset.name,
                preset.channel,
                "photo's own" if preset.native else f"{preset.width} × {preset.height}",
                preset.format,
                len(preset.rules),
                preset.description,
            )
            for preset in known
        ],
    )

"""The list of samples, `samples.toml`, that tests and the demo read instead of guessing from file names."""

from collections.abc import Sequence
from pathlib import Path

from studio.model import Shot


def write_index(shots: Sequence[Shot], out: Path) -> None:
    """Writes one `[[sample]]` table per shot; `size` is upright, width by height in pixels."""
    lines = ["# Written by render.py. Sizes are upright: as seen once the EXIF orientation is applied."]
    for shot in shots:
        lines += [
            "",
            "[[sample]]",
            f'name = "{shot.name}"',
            f'photo = "photos/{shot.name}.{shot.encoding.suffix}"',
            f'alpha = "alpha/{shot.name}.png"',
            f'kind = "{shot.kind}"',
            f"size = [{shot.size[0]}, {shot.size[1]}]",
            f"orientation = {shot.encoding.orientation}",
            f'colour_space = "{shot.encoding.colour_space}"',
            f'tests = "{shot.tests}"',
        ]
    (out / "samples.toml").write_text("\n".join(lines) + "\n", encoding="utf-8")

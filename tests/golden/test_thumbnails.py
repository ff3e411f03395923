"""The thumbnails that web-api ships, against what is drawn now: who opens a page waits for no drawing."""

import os
from pathlib import Path

import numpy as np
import pytest

import opal.web_api
from opal.images.finished import read_finished
from opal.placement.scene import SCENES
from opal.placement.thumbnail import thumbnail
from opal.web_api.scene_thumbnails import FOLDER, scene_thumbnail

SHIPPED = Path(opal.web_api.__file__).parent / FOLDER
RENEW = os.environ.get("RENEW_GOLDEN") == "1"
MEAN = 0.7
"""8-bit codes: grain and JPEG differ a little from build to build, a changed scene by more."""


def test_every_named_scene_and_nothing_else_is_shipped() -> None:
    if RENEW:
        SHIPPED.mkdir(exist_ok=True)
        for file in SHIPPED.glob("*.jpg"):
            if file.stem not in SCENES:
                file.unlink()
    assert {file.name for file in SHIPPED.iterdir()} == {f"{name}.jpg" for name in SCENES}


@pytest.mark.parametrize("name", list(SCENES))
def test_a_shipped_thumbnail_is_what_is_drawn(name: str) -> None:
    now = thumbnail(SCENES[name])
    if RENEW:
        (SHIPPED / f"{name}.jpg").write_bytes(now)
        scene_thumbnail.cache_clear()
    shown, drawn = (
        read_finished(data).pixels.astype(np.float64) for data in (scene_thumbnail(name).data, now)
    )
    assert shown.shape == drawn.shape
    difference = np.abs(shown - drawn).mean()
    assert difference <= MEAN, (
        f"The thumbnail of {name!r} is {difference:.2f} codes off what is drawn now (limit {MEAN}).\n"
        "Renew: RENEW_GOLDEN=1 pytest tests/golden, and look at src/opal/web_api/thumbnails/ at full size."
    )

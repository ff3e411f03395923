"""Which presets can hold a transparent scene."""

import pytest

from opal.errors import InvalidScene
from opal.marketplaces.presets import load_presets, resolve_presets
from opal.marketplaces.scene_fit import check_scene_fits
from opal.placement.scene import SolidScene, TransparentScene

PRESETS = load_presets()
OPAQUE = [name for name, each in PRESETS.items() if each.ground == "scene" and each.format == "jpeg"]


@pytest.mark.parametrize("name", OPAQUE)
def test_a_jpeg_that_keeps_the_scene_cannot_be_transparent(name: str) -> None:
    with pytest.raises(InvalidScene, match=rf"JPEG, as preset {name} makes; use preset cutout-png"):
        check_scene_fits(TransparentScene(), resolve_presets(["cutout-png", name]))


def test_every_other_preset_and_scene_is_left_alone() -> None:
    assert "square-1x1" in OPAQUE
    check_scene_fits(TransparentScene(), [each for name, each in PRESETS.items() if name not in OPAQUE])
    check_scene_fits(SolidScene(), list(PRESETS.values()))

"""Scenes as data and as pixels: names, refusals, the same picture every time, no bands."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from opal.errors import InvalidPlacement, InvalidScene, UnknownEngine, UnknownScene
from opal.images.colour import to_srgb8
from opal.images.metadata import DigitalSourceType
from opal.placement.camera import Standing
from opal.placement.engines import ENGINES, engine_for
from opal.placement.interface import Canvas, Ground
from opal.placement.looks import LOOKS
from opal.placement.placement import Placement, resolve_placement
from opal.placement.provenance import digital_source_type
from opal.placement.scene import (
    NAMED_SCENES,
    SCENES,
    GradientScene,
    Scene,
    SolidScene,
    StudioScene,
    TransparentScene,
    resolve_scene,
)


def _paint(scene: Scene, width: int = 300, height: int = 300, seed: int = 1) -> NDArray[np.float32]:
    canvas = Canvas(width, height, ground_row=0.75 * height, seed=seed)
    pixels = engine_for(scene.kind).render(scene, canvas).pixels
    assert pixels is not None
    return pixels


def test_every_named_scene_resolves_and_every_kind_has_an_engine() -> None:
    for named in NAMED_SCENES:
        assert resolve_scene(named.name) == named.scene
        assert named.scene.kind in ENGINES
        assert named.description.endswith(".")
    assert {f"studio-{look}" for look in LOOKS} <= SCENES.keys()


def test_an_unknown_name_is_answered_with_the_known_ones() -> None:
    with pytest.raises(UnknownScene, match=r"'studio-neon' is not known. Known: transparent, white"):
        resolve_scene("studio-neon")
    with pytest.raises(UnknownEngine, match="hologram"):
        engine_for("hologram")


def test_scene_data_becomes_the_scene_of_its_kind() -> None:
    scene = resolve_scene({"kind": "gradient", "from": "#000000", "to": "#FFFFFF", "angle": 90})
    assert scene == GradientScene(start="#000000", end="#FFFFFF", angle=90)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"kind": "solid", "colour": "red"}, r"solid\.colour: Should be a colour such as #f4f1ec"),
        ({"kind": "studio", "look": "neon"}, r"studio\.look: unknown look 'neon'; known: white"),
        ({"kind": "solid", "color": "#ffffff"}, r"solid\.color: Extra inputs"),
        ({"kind": "moon"}, r"scene: Input tag 'moon'"),
        ({}, "scene: Unable to extract tag"),
    ],
)
def test_bad_scene_data_names_field_and_reason(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidScene, match=reason):
        resolve_scene(data)


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        ({"fill": 1.2}, "fill: Input should be less than"),
        ({"fill": 0.8, "margin": 0.1}, "give `fill` or `margin`, not both"),
        ({"alignment": "middle"}, "alignment: "),
        ({"shadow": "dramatic"}, "shadow: "),
        ({"shadow_length": 9}, "shadow_length: "),
        ({"size": 3}, "size: Extra inputs"),
    ],
)
def test_bad_placement_data_names_field_and_reason(data: dict[str, Any], reason: str) -> None:
    with pytest.raises(InvalidPlacement, match=reason):
        resolve_placement(data)


def test_no_placement_data_is_the_default_placement() -> None:
    assert resolve_placement(None) == resolve_placement({}) == Placement()


def test_a_solid_scene_is_exactly_its_colour() -> None:
    codes = to_srgb8(np.ascontiguousarray(_paint(SolidScene(colour="#12ab34"))))
    assert (codes == np.array([0x12, 0xAB, 0x34])).all()


def test_a_gradient_runs_from_one_colour_to_the_other_in_its_direction() -> None:
    pixels = _paint(GradientScene(start="#000000", end="#ffffff", angle=90), 200, 100)
    assert pixels[50, 0, 0] < 0.001
    assert pixels[50, -1, 0] > 0.999
    assert (np.diff(pixels[50, :, 0]) >= 0).all()
    assert np.ptp(pixels[:, 100, 0]) < 1e-6
    radial = _paint(GradientScene(shape="radial", start="#ffffff", end="#000000"), 200, 100)
    assert radial[50, 100, 0] > 0.99
    assert radial[0, 0, 0] < 0.01


@pytest.mark.parametrize("look", list(LOOKS))
def test_the_same_studio_and_seed_give_the_same_pixels(look: str) -> None:
    scene = StudioScene(look=look)
    assert np.array_equal(_paint(scene, seed=7), _paint(scene, seed=7))
    assert not np.array_equal(_paint(scene, seed=7), _paint(scene, seed=8))
    fixed = StudioScene(look=look, seed=3)
    assert np.array_equal(_paint(fixed, seed=7), _paint(fixed, seed=8)), "a scene's own seed wins"


@pytest.mark.parametrize("look", list(LOOKS))
def test_no_look_is_lost_in_black_or_burnt_out(look: str) -> None:
    pixels = _paint(StudioScene(look=look), 400, 400)
    assert pixels.min() > 0.001, "the darkest corner still holds detail"
    assert pixels.max() <= 1.0
    assert (pixels >= 0.999).mean() < 0.001


@pytest.mark.parametrize("look", [name for name, look in LOOKS.items() if look.surface is None])
def test_a_sweep_has_a_lit_floor_and_falls_off_towards_the_corners(look: str) -> None:
    pixels = _paint(StudioScene(look=look), 400, 400)
    foot = pixels[290:310, 180:220].mean()
    assert foot > pixels[:20, :20].mean() * 1.1
    assert foot > pixels[:20, -20:].mean() * 1.1


@pytest.mark.parametrize("look", list(LOOKS))
def test_a_set_looks_alike_at_every_size(look: str) -> None:
    small, large = (_paint(StudioScene(look=look), side, side) for side in (250, 1000))
    shrunk = large.reshape(250, 4, 250, 4, 3).mean(axis=(1, 3))
    assert np.abs(shrunk - small).mean() < 0.005


@pytest.mark.parametrize("look", list(LOOKS))
@pytest.mark.parametrize(("width", "height"), [(90, 400), (1200, 200), (33, 17)])
def test_a_set_fills_every_aspect(look: str, width: int, height: int) -> None:
    pixels = _paint(StudioScene(look=look), width, height)
    assert pixels.shape == (height, width, 3)
    assert np.isfinite(pixels).all()
    assert (pixels > 0.0).all()


def test_the_stand_follows_the_product_and_catches_its_shadow_only_on_top() -> None:
    scene = StudioScene(look="podium")

    def render(centre: float, width: float) -> Ground:
        canvas = Canvas(400, 400, ground_row=300, seed=1, product=Standing(centre, width))
        return engine_for("studio").render(scene, canvas)

    narrow, wide, left = render(200, 100), render(200, 200), render(120, 100)
    for ground, centre, width in ((narrow, 200, 100), (wide, 200, 200), (left, 120, 100)):
        assert ground.catches is not None
        columns = np.flatnonzero(ground.catches.max(axis=0) > 0.5)
        assert columns.mean() == pytest.approx(centre, abs=1.0)
        assert columns.size == pytest.approx(1.56 * width, abs=3.0)
        assert ground.catches[299, round(centre)] == 1.0, "the product's foot is on the stand"
        assert ground.catches[390].max() == 0.0, "the side of the stand catches nothing"


@pytest.mark.parametrize(
    "scene", [GradientScene(), StudioScene(look="white"), StudioScene(look="grey"), StudioScene(look="dark")]
)
def test_smooth_grounds_have_no_bands_in_8_bit(scene: Scene) -> None:
    """Dithered codes, averaged over 16 pixels, follow the real light to a fraction of a code."""
    canvas = Canvas(512, 512, ground_row=400, seed=1)
    ground = engine_for(scene.kind).render(scene, canvas)
    assert ground.smooth
    assert ground.pixels is not None
    dithered = to_srgb8(ground.pixels, dither_seed=1).astype(np.float32)
    exact = 255 * (1.055 * ground.pixels ** (1 / 2.4) - 0.055)
    difference = (dithered - exact).reshape(32, 16, 32, 16, 3).mean(axis=(1, 3))
    assert np.abs(difference).max() < 0.25
    assert abs(float(difference.mean())) < 0.02


def test_only_a_set_that_imitates_a_place_is_called_a_composite() -> None:
    assert digital_source_type(StudioScene()) is DigitalSourceType.COMPOSITE
    for scene in (TransparentScene(), SolidScene(), GradientScene()):
        assert digital_source_type(scene) is None

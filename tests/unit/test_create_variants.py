"""Variants: every preset from one photo, each file what its rows say."""

import hashlib

import numpy as np
import pytest
from tests.unit.drawn_products import Product, mug

from opal.errors import NoProductFound
from opal.export_worker.create_variants import Variant, create_variants, placement_for, scene_for
from opal.images.finished import read_finished
from opal.images.metadata import read_digital_source_type
from opal.marketplaces.presets import Preset, load_presets
from opal.placement.placement import Placement
from opal.placement.scene import SolidScene, StudioScene, TransparentScene

# Every preset is made once, which takes a while: not once more on each worker.
pytestmark = pytest.mark.xdist_group("variants")

PRESETS = load_presets()
STUDIO = StudioScene(look="warm")


@pytest.fixture(scope="module")
def drawn() -> Product:
    return mug(1500, 1300)


@pytest.fixture(scope="module")
def variants(drawn: Product) -> dict[str, Variant]:
    made = create_variants(drawn.photo, drawn.matte, STUDIO, Placement(), list(PRESETS.values()), seed=5)
    assert [variant.preset for variant in made] == list(PRESETS)
    return {variant.preset: variant for variant in made}


def test_every_row_of_every_preset_passes_but_those_that_want_more_pixels(
    variants: dict[str, Variant],
) -> None:
    failed = [
        (name, row.rule, variant.capped)
        for name, variant in variants.items()
        for row in variant.compliance
        if not row.passed
    ]
    # Google refuses enlarged pictures, so its product stays smaller than Google wants; Walmart's are so large
    # that even enlarged twofold it falls short of what is promised. Both are said.
    assert failed == [("google-merchant", "fill_share", True), ("walmart-main", "fill_share", True)]


@pytest.mark.parametrize("name", list(PRESETS))
def test_a_variant_says_what_its_file_is(variants: dict[str, Variant], name: str) -> None:
    variant = variants[name]
    file = read_finished(variant.data)
    assert (file.width, file.height, file.format) == (variant.width, variant.height, variant.format)
    assert hashlib.sha256(variant.data).hexdigest() == variant.sha256
    assert file.colour_space == "srgb"
    assert read_digital_source_type(variant.data) == variant.digital_source_type


@pytest.mark.parametrize("name", list(PRESETS))
def test_the_product_is_not_altered(variants: dict[str, Variant], name: str) -> None:
    fidelity = variants[name].fidelity
    assert fidelity.share_within_de1 is not None
    # WebP has colour at half resolution only, whatever its quality.
    assert fidelity.share_within_de1 > (0.93 if name == "thumbnail-webp" else 0.95)
    assert fidelity.silhouette_iou is not None
    assert fidelity.silhouette_iou > 0.99


def test_only_pictures_on_a_computed_set_are_called_composites(variants: dict[str, Variant]) -> None:
    assert variants["square-1x1"].digital_source_type == "composite"
    assert variants["amazon-main"].digital_source_type is None
    assert variants["cutout-png"].digital_source_type is None


def test_the_cut_out_keeps_the_photos_own_pixels(variants: dict[str, Variant], drawn: Product) -> None:
    file = read_finished(variants["cutout-png"].data)
    assert variants["cutout-png"].fidelity.max_de == 0.0
    assert not variants["cutout-png"].upscaled
    rows, columns = np.nonzero(drawn.matte > 0.02)
    assert file.width < np.ptp(columns) * 1.06
    assert file.height < np.ptp(rows) * 1.06
    assert (file.pixels[file.pixels[..., 3] == 0] == 0).all()


def test_a_small_photo_is_capped_and_the_fill_row_says_by_how_much() -> None:
    small = mug(320, 280)
    variant = create_variants(
        small.photo, small.matte, STUDIO, Placement(), [PRESETS["amazon-main"]], seed=1
    )[0]
    assert variant.capped
    assert variant.upscaled
    failed = {row.rule: row.measured for row in variant.compliance if not row.passed}
    assert set(failed) == {"fill_share"}
    assert isinstance(failed["fill_share"], float)
    assert failed["fill_share"] < 0.3


def test_the_same_seed_gives_the_same_bytes(drawn: Product) -> None:
    wanted = [PRESETS["story-9x16"]]
    one = create_variants(drawn.photo, drawn.matte, STUDIO, Placement(), wanted, seed=5)[0]
    same = create_variants(drawn.photo, drawn.matte, STUDIO, Placement(), wanted, seed=5)[0]
    assert one.sha256 == same.sha256


def test_a_byte_budget_is_met_by_lowering_quality(drawn: Product) -> None:
    preset = PRESETS["story-9x16"]
    free = create_variants(drawn.photo, drawn.matte, STUDIO, Placement(), [preset], seed=1)[0]
    budget = len(free.data) * 3 // 4
    held = create_variants(
        drawn.photo,
        drawn.matte,
        STUDIO,
        Placement(),
        [preset.model_copy(update={"max_bytes": budget})],
        seed=1,
    )[0]
    assert len(held.data) <= budget


def test_what_quality_cannot_save_is_saved_in_pixels_down_to_the_channels_least_size() -> None:
    small = mug(320, 280)
    shown = PRESETS["square-1x1"].model_dump(mode="json", exclude_defaults=True)
    least = {"rule": "shortest_side", "minimum": 150}
    made = {}
    for name, most in (("met", 5000), ("not-met", 3200)):
        held = Preset.model_validate(
            shown
            | {"name": name, "width": 400, "height": 300, "lowest_quality": 90, "max_bytes": most}
            | {"rules": [least, {"rule": "bytes", "maximum": most}, {"rule": "width", "maximum": 400}]}
        )
        [made[name]] = create_variants(small.photo, small.matte, STUDIO, Placement(), [held], seed=1)
    for variant in made.values():
        [size, weight, _width] = variant.compliance
        assert size.passed
        assert abs(variant.width * 3 / 4 - variant.height) <= 0.5
        assert weight.fixed is not None
        assert "quality lowered from 95 to 9" in weight.fixed
        assert f"size lowered from 400 × 300 to {variant.width} × {variant.height}" in weight.fixed
        assert not variant.fidelity.altered
    assert 150 < made["met"].height < 300
    assert len(made["met"].data) <= 5000
    # The least size is the channel's, so the budget is what gives way, and is told with its measure.
    assert made["not-met"].height == 150
    assert [row.rule for row in made["not-met"].compliance if row.failed] == ["bytes"]


def test_an_empty_matte_is_refused(drawn: Product) -> None:
    with pytest.raises(NoProductFound):
        create_variants(
            drawn.photo, np.zeros_like(drawn.matte), STUDIO, Placement(), list(PRESETS.values()), seed=1
        )


def test_channels_that_prescribe_the_ground_replace_the_scene() -> None:
    assert scene_for(PRESETS["amazon-main"], STUDIO) == SolidScene(colour="#ffffff")
    assert scene_for(PRESETS["cutout-png"], STUDIO) == TransparentScene()
    assert scene_for(PRESETS["square-1x1"], STUDIO) is STUDIO


@pytest.mark.parametrize(
    ("preset", "asked", "expected"),
    [
        ("square-1x1", Placement(), {"margin": 0.12, "fill": None, "shadow": None, "upscale_limit": 2.0}),
        ("square-1x1", Placement(fill=0.5, alignment="left"), {"fill": 0.5, "alignment": "left"}),
        ("square-1x1", Placement(ground=0.8, upscale_limit=3.0), {"ground": 0.8, "upscale_limit": 3.0}),
        ("amazon-main", Placement(margin=0.3), {"fill": 0.88, "margin": None, "shadow": "none"}),
        ("amazon-main", Placement(ground=0.8, alignment="left"), {"ground": None, "alignment": "center"}),
    ],
)
def test_a_presets_demands_win_and_its_defaults_give_way(
    preset: str, asked: Placement, expected: dict[str, object]
) -> None:
    merged = placement_for(PRESETS[preset], asked).model_dump()
    assert {key: merged[key] for key in expected} == expected

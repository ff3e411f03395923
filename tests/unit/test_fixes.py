"""What is called mended was broken in the photo and is whole in the picture; nothing else is."""

from collections.abc import Sequence

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from tests.unit.photo_files import image

from opal.images.decode import decode_photo
from opal.images.finished import FinishedPicture
from opal.marketplaces.compliance import check
from opal.marketplaces.fixes import UNTOLD, WORDS, AsPhotographed, Made, with_fixes
from opal.marketplaces.measurements import MEASUREMENTS, Placed
from opal.marketplaces.presets import Preset, load_presets
from opal.marketplaces.rule import Rule

SIDE = 200
MATTE = np.zeros((84, 70), np.float32)
MATTE[20:55, 10:45] = 1.0
PRESET = load_presets()["amazon-main"].model_copy(update={"width": SIDE, "height": SIDE})


def photo(ground: int = 90, *, orientation: int = 1, bits: int = 8, dpi: int = 72) -> AsPhotographed:
    """70 × 84 upright, a product of 35 × 35 pixels, with a wide-gamut profile."""
    codes = np.full((84, 70, 3), ground, np.uint8)
    codes[MATTE > 0] = (120, 60, 30)
    picture = image(np.rot90(codes) if orientation == 6 else codes)
    if bits == 16:
        picture = picture.colourspace("rgb16")
    picture = picture.copy(xres=dpi / 25.4, yres=dpi / 25.4)
    profile = pyvips.Operation.call("profile_load", "p3")
    picture.set_type(pyvips.GValue.blob_type, "icc-profile-data", profile)
    picture.set_type(pyvips.GValue.gint_type, "orientation", orientation)
    return AsPhotographed(decode_photo(picture.pngsave_buffer()), MATTE, "mug.jpg")


def placed(fill: int = 170) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """The product on white, `fill` of `SIDE` pixels."""
    margin = (SIDE - fill) // 2
    alpha = np.zeros((SIDE, SIDE), np.float32)
    alpha[margin : margin + fill, margin : margin + fill] = 1.0
    codes = np.full((SIDE, SIDE, 3), 255, np.uint8)
    codes[alpha > 0] = (120, 60, 30)
    return codes, alpha


def fixed(
    source: AsPhotographed, *rules: Rule, done: Sequence[str] = (), fill: int = 170, marked: str | None = None
) -> list[str | None]:
    codes, alpha = placed(fill)
    preset: Preset = PRESET.model_copy(update={"rules": rules})
    picture = FinishedPicture(
        codes, "jpeg", bytes=9000, bits=8, dpi=300, colour_space="srgb", digital_source_type=marked
    )
    rows = check(picture, preset, Placed(alpha, 3.0, "jpg", marked))
    made = Made(SIDE, SIDE, marked, done)
    return [row.fixed for row in with_fixes(rows, preset, source, made)]


@pytest.mark.parametrize(
    ("rule", "said"),
    [
        (Rule(rule="shortest_side", minimum=150), "placed on 200 × 200; the photo has 70 × 84"),
        (Rule(rule="width", equals=SIDE), "placed on 200 × 200; the photo has 70 × 84"),
        (Rule(rule="aspect_ratio", equals=1.0), "ground laid around the product; the photo has 70 × 84"),
        (Rule(rule="format", equals="jpeg"), "converted from png"),
        (Rule(rule="extension", equals=True), "named .jpg; the photo is mug.jpg"),
        (Rule(rule="colour_space", equals="srgb"), "converted to sRGB from sP3C"),
        (Rule(rule="background_border", equals="255,255,255"), "background replaced by pure white; in the"),
        (Rule(rule="background_outside", equals="255,255,255"), "background replaced by pure white; in the"),
        (Rule(rule="fill_share", minimum=0.8), "product placed anew; in the photo it is 0.5"),
        (Rule(rule="dpi", equals=300), "set anew; the photo says 72"),
        (Rule(rule="bytes", minimum=5000), "encoded anew; the photo's file has "),
    ],
)
def test_what_the_photo_breaks_and_the_picture_keeps_is_said(rule: Rule, said: str) -> None:
    # A product that fills the picture leaves no ground to measure.
    [told] = fixed(photo(), rule, fill=120 if rule.rule == "background_outside" else 170)
    assert told is not None
    assert told.startswith(said)


@pytest.mark.parametrize(
    "rule",
    [
        Rule(rule="shortest_side", minimum=50),
        Rule(rule="has_alpha", equals=False),
        Rule(rule="frames", maximum=1),
        Rule(rule="upscaling", maximum=4.0),
        Rule(rule="ai_marking", equals=True),
        # Broken by both, so nothing was mended.
        Rule(rule="shortest_side", minimum=500),
        Rule(rule="fill_share", minimum=0.95),
    ],
)
def test_what_was_whole_or_still_is_broken_is_not_called_mended(rule: Rule) -> None:
    assert fixed(photo(), rule) == [None]


def test_every_rule_has_its_words() -> None:
    assert set(WORDS) | UNTOLD == set(MEASUREMENTS)


def test_a_white_ground_of_the_photos_own_is_left_out() -> None:
    rules = [Rule(rule=name, equals="255,255,255") for name in ("background_border", "background_outside")]
    white = photo(255)
    white = AsPhotographed(white.photo, MATTE)
    # Display P3's white is sRGB's.
    assert fixed(white, *rules) == [None, None]


def test_depth_marking_turning_and_a_name_that_is_not_known() -> None:
    deep = photo(bits=16, orientation=6)
    assert fixed(deep, Rule(rule="bits_per_channel", equals=8)) == ["stored anew; the photo has 16 bits"]
    # 84 × 70 as stored, which some shops show lying.
    assert fixed(deep, Rule(rule="aspect_ratio", maximum=1.0)) == ["turned upright, as the photo's EXIF says"]
    assert fixed(photo(), Rule(rule="aspect_ratio", maximum=1.0)) == [None]
    assert fixed(photo(), Rule(rule="ai_marking", equals=True), marked="compositeSynthetic") == [
        "marked as compositeSynthetic"
    ]
    nameless = AsPhotographed(photo().photo, MATTE)
    assert fixed(nameless, Rule(rule="extension", equals=True)) == [None]


def test_what_gave_way_to_a_budget_is_said_even_where_it_was_not_enough() -> None:
    done = ("quality lowered from 95 to 70", "size lowered from 300 × 300 to 200 × 200")
    for most in (10, 10_000):
        assert fixed(photo(), Rule(rule="bytes", maximum=most), done=done) == [", ".join(done)]

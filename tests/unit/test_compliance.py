"""The compliance report: every rule measured on the decoded file, right and wrong pictures told apart."""

from collections.abc import Mapping

import numpy as np
import pytest
from numpy.typing import NDArray

from opal.images.encode import EXTENSION, OutputFormat, encode
from opal.images.finished import read_finished
from opal.marketplaces.compliance import RuleResult, check, limit_text
from opal.marketplaces.measurements import Placed
from opal.marketplaces.presets import Preset, load_presets
from opal.marketplaces.rule import Rule

AMAZON = load_presets()["amazon-main"]
CUTOUT = load_presets()["cutout-png"]


def _scene(side: int = 2000, share: float = 0.9) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """A dark square product of `share` of the frame on white, and its coverage."""
    pixels = np.full((side, side, 3), 255, np.uint8)
    alpha = np.zeros((side, side), np.float32)
    edge = round(side * (1 - share) / 2)
    pixels[edge:-edge, edge:-edge] = (90, 60, 40)
    alpha[edge:-edge, edge:-edge] = 1.0
    return pixels, alpha


def _check(
    pixels: NDArray[np.uint8],
    alpha: NDArray[np.float32],
    preset: Preset = AMAZON,
    *,
    format_: OutputFormat = "jpeg",
    scale: float = 1.0,
) -> Mapping[str, RuleResult]:
    data = encode(pixels, format_, 92)
    rows = check(read_finished(data), preset, Placed(alpha, scale, extension=EXTENSION[format_]))
    assert [row.rule for row in rows] == [rule.rule for rule in preset.rules]
    return {row.rule: row for row in rows}


def test_a_right_picture_passes_every_rule() -> None:
    rows = _check(*_scene())
    assert all(row.passed for row in rows.values()), rows
    assert rows["fill_share"].measured == pytest.approx(0.9, abs=0.001)
    assert rows["fill_share"].limit == ">= 0.85"
    assert rows["fill_share"].authority == "official"
    assert rows["fill_share"].source is not None
    assert rows["background_outside"].measured == "255,255,255"
    assert rows["colour_space"].measured == "srgb"
    assert rows["dpi"].measured == 72


def test_a_small_product_fails_by_its_measured_share() -> None:
    row = _check(*_scene(share=0.5))["fill_share"]
    assert not row.passed
    assert row.measured == pytest.approx(0.5, abs=0.001)


def test_an_off_white_ground_fails_and_is_named() -> None:
    pixels, alpha = _scene()
    pixels[alpha == 0] = (250, 250, 250)
    rows = _check(pixels, alpha)
    assert rows["background_border"].measured == "250,250,250"
    assert not rows["background_border"].passed
    assert not rows["background_outside"].passed


def test_a_spot_in_the_ground_fails_though_the_border_is_white() -> None:
    pixels, alpha = _scene(share=0.86)
    pixels[40:60, 1000:1020] = 200
    rows = _check(pixels, alpha)
    assert rows["background_border"].passed
    assert not rows["background_outside"].passed


def test_a_product_at_the_border_has_no_clearance() -> None:
    pixels, alpha = _scene()
    alpha[1000, 0] = 1.0
    row = _check(pixels, alpha)["clearance"]
    assert row.measured == 0
    assert not row.passed


def test_enlargement_wrong_size_and_wrong_format_fail() -> None:
    pixels, alpha = _scene(side=1000)
    rows = _check(pixels, alpha, format_="webp", scale=2.4)
    failed = {name for name, row in rows.items() if row.failed}
    assert failed == {"width", "height", "format", "upscaling"}
    # Advice, which nobody is refused for.
    assert not rows["longest_side"].passed
    assert rows["upscaling"].measured == 2.4
    assert rows["format"].measured == "webp"


def test_a_cut_out_is_measured_by_its_own_alpha() -> None:
    pixels, alpha = _scene(side=400, share=0.8)
    cut = np.dstack([pixels, (alpha * 255).astype(np.uint8)])
    rows = _check(cut, np.zeros_like(alpha), CUTOUT, format_="png")
    assert all(row.passed for row in rows.values()), rows
    assert rows["clearance"].measured == 40
    opaque = _check(pixels, alpha, CUTOUT, format_="png")
    assert not opaque["has_alpha"].passed


def test_margins_are_shares_of_the_shorter_side_and_frames_are_counted() -> None:
    pixels, alpha = _scene(side=400, share=0.8)
    wide = np.pad(pixels, ((0, 0), (100, 100), (0, 0)), constant_values=255)
    rules = (Rule(rule="margin_share", minimum=0.1), Rule(rule="frames", equals=1))
    preset = CUTOUT.model_copy(update={"rules": rules})
    rows = _check(wide, np.pad(alpha, ((0, 0), (100, 100))), preset)
    assert {name: (row.measured, row.passed) for name, row in rows.items()} == {
        "margin_share": (0.1, True),
        "frames": (1, True),
    }


@pytest.mark.parametrize(
    ("rule", "text"),
    [
        (Rule(rule="fill_share", minimum=0.85), ">= 0.85"),
        (Rule(rule="longest_side", minimum=500, maximum=10_000), ">= 500 and <= 10000"),
        (Rule(rule="bytes", maximum=10_000_000), "<= 10000000"),
        (Rule(rule="aspect_ratio", equals=1.3333, tolerance=0.001), "= 1.3333 +/- 0.001"),
        (Rule(rule="has_alpha", equals=False), "= no"),
        (Rule(rule="format", one_of=("jpeg", "png")), "one of jpeg, png"),
    ],
)
def test_limits_read_as_people_write_them(rule: Rule, text: str) -> None:
    assert limit_text(rule) == text

"""Straightening: the lean of real and drawn products is found, or they are left alone; nothing is cut."""

import math
from collections.abc import Callable

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from tests.project.source_tree import ROOT
from tests.unit.drawn_products import Field, ball, box_with_label, coverage, mug, product

from opal.export_worker.create_variants import create_variants
from opal.images.colour import to_linear
from opal.images.matte import Matte
from opal.images.straighten import LEAST_DEGREES, MOST_DEGREES, turn_needed, turned, turned_size
from opal.marketplaces.presets import resolve_presets
from opal.placement.placement import Placement
from opal.placement.scene import SolidScene
from opal.placement.upright import upright


def _sample(name: str) -> Matte:
    codes = pyvips.Image.new_from_file(str(ROOT / "samples" / "alpha" / f"{name}.png")).numpy()
    return np.asarray(codes / np.float32(255), np.float32)


def _leaning(matte: Matte, degrees: float) -> Matte:
    return turned(product(matte).photo, matte, degrees)[1]


@pytest.mark.parametrize(
    ("name", "own"), [("tea-tin", 0.8), ("soap-dispenser", -0.25), ("glass-bottle", 0.45)]
)
@pytest.mark.parametrize("degrees", [-11.0, -5.0, -2.0, 2.0, 5.0, 11.0])
def test_the_lean_of_what_has_straight_sides_is_found(name: str, own: float, degrees: float) -> None:
    """`own` is what perspective makes the sample lean on its photo already."""
    assert turn_needed(_leaning(_sample(name), degrees)) == pytest.approx(own - degrees, abs=0.1)


@pytest.mark.parametrize("name", ["stoneware-mug", "moka-pot", "gold-ring"])
@pytest.mark.parametrize("degrees", [-7.0, -1.0, 0.0, 3.0, 9.0])
def test_what_is_round_or_irregular_is_left_alone(name: str, degrees: float) -> None:
    assert turn_needed(_leaning(_sample(name), degrees)) == 0.0


def test_a_bag_is_never_turned_the_wrong_way() -> None:
    """Soft, tapered, half of it straps: turned by no more than it leans, or not at all."""
    matte = _sample("canvas-tote")
    for degrees in (-9.0, -2.0, 0.0, 1.0, 5.0, 11.0):
        turn = turn_needed(_leaning(matte, degrees))
        assert turn == 0.0 or turn == pytest.approx(-degrees, abs=0.7)


def _parallelogram(x: Field, y: Field) -> NDArray[np.bool_]:
    return np.asarray((np.abs(x - 200 + 0.12 * (y - 200)) < 70) & (np.abs(y - 200) < 120))


def _wedge(x: Field, y: Field) -> NDArray[np.bool_]:
    return np.asarray((x > 100) & (x < 220 + 0.1 * (y - 80)) & (y > 80) & (y < 320))


def _leaning_right_on_a_level_base(x: Field, y: Field) -> NDArray[np.bool_]:
    up = 340 - y
    return np.asarray((x > 60 + 0.04 * up) & (x < 310 + 0.15 * up) & (up > 0) & (up < 160))


def _cone(x: Field, y: Field) -> NDArray[np.bool_]:
    return np.asarray((np.abs(x - 200) < 0.3 * (y - 60)) & (y > 60) & (y < 330))


def _star(x: Field, y: Field) -> NDArray[np.bool_]:
    angle, radius = np.arctan2(y - 200, x - 200), np.hypot(x - 200, y - 200)
    return np.asarray(radius < 90 + 45 * np.cos(5 * angle + 0.4))


@pytest.mark.parametrize("shape", [_parallelogram, _wedge, _leaning_right_on_a_level_base, _cone, _star])
def test_a_slanted_shape_that_stands_level_is_no_leaning_one(
    shape: Callable[[Field, Field], NDArray[np.bool_]],
) -> None:
    assert turn_needed(coverage(shape, 400, 400)) == 0.0


@pytest.mark.parametrize("matte", [ball().matte, mug().matte, np.zeros((40, 40), np.float32)])
def test_nothing_to_go_by_is_no_turn(matte: Matte) -> None:
    assert turn_needed(matte) == 0.0


def test_too_little_and_too_much_are_left_alone_and_so_is_what_leaves_the_photo() -> None:
    upright_box = box_with_label().matte
    assert turn_needed(upright_box) == 0.0
    assert turn_needed(_leaning(upright_box, LEAST_DEGREES)) == 0.0
    assert turn_needed(_leaning(upright_box, MOST_DEGREES + 0.5)) == 0.0
    leaning = _leaning(upright_box, 6.0)
    assert turn_needed(leaning) == pytest.approx(-6.0, abs=0.05)
    left = int(np.flatnonzero((leaning > 0.5).any(axis=0))[0])
    assert turn_needed(leaning[:, left:]) == 0.0, "its side was cut by the photo"


@pytest.mark.parametrize("degrees", [-12.0, -3.3, 0.7, 8.0])
def test_turning_there_and_back_returns_every_pixel(degrees: float) -> None:
    drawn = ball(301, 260, diameter=0.98)
    there = turned(drawn.photo, drawn.matte, degrees)
    assert (there[0].width, there[0].height) == turned_size(301, 260, degrees) == there[1].shape[::-1]
    assert there[1].sum() == pytest.approx(drawn.matte.sum(), rel=1e-3), "nothing is cut off"
    photo, matte = turned(*there, -degrees)
    # A frame that grew by an odd number of pixels lies half a pixel off: compare centres of mass instead.
    rows, columns = np.mgrid[0 : photo.height, 0 : photo.width] + 0.5
    middle = (float((matte * columns).sum() / matte.sum()), float((matte * rows).sum() / matte.sum()))
    assert middle == pytest.approx((photo.width / 2, photo.height / 2), abs=0.02)
    left, top = (photo.width - 301) // 2, (photo.height - 260) // 2
    if (photo.width - 301) % 2 == 0 and (photo.height - 260) % 2 == 0:
        inner = (slice(top + 60, top + 200), slice(left + 60, left + 240))
        before = to_linear(drawn.photo.pixels.numpy())[60:200, 60:240]
        assert np.abs(to_linear(photo.pixels.numpy())[inner] - before).max() < 0.01


def test_solid_product_stays_solid_and_clear_ground_clear() -> None:
    drawn = box_with_label()
    matte = turned(drawn.photo, drawn.matte, 5.0)[1]
    y, x = (np.mgrid[0 : matte.shape[0], 0 : matte.shape[1]] + 0.5) - np.array(matte.shape)[:, None, None] / 2
    cosine, sine = math.cos(math.radians(5.0)), math.sin(math.radians(5.0))
    across, along = np.abs(x * cosine + y * sine), np.abs(y * cosine - x * sine)
    assert (matte[(across < 117) & (along < 137)] == 1.0).all()
    assert (matte[(across > 123) | (along > 143)] == 0.0).all()


def test_a_placement_turns_only_when_it_asks_and_fidelity_is_held_against_the_turned_photo() -> None:
    drawn = box_with_label()
    photo, matte = turned(drawn.photo, drawn.matte, 4.0)
    assert upright(photo, matte, Placement()).photo is photo
    presets = resolve_presets(["cutout-png"])
    asked = Placement(straighten=True)
    for placement, expected in ((Placement(), 0.0), (asked, -4.0)):
        [variant] = create_variants(photo, matte, SolidScene(), placement, presets, seed=1)
        assert variant.straightened_degrees == pytest.approx(expected, abs=0.05)
        assert variant.fidelity.share_within_de1 is not None
        assert variant.fidelity.share_within_de1 > 0.999
        assert variant.fidelity.silhouette_iou is not None
        assert variant.fidelity.silhouette_iou > 0.98
        assert (variant.scale, variant.upscaled) == (1.0, False)
    # Upright again, the box fills its trimmed picture to the margins.
    assert (variant.width, variant.height) == pytest.approx((240 + 12, 280 + 12), abs=4)

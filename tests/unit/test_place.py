"""Composing: product pixels exact, ground untouched where it should be, nothing cut, nothing haloed."""

import numpy as np
import pytest
from tests.unit.drawn_products import GREEN, ball, box_with_label, mug, product

from opal.images.geometry import Box
from opal.images.shadow import ShadowKind
from opal.placement.casting import lift_rows, light_of, shadow_kind
from opal.placement.place import compose, standing_of
from opal.placement.placement import Placement
from opal.placement.scene import SCENES, SolidScene, StudioScene, TransparentScene

WHITE = SolidScene()


def test_product_pixels_come_out_as_they_were_at_native_size() -> None:
    drawn = box_with_label()
    made = compose(drawn.found, StudioScene(), Placement(margin=0.0), 700, 700, seed=1)
    assert made.transform.scale == 1.0
    assert not made.upscaled
    box = made.product_box
    shown = made.pixels[box.top : box.bottom, box.left : box.right]
    original = drawn.photo.pixels.numpy()[60:340, 80:320]
    assert np.array_equal(shown, original)


def test_a_white_ground_stays_255_outside_the_product_and_its_shadow() -> None:
    drawn = mug()
    plain = compose(drawn.found, WHITE, Placement(shadow="none"), 300, 300, seed=1)
    assert (plain.pixels[plain.alpha == 0.0] == 255).all()
    shadowed = compose(drawn.found, WHITE, Placement(), 300, 300, seed=1)
    assert (shadowed.pixels[:100][shadowed.alpha[:100] == 0.0] == 255).all()
    below = shadowed.pixels[shadowed.product_box.bottom + 1, 110:140]
    assert below.mean() < 235


@pytest.mark.parametrize("scene", ["white", "studio-grey"])
def test_the_green_of_the_old_ground_leaves_no_rim(scene: str) -> None:
    """Edge pixels must lie between product and new ground: no greener than the greener of both."""
    matte = ball(300, 300).matte
    drawn = product(matte, np.full((300, 300, 3), (200.0, 120.0, 120.0)), ground=GREEN)
    made = compose(drawn.found, SCENES[scene], Placement(shadow="none"), 300, 300, seed=1)
    edge = (made.alpha > 0.05) & (made.alpha < 0.95)
    codes = made.pixels[edge].astype(int)
    greenness = codes[:, 1] - np.maximum(codes[:, 0], codes[:, 2])
    assert np.percentile(greenness, 99) <= 3


def test_transparent_pictures_carry_nothing_of_the_old_ground() -> None:
    drawn = mug()
    made = compose(drawn.found, TransparentScene(), Placement(), 300, 300, seed=1)
    assert made.pixels.shape == (300, 300, 4)
    clear = made.pixels[..., 3] == 0
    assert clear.any()
    assert (made.pixels[clear] == 0).all()
    assert np.abs(made.pixels[..., 3] / 255.0 - made.alpha).max() <= 0.5 / 255 + 1e-6


def test_a_shadow_on_transparency_is_black_of_partial_alpha() -> None:
    drawn = mug()
    made = compose(drawn.found, TransparentScene(), Placement(shadow="contact"), 300, 300, seed=1)
    row = made.product_box.bottom + 1
    shadow = made.pixels[row, 110:140]
    assert (shadow[:, 3] > 30).all()
    assert (shadow[:, :3] == 0).all()


@pytest.mark.parametrize("kind", ["contact", "hard"])
def test_laid_on_a_white_page_a_transparent_picture_has_the_shadow_of_the_white_scene(
    kind: ShadowKind,
) -> None:
    """Pages mix codes, not light; so the shadow's alpha has to be what dims codes."""
    drawn = mug()
    placement = Placement(shadow=kind, shadow_intensity=1.0)
    clear = compose(drawn.found, TransparentScene(), placement, 300, 300, seed=1)
    white = compose(drawn.found, WHITE, placement, 300, 300, seed=1)
    alpha = clear.pixels[..., 3:].astype(np.float32) / 255
    laid = clear.pixels[..., :3] * alpha + 255.0 * (1.0 - alpha)
    whole = (clear.alpha == 0.0) | (clear.alpha == 1.0)
    assert np.percentile(np.abs(laid - white.pixels)[whole], 99) <= 2
    # On the product's own edge the two ways of mixing differ, but neither leaves a rim.
    assert np.abs(laid - white.pixels).max() <= 40


@pytest.mark.parametrize(("width", "height"), [(300, 300), (400, 300), (216, 384), (512, 128)])
def test_the_product_is_whole_in_every_aspect(width: int, height: int) -> None:
    drawn = mug()
    made = compose(drawn.found, StudioScene(), Placement(), width, height, seed=1)
    assert made.pixels.shape == (height, width, 3)
    assert made.product_box.inside(width, height)
    border = np.concatenate([made.alpha[0], made.alpha[-1], made.alpha[:, 0], made.alpha[:, -1]])
    assert border.max() == 0.0
    area = made.transform.scale**2 * drawn.matte.sum()
    assert made.alpha.sum() == pytest.approx(area, rel=0.02)


def test_the_same_arguments_give_the_same_picture() -> None:
    drawn = mug()
    one, same, other = (
        compose(drawn.found, StudioScene(), Placement(), 200, 200, seed=seed).pixels for seed in (1, 1, 2)
    )
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)


def test_the_ground_line_of_the_placement_is_where_the_product_stands() -> None:
    drawn = box_with_label()
    made = compose(drawn.found, StudioScene(), Placement(ground=0.8), 400, 400, seed=1)
    assert made.product_box.bottom == pytest.approx(320, abs=1)


def test_small_products_are_enlarged_only_as_far_as_allowed() -> None:
    drawn = mug()
    held = compose(drawn.found, WHITE, Placement(fill=0.9), 900, 900, seed=1)
    assert held.transform.scale == 1.0
    assert held.capped
    assert not held.upscaled
    grown = compose(drawn.found, WHITE, Placement(fill=0.9, upscale_limit=2.0), 900, 900, seed=1)
    assert grown.transform.scale == 2.0
    assert grown.capped
    assert grown.upscaled


def test_the_scene_chooses_the_shadow_unless_the_placement_does() -> None:
    assert shadow_kind(Placement(), TransparentScene()) == "none"
    assert shadow_kind(Placement(), StudioScene()) == "contact"
    assert shadow_kind(Placement(shadow="none"), StudioScene()) == "none"


def test_a_cast_shadow_falls_away_from_the_scenes_own_light_unless_told() -> None:
    lit_from_left, plain = StudioScene(look="warm"), SolidScene()
    assert 0.0 < light_of(Placement(), lit_from_left).direction < 90.0, "to the right and away"
    from_behind = light_of(Placement(), StudioScene(look="dark"))
    assert 90.0 < from_behind.direction < 270.0, "towards the camera"
    told = light_of(Placement(shadow_direction=270.0, shadow_length=1.5), plain)
    assert (told.direction, told.length) == (270.0, 1.5)


def test_a_floating_product_lifts_off_as_far_as_there_is_room() -> None:
    floating = Placement(shadow="floating", lift=0.2)
    assert lift_rows(Placement(), WHITE, 500, 100.0) == 0.0
    assert lift_rows(floating, WHITE, 500, 1000.0) == pytest.approx(100.0)
    assert lift_rows(floating, WHITE, 500, 100.0) < 50.0
    assert lift_rows(floating, WHITE, 500, 0.0) == 0.0


@pytest.mark.parametrize("kind", ["contact", "soft", "hard", "floating"])
@pytest.mark.parametrize("scene", ["white", "studio-podium", "transparent"])
def test_no_shadow_touches_the_products_own_pixels(kind: ShadowKind, scene: str) -> None:
    drawn = mug()
    bare, shaded = (
        compose(drawn.found, SCENES[scene], Placement(shadow=each, lift=0.0), 300, 300, seed=1)
        for each in ("none", kind)
    )
    inside = bare.alpha >= 1.0
    assert np.array_equal(bare.pixels[inside], shaded.pixels[inside])
    assert not np.array_equal(bare.pixels, shaded.pixels)


def test_the_stand_is_under_the_foot_and_not_under_what_leans_out() -> None:
    drawn = mug()
    made = compose(drawn.found, SCENES["studio-podium"], Placement(), 400, 400, seed=1)
    top = made.pixels[made.product_box.bottom + 6].astype(float).mean(axis=1)
    foot = np.flatnonzero(made.alpha[made.product_box.bottom - 4] > 0.5)
    middle = (foot[0] + foot[-1]) / 2
    lit = np.flatnonzero(top > top.max() - 25)
    assert lit[0] < foot[0]
    assert lit[-1] > foot[-1]
    assert abs((lit[0] + lit[-1]) / 2 - middle) < 25


@pytest.mark.parametrize("ground", [None, 0.5, 0.99])
def test_the_product_keeps_to_the_part_of_the_canvas_that_it_is_given(ground: float | None) -> None:
    thing = box_with_label()
    clear = Box(0, 200, 540, 500)
    placement = Placement(margin=0.0, upscale_limit=4.0, ground=ground)
    made = compose(thing.found, SolidScene(), placement, 540, 960, seed=1, clear=clear)
    box = made.product_box
    assert clear.left <= box.left
    assert clear.top <= box.top
    assert box.right <= clear.right
    assert box.bottom <= clear.bottom
    assert max(box.width / clear.width, box.height / clear.height) == pytest.approx(1.0, abs=0.01)


def test_a_fill_is_a_share_of_the_canvas_also_where_part_of_it_is_kept_free() -> None:
    thing = box_with_label()
    placement = Placement(fill=0.4, upscale_limit=4.0)
    made = compose(*(thing.found, SolidScene(), placement, 500, 500), seed=1, clear=Box(0, 100, 500, 300))
    assert max(made.product_box.width, made.product_box.height) == pytest.approx(200, abs=1)


def test_a_stand_is_under_the_foot_and_under_all_of_what_would_topple_over_it() -> None:
    box = Box(20, 10, 160, 100)
    pot = np.zeros((140, 200), np.float32)
    pot[10:110, 20:120] = 1.0
    pot[20:60, 120:180] = 1.0  # its handle
    assert standing_of(pot, box).centre == pytest.approx(70.0)
    ring = np.zeros((140, 200), np.float32)
    ring[10:90, 20:180] = 1.0
    ring[90:110, 130:160] = 1.0  # its stone, lower than the rest as it is nearer
    standing = standing_of(ring, box)
    assert (standing.centre, standing.width) == (100.0, 160.0)

"""Where a product touches the ground, and the shadow it throws there."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.drawn_products import Field, ball, coverage, ellipse, mug

from opal.images.contact import Contact, estimate_contact, product_box
from opal.images.geometry import Box
from opal.images.shadow import contact_shadow


def _contact(alpha: NDArray[np.float32]) -> Contact:
    contact = estimate_contact(alpha)
    assert contact is not None
    return contact


def _table(width: int = 400, height: int = 300) -> NDArray[np.float32]:
    """A table top on two legs."""

    def shape(x: Field, y: Field) -> NDArray[np.bool_]:
        top = (x > 60) & (x < 340) & (y > 80) & (y < 110)
        legs = (((x > 80) & (x < 100)) | ((x > 300) & (x < 320))) & (y >= 110) & (y < 240)
        return np.asarray(top | legs)

    return coverage(shape, width, height)


def test_the_box_holds_every_faint_pixel() -> None:
    matte = np.zeros((50, 60), np.float32)
    matte[10:20, 30:45] = 1.0
    matte[9, 30] = 0.05
    assert product_box(matte) == Box(30, 9, 15, 11)
    assert product_box(matte, 0.5) == Box(30, 10, 15, 10)
    assert product_box(np.zeros((5, 5), np.float32)) is None


def test_nothing_solid_touches_nothing() -> None:
    assert estimate_contact(np.full((20, 20), 0.3, np.float32)) is None


def test_a_ball_rests_on_its_lowest_point_only() -> None:
    alpha = ball(300, 300).matte
    contact = _contact(alpha)
    assert contact.ground_row == pytest.approx(255, abs=1)
    assert contact.rest[150] > 0.95
    assert contact.rest[60] < 0.05
    assert contact.rest[10] == 0.0


def test_a_table_stands_on_its_legs_and_clears_the_floor_between() -> None:
    contact = _contact(_table())
    assert contact.clearance[90] == pytest.approx(0, abs=1)
    assert contact.clearance[200] == pytest.approx(130, abs=1)
    assert contact.ground_row == 240


def test_shadow_is_darkest_under_the_contact_and_gone_far_away() -> None:
    alpha = ball(300, 300).matte
    shade = contact_shadow(_contact(alpha), 300, 300, intensity=0.75, softness=0.5)
    assert shade.shape == (300, 300)
    assert shade.min() > 0.0
    assert shade.max() <= 1.0
    assert shade[256, 150] < 0.55
    assert shade[256, 150] < shade[262, 150] < shade[275, 150]
    assert shade[:150].min() > 0.995, "no dark rim above the foot"
    assert shade[256, 10] > 0.99


def test_shadow_is_even_to_left_and_right() -> None:
    shade = contact_shadow(_contact(ball(300, 300).matte), 300, 300, intensity=0.75, softness=0.5)
    assert np.abs(shade - shade[:, ::-1]).max() < 0.02


def test_nothing_shows_through_the_hole_of_a_handle() -> None:
    drawn = mug(640, 560)
    shade = contact_shadow(_contact(drawn.matte), 640, 560, intensity=0.75, softness=0.5)
    hole = coverage(ellipse(0.68 * 640, 0.48 * 560, 0.08 * 640, 0.11 * 560), 640, 560) > 0.5
    assert shade[hole].min() > 0.99


def test_between_the_legs_of_a_table_no_crease_appears() -> None:
    shade = contact_shadow(_contact(_table()), 400, 300, intensity=0.75, softness=0.5)
    assert shade[241, 90] < 0.65
    assert shade[241, 200] > 0.85


def test_what_lies_behind_a_cable_is_in_the_light() -> None:
    cable = np.zeros((300, 400), np.float32)
    cable[200:206, 50:350] = 1.0
    # A cup above it makes the whole as large as a product is.
    cable[20:120, 250:350] = 1.0
    shade = contact_shadow(_contact(cable), 400, 300, intensity=0.8, softness=0.5)
    assert shade[207, 200] < 0.75, "it touches"
    assert shade[185, 200] > 0.9
    assert _contact(cable).thickness[100] == pytest.approx(6.0, abs=0.5)


def test_intensity_and_softness_do_what_they_say() -> None:
    contact = _contact(ball(300, 300).matte)
    none = contact_shadow(contact, 300, 300, intensity=0.0, softness=0.5)
    weak = contact_shadow(contact, 300, 300, intensity=0.3, softness=0.5)
    strong = contact_shadow(contact, 300, 300, intensity=0.9, softness=0.5)
    soft = contact_shadow(contact, 300, 300, intensity=0.9, softness=1.0)
    assert none.min() == 1.0
    assert strong.min() < weak.min()
    assert soft[285].min() < strong[285].min(), "a softer shadow reaches further"


def test_a_product_at_the_border_loses_no_light_there() -> None:
    alpha = np.zeros((200, 200), np.float32)
    alpha[50:200, 0:200] = 1.0
    shade = contact_shadow(_contact(alpha), 200, 200, intensity=0.75, softness=0.5)
    middle, edge = shade[195, 100], shade[195, 0]
    assert np.isfinite(shade).all()
    # Half of the neighbourhood lies beyond the canvas, so at most half of the darkness may be missing.
    assert 1 - edge >= 0.45 * (1 - middle)


def test_the_shadow_scales_with_the_picture() -> None:
    small = contact_shadow(_contact(ball(300, 300).matte), 300, 300, intensity=0.75, softness=0.5)
    large = contact_shadow(_contact(ball(1200, 1200).matte), 1200, 1200, intensity=0.75, softness=0.5)
    shrunk = large.reshape(300, 4, 300, 4).mean(axis=(1, 3))
    assert np.abs(shrunk - small)[262:].max() < 0.05

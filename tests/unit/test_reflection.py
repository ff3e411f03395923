"""The mirror image: starts at the foot, fades downwards, stays off the product and off what cannot mirror."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.drawn_products import ball, mug

from opal.images.composite import Layer
from opal.images.contact import Contact, estimate_contact
from opal.images.geometry import Box
from opal.images.reflection import lay_reflection, reflect
from opal.placement.place import Composition, compose
from opal.placement.placement import Placement
from opal.placement.scene import SCENES


def _box_product() -> tuple[Layer, Contact]:
    """Red above, blue in its lower quarter; 100 wide, 120 high, standing at row 150 of 300."""
    alpha = np.zeros((300, 200), np.float32)
    alpha[30:150, 50:150] = 1.0
    pixels = np.zeros((120, 100, 3), np.float32)
    pixels[:90, :, 0] = 0.8
    pixels[90:, :, 2] = 0.8
    contact = estimate_contact(alpha)
    assert contact is not None
    return Layer(pixels, alpha[30:150, 50:150].copy(), Box(50, 30, 100, 120)), contact


def _made(scene: str = "white", **fields: object) -> Composition:
    drawn = mug()
    placement = Placement.model_validate({"margin": 0.2} | fields)
    return compose(drawn.found, SCENES[scene], placement, 400, 400, seed=1)


def _laid(layer: Layer, contact: Contact, catches: NDArray[np.float32] | None = None) -> NDArray[np.float32]:
    mirrored = reflect(layer, contact, 300, 0.5)
    assert mirrored is not None
    return lay_reflection(np.ones((300, 200, 3), np.float32), mirrored, catches)


def test_what_is_lowest_is_mirrored_first_and_fades_with_distance() -> None:
    ground = _laid(*_box_product())
    assert ground[155, 100, 0] < ground[155, 100, 2], "blue foot first"
    assert ground[188, 100, 2] < ground[188, 100, 0], "then the red body"
    red_lost = 1.0 - ground[:, 100, 1]
    assert red_lost[152] == pytest.approx(0.5, abs=0.06)
    assert (np.diff(red_lost[156:203]) <= 1e-3).all()
    assert (ground[205:] == 1.0).all()


def test_nothing_is_mirrored_above_the_foot_or_beside_the_product() -> None:
    ground = _laid(*_box_product())
    assert (ground[:150] == 1.0).all()
    assert (ground[:, :50] == 1.0).all()
    assert (ground[:, 150:] == 1.0).all()


def test_only_what_can_mirror_does() -> None:
    catches = np.ones((300, 200), np.float32)
    catches[160:] = 0.0
    ground = _laid(*_box_product(), catches)
    assert (ground[160:] == 1.0).all()
    assert ground[152, 100].min() < 0.8


def test_a_round_foot_meets_its_image_along_its_curve() -> None:
    alpha = ball(300, 200).matte
    contact = estimate_contact(alpha)
    assert contact is not None
    layer = Layer(np.zeros((200, 300, 3), np.float32), alpha, Box(0, 0, 300, 200))
    mirrored = reflect(layer, contact, 200, 0.6)
    assert mirrored is not None
    ground = lay_reflection(np.ones((200, 300, 3), np.float32), mirrored, None)
    for column in (130, 150, 170):
        foot = int(np.flatnonzero(alpha[:, column] > 0.5)[-1])
        assert ground[foot + 2, column].max() < 0.65


def test_the_picture_has_a_reflection_only_when_asked_and_the_product_stays_as_it_is() -> None:
    plain, same, mirrored = _made(), _made(reflection=0.0), _made(reflection=0.4)
    assert np.array_equal(plain.pixels, same.pixels)
    assert not np.array_equal(plain.pixels, mirrored.pixels)
    inside = plain.alpha >= 1.0
    assert np.array_equal(plain.pixels[inside], mirrored.pixels[inside])


@pytest.mark.parametrize(("scene", "shadow"), [("transparent", "contact"), ("white", "floating")])
def test_without_a_floor_below_the_foot_nothing_is_mirrored(scene: str, shadow: str) -> None:
    plain, asked = _made(scene, shadow=shadow), _made(scene, shadow=shadow, reflection=0.8)
    assert np.array_equal(plain.pixels, asked.pixels)

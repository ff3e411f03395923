"""A cut-out at its own size is the general way's, to the bit, and shows nothing of the old ground."""

import numpy as np
import pytest
from tests.unit.drawn_products import Product, ball, mug

from opal.images.composite import Layer, over_nothing
from opal.images.foreground import decontaminate
from opal.images.geometry import Box
from opal.images.native import lay_native
from opal.images.resize import crop_resize_straight
from opal.placement.place import OPAQUE, compose, find_product
from opal.placement.placement import Placement
from opal.placement.scene import TransparentScene


@pytest.mark.parametrize("drawn", [mug(), ball()], ids=["mug", "ball"])
def test_it_is_the_general_ways_picture_to_the_bit(drawn: Product) -> None:
    box, _ = find_product(drawn.matte)
    target = Box(3, 5, box.width, box.height)
    reference, alpha = crop_resize_straight(drawn.photo.pixels, drawn.matte, box, box.width, box.height)
    alpha[alpha >= OPAQUE] = 1.0
    size = (box.width + 7, box.height + 9)
    general = over_nothing(*size, None, Layer(decontaminate(reference, alpha), alpha, target))
    assert (lay_native(drawn.photo, alpha, box, target, size) == general).all()


def test_a_transparent_picture_without_a_shadow_is_made_that_way() -> None:
    drawn = mug()
    box, _ = find_product(drawn.matte)
    placement = Placement(margin=0.0, shadow="none")
    made = compose(
        drawn.photo, drawn.matte, TransparentScene(), placement, box.width + 2, box.height + 2, seed=0
    )
    assert set(made.timings) == {"fit", "composite"}
    assert made.reference.shape == (box.height, box.width, 3)
    solid = made.alpha == 1.0
    laid = made.pixels[1 : 1 + box.height, 1 : 1 + box.width]
    photo = drawn.photo.pixels.numpy()[box.top : box.bottom, box.left : box.right]
    inside = solid[1 : 1 + box.height, 1 : 1 + box.width]
    assert (laid[inside][:, :3] == photo[inside]).all()
    assert not made.pixels[made.pixels[..., 3] == 0].any()
    assert not np.array_equal(made.pixels[..., 3], np.where(solid, 255, 0))

"""A cut-out at its own size is the general way's, and shows nothing of the old ground."""

import numpy as np
import pytest
from tests.unit.drawn_products import Product, ball, mug

from opal.images.composite import Layer, over_nothing
from opal.images.geometry import Box
from opal.images.native import lay_native
from opal.images.resample import OPAQUE
from opal.placement.place import compose
from opal.placement.placement import Placement
from opal.placement.scene import TransparentScene


@pytest.mark.parametrize("drawn", [mug(), ball()], ids=["mug", "ball"])
def test_it_is_the_general_ways_picture(drawn: Product) -> None:
    box = drawn.found.box
    target = Box(3, 5, box.width, box.height)
    alpha = drawn.matte[box.top : box.bottom, box.left : box.right].copy()
    alpha[alpha >= OPAQUE] = 1.0
    size = (box.width + 7, box.height + 9)
    native = lay_native(drawn.photo, alpha, box, target, size)
    colours, share = drawn.found.laid_out(box.width, box.height)
    general = over_nothing(*size, None, Layer(colours, share, target))
    whole = native[..., 3] == 255
    assert (native[whole] == general[whole]).all()
    assert (native[..., 3] == general[..., 3]).all()
    # A colour times little coverage is kept in few steps; laid on a page the two are the same.
    seen = native[..., 3:].astype(np.float32) / 255
    assert np.abs(seen * (native[..., :3].astype(np.float32) - general[..., :3])).max() < 1.0


def test_a_transparent_picture_without_a_shadow_is_made_that_way() -> None:
    drawn = mug()
    box = drawn.found.box
    placement = Placement(margin=0.0, shadow="none")
    made = compose(drawn.found, TransparentScene(), placement, box.width + 2, box.height + 2, seed=0)
    assert set(made.timings) == {"fit", "composite"}
    assert made.reference.shape == (box.height, box.width, 3)
    solid = made.alpha == 1.0
    laid = made.pixels[1 : 1 + box.height, 1 : 1 + box.width]
    photo = drawn.photo.pixels.numpy()[box.top : box.bottom, box.left : box.right]
    inside = solid[1 : 1 + box.height, 1 : 1 + box.width]
    assert (laid[inside][:, :3] == photo[inside]).all()
    assert not made.pixels[made.pixels[..., 3] == 0].any()
    assert not np.array_equal(made.pixels[..., 3], np.where(solid, 255, 0))

"""Where a network looks a second time: at the whole product, with room, at a size that fits the grid."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from opal.cutout.two_looks import FIRST_PIXELS, GRID, first_size, leaves, part_to_look_at, second_size
from opal.images.geometry import Box

Floats = NDArray[np.float32]


def glance(*areas: tuple[slice, slice], shape: tuple[int, int] = (384, 512)) -> Floats:
    seen = np.zeros(shape, np.float32)
    for area in areas:
        seen[area] = 1.0
    return seen


@given(st.integers(1, 20_000), st.integers(1, 20_000))
def test_every_photo_has_a_first_look_on_the_grid(width: int, height: int) -> None:
    across, down = first_size(width, height)
    assert across % GRID == down % GRID == 0
    assert min(across, down) >= GRID
    assert across * down <= 1.4 * FIRST_PIXELS


def test_the_part_holds_the_product_and_some_room() -> None:
    part = part_to_look_at(glance((slice(100, 200), slice(200, 300))), 4096, 3072)
    assert part.left <= 1600 - 60
    assert part.top <= 800 - 60
    assert part.right >= 2400 + 60
    assert part.bottom >= 1600 + 60
    assert part.width * part.height < 0.15 * 4096 * 3072


def test_two_things_are_looked_at_together_and_nothing_is_the_whole_photo() -> None:
    both = part_to_look_at(
        glance((slice(10, 30), slice(10, 30)), (slice(350, 370), slice(480, 500))), 512, 384
    )
    assert both == Box(0, 0, 512, 384)
    assert part_to_look_at(glance(), 640, 480) == Box(0, 0, 640, 480)


@given(st.integers(1, 9000), st.integers(1, 9000))
def test_the_second_look_is_bounded_and_on_the_grid(width: int, height: int) -> None:
    seen = glance((slice(50, 300), slice(50, 300)))
    across, down = second_size(Box(0, 0, width, height), seen)
    assert across % GRID == down % GRID == 0
    assert min(across, down) >= 256
    assert across * down <= 1_100_000


def test_wires_are_looked_at_with_more_pixels_than_a_box() -> None:
    part = Box(0, 0, 3000, 3000)
    wires = glance(*((slice(50, 350), slice(x, x + 3)) for x in range(50, 450, 12)))
    plain, intricate = (
        np.prod(second_size(part, seen)) for seen in (glance((slice(50, 350), slice(50, 450))), wires)
    )
    assert intricate > 1.4 * plain


@pytest.mark.parametrize(
    ("part", "left"),
    [(Box(100, 100, 200, 200), True), (Box(0, 100, 200, 200), False)],
)
def test_a_product_cut_by_its_part_is_noticed_unless_the_photo_ends_there(part: Box, left: bool) -> None:
    seen = glance((slice(50, 150), slice(0, 120)), shape=(200, 200))
    assert leaves(seen, part, 1000, 1000) is left


def test_even_a_thin_pole_that_leaves_its_part_is_noticed() -> None:
    seen = glance((slice(400, 700), slice(200, 600)), shape=(832, 832))
    part = Box(100, 100, 600, 600)
    assert not leaves(seen, part, 1000, 1000)
    seen[:400, 400:408] = 1.0  # an aerial, 1 % of the side
    assert leaves(seen, part, 1000, 1000)
    assert not leaves(seen, Box(100, 0, 600, 600), 1000, 1000)

"""Placing arithmetic: sizes, alignments, ground lines, limits; the product is never cut."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opal.images.geometry import ALIGNMENTS, Alignment, Box, fit, scale_for_fill, scale_for_margin

PRODUCT = Box(100, 50, 400, 200)


def test_a_box_has_positive_sides() -> None:
    with pytest.raises(ValueError, match="positive sides"):
        Box(0, 0, 0, 5)


@pytest.mark.parametrize(
    ("product", "fill", "longest"),
    [(Box(0, 0, 400, 200), 0.88, 880), (Box(0, 0, 200, 400), 0.88, 880), (Box(3, 9, 300, 300), 0.5, 500)],
)
def test_fill_is_the_share_of_the_tighter_direction(product: Box, fill: float, longest: int) -> None:
    scale = scale_for_fill(product, 1000, 1000, fill)
    placed = fit(product, 1000, 1000, scale=scale, upscale_limit=4.0, alignment="center")
    assert max(placed.box.width, placed.box.height) == longest


def test_margin_is_a_share_of_the_shorter_side_in_every_aspect() -> None:
    for width, height in ((1000, 1000), (2000, 1000), (1000, 2000)):
        scale = scale_for_margin(PRODUCT, width, height, 0.1)
        placed = fit(PRODUCT, width, height, scale=scale, upscale_limit=9.0, alignment="center", margin=0.1)
        free = min(placed.box.left, placed.box.top, width - placed.box.right, height - placed.box.bottom)
        assert free == 100


@pytest.mark.parametrize("alignment", list(ALIGNMENTS))
def test_alignment_moves_the_free_room_inside_the_margin(alignment: Alignment) -> None:
    placed = fit(PRODUCT, 1000, 800, scale=1.0, upscale_limit=1.0, alignment=alignment, margin=0.1).box
    left, top = {"left": 80, "center": 300, "right": 520}, {"top": 80, "center": 300, "bottom": 520}
    words = alignment.split("-")
    assert placed.left == next((left[word] for word in words if word in left), 300)
    assert placed.top == next((top[word] for word in words if word in top), 300)


def test_small_photos_stop_at_the_limit_and_say_so() -> None:
    wanted = scale_for_fill(PRODUCT, 2000, 2000, 0.88)
    placed = fit(PRODUCT, 2000, 2000, scale=wanted, upscale_limit=1.5, alignment="center")
    assert (placed.box.width, placed.box.height) == (600, 300)
    assert placed.upscaled
    assert placed.capped
    within = fit(PRODUCT, 300, 300, scale=0.5, upscale_limit=1.5, alignment="center")
    assert not within.upscaled
    assert not within.capped


def test_the_foot_stands_on_the_ground_line() -> None:
    placed = fit(
        PRODUCT, 1000, 1000, scale=1.0, upscale_limit=1.0, alignment="center", ground=0.8, ground_row=240
    )
    assert placed.transform.scale * 240 + placed.transform.ty == pytest.approx(800, abs=0.5)


def test_a_ground_line_out_of_reach_does_not_cut_the_product() -> None:
    placed = fit(PRODUCT, 1000, 1000, scale=1.0, upscale_limit=1.0, alignment="center", ground=0.05)
    assert placed.box.top == 0


@given(
    box=st.builds(
        Box,
        st.integers(0, 3000),
        st.integers(0, 3000),
        st.integers(1, 4000),
        st.integers(1, 4000),
    ),
    width=st.integers(64, 3000),
    height=st.integers(64, 3000),
    scale=st.floats(0.001, 50),
    limit=st.floats(1, 4),
    alignment=st.sampled_from(list(ALIGNMENTS)),
    margin=st.floats(0, 0.45),
    ground=st.one_of(st.none(), st.floats(0.05, 1)),
)
def test_no_placement_ever_cuts_or_enlarges_beyond_the_limit(
    *,
    box: Box,
    width: int,
    height: int,
    scale: float,
    limit: float,
    alignment: Alignment,
    margin: float,
    ground: float | None,
) -> None:
    placed = fit(
        box,
        width,
        height,
        scale=scale,
        upscale_limit=limit,
        alignment=alignment,
        margin=margin,
        ground=ground,
    )
    assert placed.box.inside(width, height)
    assert placed.transform.scale <= limit
    # The transform carries the product's corner to the box's corner.
    assert placed.transform.scale * box.left + placed.transform.tx == pytest.approx(placed.box.left, abs=1e-6)
    assert placed.transform.scale * box.top + placed.transform.ty == pytest.approx(placed.box.top, abs=1e-6)

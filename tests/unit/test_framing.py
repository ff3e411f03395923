"""Which part of a backdrop a canvas shows, and where the product stands on it: arithmetic."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opal.errors import BackdropTooSmall
from opal.images.geometry import Box
from opal.placement.framing import MAX_ENLARGEMENT, MIN_SIDE, check_enlargement, frame, stand_on_line
from opal.placement.placement import Placement
from opal.placement.scene import BackdropScene

BOX = Box(10, 20, 300, 400)
FOOT = 418

_share = st.floats(0.0, 1.0)
_side = st.integers(MIN_SIDE, 3000)
_canvas = st.integers(200, 2048)


def scene(**fields: object) -> BackdropScene:
    return BackdropScene.model_validate({"kind": "backdrop", "picture": "x", **fields})


def test_a_picture_of_the_canvass_aspect_is_shown_whole() -> None:
    framing = frame(scene(ground=0.8, horizon=0.5), 3000, 2000, 1500, 1000)
    assert framing.crop == Box(0, 0, 3000, 2000)
    assert framing.scale == 0.5
    assert framing.picture_rows == 1000
    assert (framing.line, framing.floor_end) == (800, 500)
    assert framing.spot is None


def test_a_narrow_canvas_is_cut_around_the_focus() -> None:
    left, middle, right = (frame(scene(focus_x=x), 3000, 2000, 1000, 2000).crop.left for x in (0.0, 0.5, 1.0))
    assert (left, middle, right) == (0, 1000, 2000)


def test_a_flat_canvas_keeps_the_ground_line_and_the_room_above_it() -> None:
    for focus in (0.0, 0.5, 1.0):
        framing = frame(scene(ground=0.7, focus_y=focus), 2000, 3000, 2000, 1000)
        assert 0.6 * 1000 - 1 <= framing.line <= 0.92 * 1000 + 1
    assert frame(scene(ground=0.05), 2000, 3000, 2000, 1000).line == pytest.approx(150)
    assert frame(scene(ground=1.0), 2000, 3000, 2000, 1000).line == pytest.approx(1000)


def test_a_placements_ground_says_where_on_the_canvas_the_line_should_lie() -> None:
    framing = frame(scene(ground=0.7), 2000, 3000, 2000, 1000, wish=0.8)
    assert framing.line == pytest.approx(800, abs=1)


def test_the_products_spot_stays_in_frame() -> None:
    for across in (0.0, 0.2, 0.9, 1.0):
        framing = frame(scene(across=across, focus_x=0.5), 3000, 1000, 1000, 1000)
        assert framing.spot is not None
        assert 0.0 <= framing.spot <= 1000
    assert frame(scene(across=0.3), 3000, 1000, 1000, 1000).spot == pytest.approx(300, abs=1)


def test_a_picture_is_enlarged_only_so_far() -> None:
    assert check_enlargement(1000, 1000, 2000, 1500) == 2.0
    assert check_enlargement(MIN_SIDE, MIN_SIDE, 2048, 2048) == MAX_ENLARGEMENT
    with pytest.raises(BackdropTooSmall, match=r"600 × 400; for 2000 × 2000 .* 5\.0 times"):
        frame(scene(), 600, 400, 2000, 2000)


def test_a_product_has_the_size_of_its_place_in_every_crop() -> None:
    placed_on = scene(ground=0.7, scale=0.2)
    for width, height in ((1500, 1000), (1000, 1000), (500, 1000)):
        framing = frame(placed_on, 3000, 2000, width, height)
        fit = stand_on_line(
            framing, placed_on, Placement(), BOX, foot=FOOT, width=width, height=height, lift=0.0
        )
        assert fit.transform.scale * (FOOT - BOX.top) == pytest.approx(0.2 * framing.picture_rows, abs=1)


def test_a_floating_product_is_lifted_off_the_line() -> None:
    framing = frame(scene(ground=0.8), 1000, 1000, 1000, 1000)
    fit = stand_on_line(
        framing, scene(ground=0.8), Placement(), BOX, foot=FOOT, width=1000, height=1000, lift=0.2
    )
    foot = fit.transform.scale * FOOT + fit.transform.ty
    assert framing.line - foot == pytest.approx(0.2 * fit.box.height, abs=1.5)
    assert fit.box.top >= 0


_SCENES = st.builds(
    scene,
    focus_x=_share,
    focus_y=_share,
    across=_share,
    ground=st.floats(0.05, 1.0),
    scale=st.floats(0.01, 1.0),
)


@given(_SCENES, st.tuples(_side, _side), st.tuples(_canvas, _canvas))
def test_the_canvas_is_covered_and_the_product_stands_whole_on_the_line(
    placed_on: BackdropScene, picture: tuple[int, int], canvas: tuple[int, int]
) -> None:
    picture_width, picture_height = picture
    width, height = canvas
    framing = frame(placed_on, picture_width, picture_height, width, height)
    assert framing.crop.inside(picture_width, picture_height)
    assert framing.crop.width / framing.crop.height == pytest.approx(width / height, rel=0.01)
    assert framing.floor_end < framing.line
    fit = stand_on_line(framing, placed_on, Placement(), BOX, foot=FOOT, width=width, height=height, lift=0.0)
    assert fit.box.inside(width, height)
    foot = fit.transform.scale * FOOT + fit.transform.ty
    # Where the canvas shows the line, the foot is on it, but for what the matte shows below the foot.
    assert abs(foot - min(max(framing.line, 1.0), height)) <= 1.0 + fit.transform.scale * (BOX.bottom - FOOT)

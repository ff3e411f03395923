"""Light matching: towards the backdrop, never past its limits, off by default, and told in the report."""

import numpy as np
import pytest
from tests.unit.drawn_backdrops import lit, room
from tests.unit.drawn_products import box_with_label, product

from opal.fidelity import Fidelity, measure
from opal.images.difference import delta_e2000, linear_to_lab
from opal.images.matte import Matte
from opal.images.relight import Relight
from opal.placement.light_match import MAX_MIRED, MAX_STOPS, match_light
from opal.placement.place import Composition, compose
from opal.placement.placement import Placement
from opal.placement.scene import BackdropScene, SolidScene

CANDLE, SHADE, DIM = (250, 190, 110), (170, 200, 250), (60, 60, 60)


def scene(match: float) -> BackdropScene:
    return BackdropScene(picture="x", ground=0.8, match=match)


def measured(made: Composition, matte: Matte) -> Fidelity:
    return measure(
        made.pixels,
        made.reference,
        made.alpha,
        made.product_box,
        matte=matte,
        transform=made.transform,
        relight=made.relight,
    )


def test_it_is_off_by_default_and_other_scenes_have_none() -> None:
    assert match_light(BackdropScene(picture="x"), lit(CANDLE)) is None
    assert match_light(SolidScene(), lit(CANDLE)) is None


def test_the_product_goes_towards_the_light_of_its_place() -> None:
    warm, cool, dim = (match_light(scene(1.0), lit(colour)) for colour in (CANDLE, SHADE, DIM))
    assert warm is not None
    assert warm.mired > 5
    assert cool is not None
    assert cool.mired < -5
    assert dim is not None
    assert dim.stops < 0
    assert abs(dim.mired) < 1


def test_a_bright_place_does_not_burn_a_product_out() -> None:
    light = match_light(scene(1.0), lit((252, 252, 252)))
    assert light is not None
    assert light.gains == pytest.approx((1.0, 1.0, 1.0), abs=0.01)


@pytest.mark.parametrize("colour", [CANDLE, SHADE, DIM, (255, 0, 0), (0, 0, 255), (0, 0, 0), (255, 255, 255)])
def test_no_picture_moves_a_grey_further_than_the_limit(colour: tuple[int, int, int]) -> None:
    light = match_light(scene(1.0), lit(colour))
    assert light is not None
    assert abs(light.stops) <= MAX_STOPS
    assert abs(light.mired) <= MAX_MIRED
    assert max(light.gains) <= 1.0 + 1e-6
    greys = np.repeat(np.linspace(0.0, 1.0, 100, dtype=np.float32)[:, None], 3, axis=1)
    assert float(delta_e2000(linear_to_lab(greys), linear_to_lab(light.apply(greys))).max()) < 6.1


def test_half_the_strength_goes_half_the_way() -> None:
    full, half = match_light(scene(1.0), lit(CANDLE)), match_light(scene(0.5), lit(CANDLE))
    assert full is not None
    assert half is not None
    assert (half.stops, half.mired) == pytest.approx((full.stops / 2, full.mired / 2), abs=1e-3)


def test_green_grass_does_not_tint() -> None:
    light = match_light(scene(1.0), lit((60, 170, 60)))
    assert light is not None
    red, green, blue = light.gains
    assert green / np.sqrt(red * blue) == pytest.approx(1.0, abs=0.03)


def test_a_change_of_temperature_keeps_luminance() -> None:
    for mired in (-20.0, -10.0, 10.0, 20.0):
        assert np.dot(Relight(0.0, mired).gains, (0.2126, 0.7152, 0.0722)) == pytest.approx(1.0, abs=0.01)


def test_every_aspect_gets_the_product_in_the_same_light() -> None:
    drawn, behind = box_with_label(), room()
    made = [
        compose(drawn.found, scene(0.8), Placement(), *size, seed=1, backdrop=behind)
        for size in ((600, 600), (300, 600), (800, 300))
    ]
    assert made[0].relight is not None
    assert made[0].relight == made[1].relight == made[2].relight


def test_the_report_holds_the_picture_against_the_photo_and_tells_the_change_apart() -> None:
    matte = box_with_label().matte
    grey = product(matte, np.full((*matte.shape, 3), 128.0))
    made = compose(grey.found, scene(1.0), Placement(), 500, 500, seed=1, backdrop=lit(CANDLE))
    report = measured(made, grey.matte)
    assert report.share_within_de1 is not None
    assert report.share_within_de1 < 0.1
    assert report.light_match is not None
    assert report.light_match.mean_de == pytest.approx(report.mean_de, abs=0.3)
    assert report.light_match.share_within_de1 is not None
    assert report.light_match.share_within_de1 > 0.99
    assert report.light_match.gains[0] > report.light_match.gains[2]
    plain = compose(grey.found, scene(0.0), Placement(), 500, 500, seed=1, backdrop=lit(CANDLE))
    honest = measured(plain, grey.matte)
    assert honest.light_match is None
    assert honest.share_within_de1 == 1.0

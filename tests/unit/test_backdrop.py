"""A picture of the user's own as a scene: its pixels, its depth of field, a product on its ground line."""

import numpy as np
import pytest
import pyvips
from tests.unit.drawn_backdrops import lit, picture_bytes, room, room_codes
from tests.unit.drawn_products import box_with_label, mug

from opal.errors import BackdropTooSmall, BackdropUnusable, InvalidScene
from opal.export_worker.create_variants import create_variants, scene_for
from opal.images.decode import decode_photo
from opal.images.limits import Limits
from opal.images.metadata import DigitalSourceType, PictureMetadata, read_digital_source_type, xmp_packet
from opal.images.shadow import ShadowKind
from opal.images.straighten import turned
from opal.marketplaces.presets import load_presets
from opal.placement.backdrop import WIDEST_BLUR, BackdropEngine, blur_radius, decode_backdrop
from opal.placement.casting import light_of
from opal.placement.engines import engine_for
from opal.placement.framing import frame
from opal.placement.interface import Backdrop, Canvas, Ground
from opal.placement.place import Composition, compose
from opal.placement.placement import Placement
from opal.placement.product import Product
from opal.placement.provenance import digital_source_type
from opal.placement.scene import BackdropScene, SolidScene, resolve_scene
from opal.placement.upright import upright

LIMITS = Limits()


def scene(**fields: object) -> BackdropScene:
    return BackdropScene.model_validate({"kind": "backdrop", "picture": "x", **fields})


def rendered(width: int, height: int, **fields: object) -> Ground:
    painted, picture = scene(**fields), room()
    framing = frame(painted, picture.width, picture.height, width, height)
    canvas = Canvas(width, height, framing.line, 1, backdrop=Backdrop(picture, framing))
    return engine_for("backdrop").render(painted, canvas)


def composed(width: int, height: int, placement: Placement | None = None, **fields: object) -> Composition:
    drawn = mug()
    return compose(
        drawn.found,
        scene(**fields),
        placement or Placement(),
        width,
        height,
        seed=1,
        backdrop=room(),
    )


def foot_row(made: Composition) -> float:
    rows = np.flatnonzero((made.alpha > 0.5).any(axis=1))
    return float(rows[-1] + 1)


def test_at_its_own_size_the_picture_comes_out_bit_for_bit() -> None:
    made = composed(1200, 900, Placement(shadow="none"))
    beside = made.alpha == 0.0
    assert np.array_equal(made.pixels[beside], room_codes()[beside])
    assert made.enlargement == 1.0


@pytest.mark.parametrize(("width", "height"), [(900, 900), (600, 450), (450, 900), (1600, 500), (2000, 2000)])
@pytest.mark.parametrize("ground", [0.66, 0.8, 0.95])
def test_the_product_stands_on_the_ground_line_in_every_aspect(
    width: int, height: int, ground: float
) -> None:
    made = composed(width, height, Placement(upscale_limit=4.0), ground=ground)
    framing = frame(scene(ground=ground), 1200, 900, width, height)
    assert foot_row(made) == pytest.approx(framing.line, abs=2.5)
    assert made.product_box.inside(width, height)
    assert made.enlargement == framing.scale


def test_the_products_own_pixels_are_kept() -> None:
    drawn = box_with_label()
    made = compose(
        drawn.found,
        scene(ground=0.85, blur=1.0),
        Placement(margin=0.0),
        700,
        700,
        seed=1,
        backdrop=room(),
    )
    assert made.transform.scale == 1.0
    box = made.product_box
    shown = made.pixels[box.top : box.bottom, box.left : box.right]
    assert np.array_equal(shown, drawn.photo.pixels.numpy()[60:340, 80:320])


@pytest.mark.parametrize("kind", ["contact", "soft", "hard", "floating"])
def test_every_shadow_darkens_the_picture_and_not_the_product(kind: ShadowKind) -> None:
    bare, shaded = (composed(600, 600, Placement(shadow=each, lift=0.0)) for each in ("none", kind))
    inside = bare.alpha >= 1.0
    assert np.array_equal(bare.pixels[inside], shaded.pixels[inside])
    outside = bare.alpha == 0.0
    # The ground's rounding is dithered in a shadow.
    assert (shaded.pixels[outside].astype(int) - bare.pixels[outside]).max() <= 1
    assert shaded.pixels[outside].mean() < bare.pixels[outside].mean()


def test_a_shadow_ends_where_the_floor_ends() -> None:
    light = {"light_from": 200.0, "light_height": 30.0, "ground": 0.9}
    long = Placement(shadow="hard", fill=0.5)
    bare = composed(900, 900, Placement(shadow="none", fill=0.5), **light)
    everywhere = composed(900, 900, long, **light)
    held = composed(900, 900, long, horizon=0.8, **light)
    above = slice(0, round(0.8 * 900) - 2)
    outside = bare.alpha[above] == 0.0
    assert (everywhere.pixels[above][outside] < bare.pixels[above][outside]).any()
    assert np.array_equal(held.pixels[above][outside], bare.pixels[above][outside])
    assert (held.pixels < bare.pixels).any()


def test_a_floating_product_leaves_the_floor_where_it_is() -> None:
    standing = composed(900, 900, Placement(shadow="contact"), scale=0.3)
    floating = composed(900, 900, Placement(shadow="floating", lift=0.2), scale=0.3)
    assert foot_row(standing) - foot_row(floating) == pytest.approx(
        0.2 * floating.product_box.height, abs=2.0
    )


def test_the_product_stands_where_the_picture_says() -> None:
    made = composed(1200, 900, Placement(upscale_limit=2.0), across=0.25, scale=0.3)
    assert made.product_box.left + made.product_box.width / 2 == pytest.approx(300, abs=1)
    assert made.product_box.height == pytest.approx(0.3 * 900, abs=6)


def test_the_background_goes_out_of_focus_with_distance() -> None:
    sharp, blurred = (rendered(1200, 900, blur=blur, ground=0.85, horizon=0.6) for blur in (0.0, 1.0))
    assert (sharp.smooth, blurred.smooth) == (False, True)
    assert sharp.pixels is not None
    assert blurred.pixels is not None

    def detail(row: int) -> float:
        assert sharp.pixels is not None
        assert blurred.pixels is not None
        return float(blurred.pixels[row].std(axis=0).mean() / sharp.pixels[row].std(axis=0).mean())

    assert detail(765) == pytest.approx(1.0)
    assert detail(765) > detail(735) > detail(700)
    assert detail(200) < 0.3
    assert blurred.pixels[100:400].mean() == pytest.approx(sharp.pixels[100:400].mean(), rel=0.01)


def test_the_blur_belongs_to_the_picture_and_not_to_the_canvas() -> None:
    whole, half = (frame(scene(horizon=0.5), 1200, 900, 1200 // n, 900 // n) for n in (1, 2))
    widest = [
        float(blur_radius(each, np.array([0.0], np.float32), 1.0)[0]) / each.picture_rows
        for each in (whole, half)
    ]
    assert widest == pytest.approx([WIDEST_BLUR, WIDEST_BLUR])


def test_the_light_of_the_picture_throws_the_shadow() -> None:
    assert light_of(Placement(), scene(light_from=270.0)).direction == 90.0
    assert light_of(Placement(), scene(light_from=0.0)).direction == 180.0
    assert light_of(Placement(), scene(light_height=45.0)).length == pytest.approx(1.0)
    assert light_of(Placement(shadow_direction=10.0), scene(light_from=270.0)).direction == 10.0
    assert light_of(Placement(), scene()) == light_of(Placement(), SolidScene())


def test_without_its_picture_or_for_another_scene_the_engine_says_so() -> None:
    drawn = mug()
    with pytest.raises(BackdropUnusable):
        compose(drawn.found, scene(), Placement(), 300, 300, seed=1)
    with pytest.raises(BackdropUnusable):
        BackdropEngine().render(scene(), Canvas(300, 300, 200.0, 1))
    with pytest.raises(InvalidScene):
        BackdropEngine().render(SolidScene(), Canvas(300, 300, 200.0, 1))


def test_pictures_that_cannot_be_backdrops_are_refused() -> None:
    with pytest.raises(BackdropUnusable, match="not a known picture"):
        decode_backdrop(b"no picture at all", LIMITS)
    with pytest.raises(BackdropUnusable, match="ends before"):
        decode_backdrop(picture_bytes(room_codes())[:900], LIMITS)
    with pytest.raises(BackdropTooSmall, match="at least 512"):
        decode_backdrop(picture_bytes(room_codes(511, 800)), LIMITS)
    clear = pyvips.Image.new_from_array(room_codes()).copy(interpretation="srgb")
    clear = clear.bandjoin((clear[0] > 100).cast("uchar")).pngsave_buffer()
    with pytest.raises(BackdropUnusable, match="transparent"):
        decode_backdrop(clear, LIMITS)


def test_sixteen_bits_are_kept_until_the_end() -> None:
    deep = (room_codes().astype(np.uint16) * 257).astype(np.uint16)
    data = pyvips.Image.new_from_array(deep).copy(interpretation="rgb16").pngsave_buffer(bitdepth=16)
    drawn = mug()
    made = compose(
        drawn.found,
        scene(),
        Placement(shadow="none"),
        1200,
        900,
        seed=1,
        backdrop=decode_backdrop(data, LIMITS),
    )
    beside = made.alpha == 0.0
    assert np.array_equal(made.pixels[beside], room_codes()[beside])


@pytest.mark.parametrize(
    ("told", "made"),
    [
        (None, DigitalSourceType.COMPOSITE_CAPTURE),
        (DigitalSourceType.COMPOSITE_CAPTURE, DigitalSourceType.COMPOSITE_CAPTURE),
        (DigitalSourceType.TRAINED_ALGORITHMIC_MEDIA, DigitalSourceType.COMPOSITE_SYNTHETIC),
        (DigitalSourceType.COMPOSITE_WITH_TRAINED_ALGORITHMIC_MEDIA, DigitalSourceType.COMPOSITE_SYNTHETIC),
        (DigitalSourceType.ALGORITHMIC_MEDIA, DigitalSourceType.COMPOSITE),
    ],
)
def test_what_a_backdrop_says_of_itself_travels_on(
    told: DigitalSourceType | None, made: DigitalSourceType
) -> None:
    image = pyvips.Image.new_from_array(room_codes()).copy(interpretation="srgb")
    image.set_type(pyvips.GValue.blob_type, "xmp-data", xmp_packet(PictureMetadata(digital_source_type=told)))
    backdrop = decode_photo(image.pngsave_buffer())
    assert digital_source_type(scene(), backdrop) is made


def test_variants_stand_on_the_backdrop_where_the_channel_allows() -> None:
    drawn, presets = mug(800, 700), load_presets()
    wanted = [presets["landscape-4x3"], presets["amazon-main"]]
    made = create_variants(
        drawn.photo, drawn.matte, scene(), Placement(), wanted, seed=1, backdrop=lit((90, 90, 90), 900, 600)
    )
    assert made[0].enlargement == pytest.approx(2.5)
    assert read_digital_source_type(made[0].data) == "compositeCapture"
    assert (made[1].enlargement, made[1].digital_source_type) == (None, None)
    filled = presets["square-1x1"].model_copy(update={"fill": 0.8})
    assert scene_for(filled, scene(scale=0.3)) == scene()


def test_a_leaning_product_is_straightened_and_then_stands_on_the_line() -> None:
    drawn, presets = box_with_label(), [load_presets()["landscape-4x3"]]
    photo, matte = turned(drawn.photo, drawn.matte, 5.0)
    asked = Placement(straighten=True, shadow="soft")
    [made] = create_variants(photo, matte, scene(match=1.0), asked, presets, seed=1, backdrop=room())
    assert made.straightened_degrees == pytest.approx(-5.0, abs=0.05)
    assert made.fidelity.altered is False
    assert made.fidelity.light_match is not None
    assert made.fidelity.silhouette_iou is not None
    assert made.fidelity.silhouette_iou > 0.98
    subject = upright(photo, matte, asked)
    composition = compose(
        Product.of(subject.photo, subject.matte), scene(), asked, 800, 600, seed=1, backdrop=room()
    )
    rows = (composition.alpha > 0.5).sum(axis=1)
    assert foot_row(composition) == pytest.approx(0.8 * 600, abs=1)
    assert rows[int(foot_row(composition)) - 3] == pytest.approx(rows.max(), abs=2), "a level foot"


@pytest.mark.parametrize(
    ("data", "said"),
    [
        ({"kind": "backdrop"}, "picture"),
        ({"kind": "backdrop", "picture": ""}, "picture"),
        ({"kind": "backdrop", "picture": "x", "ground": 0.0}, "ground"),
        ({"kind": "backdrop", "picture": "x", "match": 2}, "match"),
        ({"kind": "backdrop", "picture": "x", "depth": 1}, "depth"),
    ],
)
def test_a_scene_that_is_wrong_is_answered_with_the_field(data: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidScene, match=said):
        resolve_scene(data)

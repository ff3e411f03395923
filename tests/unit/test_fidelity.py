"""The fidelity report: silent for an honest picture, loud for an altered one."""

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
import pyvips
from numpy.typing import NDArray
from tests.project.source_tree import ROOT
from tests.unit.drawn_backdrops import lit
from tests.unit.drawn_products import Product, box_with_label

from opal.fidelity import MOST_LOCAL_DE, Fidelity, measure
from opal.images.decode import decode_photo
from opal.images.encode import OutputFormat, encode
from opal.images.finished import read_finished
from opal.placement.place import Composition, compose
from opal.placement.placement import Placement
from opal.placement.scene import BackdropScene, StudioScene


@pytest.fixture(scope="module")
def drawn() -> Product:
    return box_with_label()


@pytest.fixture(scope="module")
def made(drawn: Product) -> Composition:
    return compose(drawn.found, StudioScene(), Placement(), 360, 360, seed=1)


def _measure(picture: NDArray[np.uint8], made: Composition, drawn: Product) -> Fidelity:
    return measure(
        picture,
        made.reference,
        made.alpha,
        made.product_box,
        matte=drawn.matte,
        transform=made.transform,
        relight=made.relight,
    )


def _label(made: Composition) -> tuple[slice, slice]:
    """Where one stripe of the label's print lies on the canvas."""
    left, top = (
        round(made.transform.scale * 140 + made.transform.tx),
        round(made.transform.scale * 150 + made.transform.ty),
    )
    return slice(top, top + 5), slice(left, left + 60)


def test_an_honest_picture_differs_by_rounding_only(made: Composition, drawn: Product) -> None:
    report = _measure(made.pixels, made, drawn)
    assert report.pixels_compared > 30_000
    assert report.share_within_de1 is not None
    assert report.share_within_de1 > 0.999
    assert report.mean_de is not None
    assert report.mean_de < 0.3
    assert report.ssim is not None
    assert report.ssim > 0.9999
    assert report.silhouette_iou is not None
    assert report.silhouette_iou > 0.98


@pytest.mark.parametrize(("format_", "quality"), [("jpeg", 95), ("webp", 100), ("png", 92)])
def test_encoding_is_part_of_what_is_measured(
    made: Composition, drawn: Product, format_: OutputFormat, quality: int
) -> None:
    picture = read_finished(encode(made.pixels, format_, quality)).pixels
    report = _measure(picture, made, drawn)
    assert report.share_within_de1 is not None
    assert report.share_within_de1 > (0.85 if format_ == "jpeg" else 0.999)


def _share(report: Fidelity) -> float:
    assert report.share_within_de1 is not None
    return report.share_within_de1


def _local(report: Fidelity) -> tuple[float, int, float]:
    assert report.local_de is not None
    assert report.altered_pixels is not None
    assert report.local_ssim is not None
    return report.local_de, report.altered_pixels, report.local_ssim


def test_a_changed_label_shows(made: Composition, drawn: Product) -> None:
    """Half a line of print painted over: under 1 % of the product, yet every figure moves."""
    altered = made.pixels.copy()
    altered[_label(made)] = (240, 236, 228)
    honest, caught = _measure(made.pixels, made, drawn), _measure(altered, made, drawn)
    assert honest.max_de is not None
    assert caught.max_de is not None
    assert honest.max_de < 5
    assert caught.max_de > 30
    assert _share(caught) < _share(honest) - 0.003
    assert caught.ssim is not None
    assert caught.ssim < 0.995
    assert (honest.altered, caught.altered) == (False, True)


def test_a_shifted_or_cut_outline_shows(made: Composition, drawn: Product) -> None:
    alpha = made.alpha.copy()
    alpha[:, : made.product_box.left + 40] = 0.0
    report = measure(
        made.pixels, made.reference, alpha, made.product_box, matte=drawn.matte, transform=made.transform
    )
    assert report.silhouette_iou is not None
    assert report.silhouette_iou < 0.9


def test_a_product_that_is_all_edge_has_no_figures(made: Composition, drawn: Product) -> None:
    thin = np.minimum(made.alpha, 0.9)
    report = measure(
        made.pixels, made.reference, thin, made.product_box, matte=drawn.matte, transform=made.transform
    )
    assert report.pixels_compared == 0
    assert report.share_within_de1 is report.max_de is report.ssim is None
    assert report.altered is report.local_de is report.altered_pixels is report.local_ssim is None


# From here on: the sample tin as a studio picture, at 0.87 of its photo's size. Areas of the photo.
SMALL_LETTER = (845, 1010, 858, 1027)
NET_WEIGHT = (860, 1000, 930, 1035)
BIG_LETTER = (700, 780, 760, 840)
TEXT = (700, 900, 1000, 1040)
PLAIN_LID = (600, 450, 700, 550)


@pytest.fixture(scope="module")
def tin() -> Product:
    samples = ROOT / "samples"
    codes = pyvips.Image.new_from_file(str(samples / "alpha" / "tea-tin.png")).numpy()
    photo = decode_photo(samples / "photos" / "tea-tin.jpg")
    return Product(photo, np.asarray(codes / np.float32(255), np.float32))


@pytest.fixture(scope="module")
def studio(tin: Product) -> Composition:
    return compose(tin.found, StudioScene(), Placement(), 1000, 1000, seed=1)


def _place(studio: Composition, area: tuple[int, int, int, int]) -> tuple[slice, slice]:
    """An area (left, top, right, bottom) of the photo on the canvas."""
    move = studio.transform
    left, right = (round(move.scale * x + move.tx) for x in area[::2])
    top, bottom = (round(move.scale * y + move.ty) for y in area[1::2])
    return slice(top, bottom), slice(left, right)


def _repainted(studio: Composition, area: tuple[int, int, int, int]) -> NDArray[np.uint8]:
    """Print painted over with the label's own colour, row by row."""
    picture = studio.pixels.copy()
    rows, columns = _place(studio, area)
    picture[rows, columns] = np.median(picture[rows.start - 3 : rows.start, columns], axis=(0, 1))
    return picture


def _another_letter(studio: Composition) -> NDArray[np.uint8]:
    picture = studio.pixels.copy()
    rows, columns = _place(studio, BIG_LETTER)
    step = round(62 * studio.transform.scale)
    picture[rows, columns] = studio.pixels[rows, columns.start + step : columns.stop + step]
    return picture


def _blurred(studio: Composition, area: tuple[int, int, int, int], sigma: float) -> NDArray[np.uint8]:
    picture = studio.pixels.copy()
    place = _place(studio, area)
    picture[place] = pyvips.Image.new_from_array(studio.pixels).gaussblur(sigma).numpy()[place]
    return picture


def _recoloured(studio: Composition, shift: tuple[float, float, float]) -> NDArray[np.uint8]:
    """The product's own pixels moved in CIE L*a*b*."""
    picture = studio.pixels.copy()
    codes = pyvips.Image.new_from_array(studio.pixels, interpretation="srgb").colourspace("lab").numpy()
    moved = pyvips.Image.new_from_array(codes + np.array(shift, np.float32), interpretation="lab")
    product = studio.alpha >= 1.0
    picture[product] = moved.colourspace("srgb").numpy()[product]
    return picture


def _squeezed(studio: Composition) -> NDArray[np.uint8]:
    picture, box = studio.pixels.copy(), studio.product_box
    rows = slice(box.top, box.bottom)
    part = pyvips.Image.new_from_array(studio.pixels[rows, box.left : box.right])
    narrow = part.resize(round(0.98 * box.width) / box.width, vscale=1.0).numpy()
    left = box.left + (box.width - narrow.shape[1]) // 2
    picture[rows, left : left + narrow.shape[1]] = narrow
    return picture


ALTERATIONS: dict[str, Callable[[Composition], NDArray[np.uint8]]] = {
    "one small letter repainted": lambda made: _repainted(made, SMALL_LETTER),
    "a few letters repainted": lambda made: _repainted(made, NET_WEIGHT),
    "another letter": _another_letter,
    "redder by 2": lambda made: _recoloured(made, (0.0, 3.3, 0.0)),
    "lighter by 2": lambda made: _recoloured(made, (2.2, 0.0, 0.0)),
    "small print blurred": lambda made: _blurred(made, NET_WEIGHT, 1.5),
    "text a little blurred": lambda made: _blurred(made, TEXT, 1.0),
    "plain lid blurred": lambda made: _blurred(made, PLAIN_LID, 1.5),
    "squeezed by 2 %": _squeezed,
    "one pixel to the right": lambda made: np.roll(made.pixels, 1, axis=1),
    "one pixel down": lambda made: np.roll(made.pixels, 1, axis=0),
}


@pytest.mark.parametrize("name", list(ALTERATIONS))
def test_what_was_altered_on_purpose_is_called_altered_also_after_jpeg(
    studio: Composition, tin: Product, name: str
) -> None:
    picture = ALTERATIONS[name](studio)
    for shown in (picture, read_finished(encode(picture, "jpeg", 95)).pixels):
        assert _measure(shown, studio, tin).altered is True


@pytest.mark.parametrize(
    ("format_", "quality"), [("jpeg", 95), ("jpeg", 90), ("jpeg", 85), ("webp", 92), ("png", 0)]
)
def test_what_an_encoder_does_is_not_called_altered(
    studio: Composition, tin: Product, format_: OutputFormat, quality: int
) -> None:
    report = _measure(read_finished(encode(studio.pixels, format_, quality)).pixels, studio, tin)
    assert report.altered is False
    if (format_, quality) == ("jpeg", 95):
        difference, area, structure = _local(report)
        assert difference < 0.3 * MOST_LOCAL_DE
        assert area == 0
        assert structure > 0.95


def test_one_small_letter_hides_in_the_old_figures_and_shows_in_the_local_ones(
    studio: Composition, tin: Product
) -> None:
    """A third of a per mille of the product: share and mean do not notice, an eye does."""
    honest, caught = (
        _measure(read_finished(encode(picture, "jpeg", 95)).pixels, studio, tin)
        for picture in (studio.pixels, _repainted(studio, SMALL_LETTER))
    )
    assert _share(caught) == pytest.approx(_share(honest), abs=0.001)
    difference, area, structure = _local(caught)
    assert difference > 2 * MOST_LOCAL_DE
    assert 50 < area < 300, "a letter is small"
    assert structure < 0.8


def test_a_colour_shift_of_two_shows_as_one_large_area(studio: Composition, tin: Product) -> None:
    report = _measure(_recoloured(studio, (2.2, 0.0, 0.0)), studio, tin)
    assert report.mean_de == pytest.approx(1.9, abs=0.2)
    assert _local(report)[1] > 0.5 * report.pixels_compared


@pytest.fixture(scope="module")
def matched(tin: Product) -> Composition:
    """The tin in dim candle light, as far as a match goes."""
    scene = BackdropScene(picture="candles.jpg", match=1.0)
    return compose(tin.found, scene, Placement(), 1000, 1000, seed=1, backdrop=lit((80, 60, 35)))


def test_a_light_match_that_was_asked_for_is_told_but_not_called_altered(
    matched: Composition, tin: Product
) -> None:
    for shown in (matched.pixels, read_finished(encode(matched.pixels, "jpeg", 95)).pixels):
        report = _measure(shown, matched, tin)
        assert report.altered is False
        assert _local(report)[1] == 0
        assert report.light_match is not None
        assert report.light_match.mean_de is not None
        assert report.light_match.mean_de > 2
        assert report.mean_de == pytest.approx(report.light_match.mean_de, abs=0.5)
    unasked = replace(matched, relight=None)
    assert _measure(matched.pixels, unasked, tin).altered is True


@pytest.mark.parametrize("name", ["one small letter repainted", "another letter", "redder by 2"])
def test_what_was_altered_does_not_hide_behind_a_light_match(
    matched: Composition, tin: Product, name: str
) -> None:
    picture = ALTERATIONS[name](matched)
    for shown in (picture, read_finished(encode(picture, "jpeg", 95)).pixels):
        assert _measure(shown, matched, tin).altered is True

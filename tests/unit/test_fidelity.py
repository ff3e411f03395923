"""The fidelity report: silent for an honest picture, loud for an altered one."""

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.drawn_products import Product, box_with_label

from opal.fidelity import Fidelity, measure
from opal.images.encode import OutputFormat, encode
from opal.images.finished import read_finished
from opal.placement.place import Composition, compose
from opal.placement.placement import Placement
from opal.placement.scene import StudioScene


@pytest.fixture(scope="module")
def drawn() -> Product:
    return box_with_label()


@pytest.fixture(scope="module")
def made(drawn: Product) -> Composition:
    return compose(drawn.photo, drawn.matte, StudioScene(), Placement(), 360, 360, seed=1)


def _measure(picture: NDArray[np.uint8], made: Composition, drawn: Product) -> Fidelity:
    return measure(
        picture, made.reference, made.alpha, made.product_box, matte=drawn.matte, transform=made.transform
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


def test_a_changed_label_shows(made: Composition, drawn: Product) -> None:
    """Half a line of print painted over: under 1 % of the product, yet every figure moves."""
    altered = made.pixels.copy()
    altered[_label(made)] = (240, 236, 228)
    honest, caught = _measure(made.pixels, made, drawn), _measure(altered, made, drawn)
    assert honest.max_de is not None
    assert caught.max_de is not None
    assert honest.max_de < 5
    assert caught.max_de > 30
    assert caught.share_within_de1 is not None
    assert honest.share_within_de1 is not None
    assert caught.share_within_de1 < honest.share_within_de1 - 0.003
    assert caught.ssim is not None
    assert caught.ssim < 0.995


def test_a_colour_cast_shows(made: Composition, drawn: Product) -> None:
    cast = made.pixels.copy()
    cast[..., 0] = np.minimum(cast[..., 0].astype(int) + 6, 255)
    report = _measure(cast, made, drawn)
    assert report.share_within_de1 is not None
    assert report.share_within_de1 < 0.2
    assert report.mean_de is not None
    assert report.mean_de > 1.2


def test_blur_shows(made: Composition, drawn: Product) -> None:
    codes = made.pixels.astype(np.float32)
    blurred = sum(np.roll(codes, (y, x), (0, 1)) for y in (-1, 0, 1) for x in (-1, 0, 1)) / 9
    report = _measure(np.asarray(blurred, np.float32).astype(np.uint8), made, drawn)
    assert report.ssim is not None
    assert report.ssim < 0.99


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

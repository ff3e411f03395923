"""The cut-out benchmark's own arithmetic: wrong measures would let a wrong matte pass."""

import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import pyvips
from benchmarks.cutouts.cases import Case, enlarge, folder_cases, read_truth, sample_cases
from benchmarks.cutouts.figures import REMBG, Bar, Result, bars, grouped, summary
from benchmarks.cutouts.makers import Maker, framed
from benchmarks.cutouts.measures import Measures, enclosed_ground, measure, outline_band
from benchmarks.cutouts.worst import SIDE, draw, worst_spot

from opal.images.matte import Matte, encode_matte

SAMPLES = Path(__file__).parents[2] / "samples"


def ring(outer: float = 30.0, inner: float = 15.0, side: int = 100) -> Matte:
    y, x = np.mgrid[:side, :side] - side / 2 + 0.5
    away = np.hypot(x, y)
    drawn: Matte = ((away < outer) & (away >= inner)).astype(np.float32)
    return drawn


def test_the_truth_itself_is_without_error() -> None:
    assert measure(ring(), ring()) == Measures(mae=0.0, iou=1.0, boundary=0.0, holes=1.0)


def test_each_measure_sees_its_own_fault() -> None:
    truth = ring()
    filled = measure(ring(inner=0.0), truth)
    assert filled.holes == 0.0
    assert filled.mae == pytest.approx((15.0**2 * math.pi) / 100**2, rel=0.02)
    assert filled.iou == pytest.approx(1 - 15**2 / 30**2, abs=0.01)
    # A pixel too much all around: little over the frame, a lot at the edge.
    wider = measure(ring(outer=31.0, inner=14.0), truth)
    assert wider.boundary > 3 * wider.mae
    assert wider.holes is not None
    assert 0.8 < wider.holes < 1.0
    # What lies further than the band from the outline is no matter of edges.
    far = truth.copy()
    far[:5, :5] = 1.0
    assert measure(far, truth).boundary == 0.0
    assert measure(far, truth).mae == pytest.approx(25 / 100**2)


def test_a_hole_is_ground_that_the_product_encloses() -> None:
    holes = enclosed_ground(ring())
    assert holes[50, 50]
    assert not holes[0, 0]
    assert holes.sum() == (ring(outer=15.0, inner=0.0) > 0).sum()
    open_ring = ring()
    open_ring[48:52, 50:] = 0.0
    assert not enclosed_ground(open_ring).any()
    assert measure(open_ring, open_ring).holes is None
    speck = ring(inner=0.0)
    speck[50, 50] = 0.0
    assert enclosed_ground(speck).sum() == 1
    huge = np.pad(np.ones((200, 200), np.float32), 2)
    huge[100, 100] = 0.0
    assert not enclosed_ground(huge).any()


def test_the_band_is_as_wide_as_told_and_spares_the_frame() -> None:
    solid = np.zeros((60, 60), np.bool_)
    solid[:, 30:] = True
    columns = np.nonzero(outline_band(solid, 5).all(axis=0))[0]
    assert (columns.min(), columns.max()) == (24, 35)
    assert not outline_band(solid, 5)[:, [0, 59]].any()


def test_mattes_of_other_sizes_and_empty_truths_are_refused() -> None:
    with pytest.raises(ValueError, match="the truth"):
        measure(ring(side=90), ring())
    with pytest.raises(ValueError, match="no product"):
        measure(ring(), np.zeros((100, 100), np.float32))


def test_a_cropped_cut_out_is_put_back_in_its_place() -> None:
    matte = framed(np.ones((4, 6), np.float32), -1, 7, (10, 10))
    assert matte.sum() == 3 * 5
    assert matte[7:, :5].all()


def test_folders_pair_photos_with_masks_by_stem(tmp_path: Path) -> None:
    photos, masks = tmp_path / "photos", tmp_path / "masks"
    (photos / "shoes").mkdir(parents=True)
    masks.mkdir()
    picture = pyvips.Image.black(20, 30, bands=3).copy(interpretation="srgb")
    for name in ("shoes/red.jpg", "plain.PNG", "without.jpg"):
        picture.write_to_file(str(photos / name).replace(".PNG", ".png"))
    (masks / "red.png").write_bytes(encode_matte(ring(side=30)[:, :20]))
    # A finished cut-out serves as a mask by its alpha.
    own = np.dstack([np.zeros((30, 20, 3), np.uint8), np.full((30, 20), 51, np.uint8)])
    pyvips.Image.new_from_array(own).copy(interpretation="srgb").pngsave(str(masks / "plain.png"))
    cases = {case.name: case for case in folder_cases(photos, masks)}
    assert {name: case.kind for name, case in cases.items()} == {"shoes/red": "shoes", "plain": "photos"}
    assert read_truth(cases["plain"]) == pytest.approx(np.full((30, 20), 0.2))
    with pytest.raises(ValueError, match="no photo"):
        folder_cases(photos, photos / "shoes")


def test_samples_are_cases_and_grow_with_their_masks(tmp_path: Path) -> None:
    cases = sample_cases(SAMPLES)
    assert {"stoneware-mug", "tea-tin"} <= {case.name for case in cases}
    [mug] = [case for case in cases if case.name == "stoneware-mug"]
    [large] = enlarge([mug], 6.5, tmp_path)
    assert large.large
    assert large.enlarged
    # Upright although the file stores it turned, and the mask fits the photo.
    photo = pyvips.Image.new_from_file(str(large.photo))
    truth = read_truth(large)
    assert (photo.height, photo.width) == truth.shape
    assert truth.mean() == pytest.approx(read_truth(mug).mean(), abs=1e-3)
    assert enlarge([large], 12.0, tmp_path) == []
    assert sample_cases(tmp_path) == []


def result(maker: str, *, seconds: float, boundary: float, iou: float = 0.99, large: bool = True) -> Result:
    case = Case("cup", "ceramic", Path("cup.jpg"), Path("cup.png"), 12_000_000 if large else 1_000_000)
    return Result(
        case=case,
        maker=maker,
        measures=Measures(mae=0.001, iou=iou, boundary=boundary, holes=1.0),
        seconds=seconds,
        cpu_seconds=seconds,
        peak_mib=100.0 * seconds,
        steps={"network": 0.85},
        failed=None,
    )


def by_wish(rows: list[Bar], word: str) -> Bar:
    [found] = [row for row in rows if word in row.wanted]
    return found


def test_bars_are_met_or_not_by_what_was_measured() -> None:
    good = [result("opal isnet", seconds=1.0, boundary=0.07), result(REMBG, seconds=2.4, boundary=0.1)]
    assert all(bar.met for bar in bars(good, "opal isnet"))
    bad = [
        result("opal isnet", seconds=1.1, boundary=0.08, iou=0.987),
        result(REMBG, seconds=2.0, boundary=0.1),
    ]
    rows = bars(bad, "opal isnet")
    assert {word: by_wish(rows, word).met for word in ("speed", "outside", "memory", "boundary", "IoU")} == {
        "speed": False,
        "outside": False,
        "memory": False,
        "boundary": False,
        "IoU": False,
    }
    assert by_wish(rows, "MAE").met
    assert "1.82 x" in by_wish(rows, "speed").measured
    quantised = [replace(good[0], maker="opal isnet-int8"), good[1]]
    assert not by_wish(bars(quantised, "opal isnet-int8"), "speed").met
    small = result("opal isnet", seconds=1.0, boundary=0.07, large=False)
    alone = bars([small], "opal isnet")
    assert [bar.wanted for bar in alone] == ["hole recall at least 0.95"]


def test_a_wrong_cutout_must_not_look_sure() -> None:
    right = replace(result("opal isnet", seconds=1.0, boundary=0.07), confidence=0.6)
    for confidence, met in ((0.7, True), (0.9, False)):
        wrong = replace(result("opal isnet", seconds=1.0, boundary=0.07, iou=0.8), confidence=confidence)
        row = by_wish(bars([right, wrong], "opal isnet"), "confidence")
        assert row.met is met
        assert row.measured.endswith("1 of 1 others")


def test_results_are_grouped_by_size_and_kind() -> None:
    results = [
        result("opal isnet", seconds=1.0, boundary=0.1),
        result("opal isnet", seconds=3.0, boundary=0.3, large=False),
    ]
    groups = grouped(results)
    assert set(groups) == {
        ("6 MP and more", "all"),
        ("6 MP and more", "ceramic"),
        ("below 6 MP", "all"),
        ("below 6 MP", "ceramic"),
    }
    both = summary(results)
    assert (both["photos"], both["seconds"], both["peak_mib"]) == (2, 2.0, 300.0)
    assert both["boundary"] == pytest.approx(0.2)


def test_the_worst_place_is_where_the_first_maker_errs_most() -> None:
    truth = np.zeros((600, 600), np.float32)
    truth[:300] = 1.0
    matte, other = truth.copy(), truth.copy()
    matte[500:520, 400:420] = 1.0
    other[:] = 0.0
    photo = pyvips.Image.black(600, 600, bands=3).copy(interpretation="srgb")
    spot = worst_spot("cup", photo, truth, {"opal": matte, "rembg": other})
    assert spot.error == 400.0
    assert spot.mattes["opal"].sum() > 400 - 1
    sheet = pyvips.Image.new_from_buffer(draw([spot]), "").numpy()
    assert sheet.shape[1] > 6 * SIDE
    assert (sheet == (255, 0, 255)).all(axis=2).any()


@pytest.mark.xdist_group("network")
def test_a_maker_in_its_own_process_cuts_a_photo_out_and_tells_of_one_it_cannot(tmp_path: Path) -> None:
    [tin] = [case for case in sample_cases(SAMPLES) if case.name == "tea-tin"]
    truth = read_truth(tin)
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(tin.photo.read_bytes()[:2000])
    with Maker("opal isnet", "opal", "isnet", tmp_path) as maker:
        made = maker.make(tin, truth.shape)
        lost = maker.make(Case("broken", "tin", broken, tin.mask, 1), truth.shape)
    assert measure(made.matte, truth).iou > 0.98
    assert set(made.steps) == {"decode", "network", "refine", "compose", "encode"}
    assert sum(made.steps.values()) == pytest.approx(made.seconds, rel=0.05)
    assert made.peak_mib > 100
    assert lost.failed is not None
    assert "Photo" in lost.failed
    assert not lost.matte.any()

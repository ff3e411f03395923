"""Confidence falls, with a reason, when there is something for a person to look at."""

from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray
from tests.unit.tiny_onnx import mean_network

from opal.cutout.confidence import judge, judge_own
from opal.cutout.engines import load_engine
from opal.cutout.refine import Refined
from opal.cutout.sight import Sight
from opal.images.decode import decode_photo
from opal.images.encode import encode
from opal.images.geometry import Box
from opal.items.review import needs_review

Floats = NDArray[np.float32]


def boxes(*areas: tuple[slice, slice]) -> Floats:
    shape = np.zeros((300, 300), np.float32)
    for area in areas:
        shape[area] = 1.0
    return shape


def seen(prediction: Floats, part: Box | None = None) -> Sight:
    """The answer for the whole of a photo, or for a part of it; one photo pixel per number."""
    height, width = prediction.shape
    if part is None:
        return Sight(prediction, Box(0, 0, width, height), width, height)
    return Sight(prediction, part, width=1000, height=1000)


def judged(shape: Floats, prediction: Floats | None = None, *, left_out: bool = False) -> tuple[float, str]:
    answer = shape if prediction is None else prediction
    confidence, reasons = judge(seen(answer), Refined(matte=shape, shape=shape, left_out=left_out))
    return confidence, " ".join(reasons)


MIDDLE = (slice(75, 225), slice(75, 225))


def test_a_crisp_product_in_the_middle_is_certain() -> None:
    assert judged(boxes(MIDDLE)) == (1.0, "")


def test_a_damaged_file_is_for_a_person_to_look_at(tmp_path: Path) -> None:
    """With the rest of the doubts, and whatever the network saw."""
    (tmp_path / "mean.onnx").write_bytes(mean_network(64))
    (tmp_path / "mean.toml").write_text("side = 64\nmean = [0.0, 0.0, 0.0]\nstd = [1.0, 1.0, 1.0]\n")
    engine = load_engine(str(tmp_path / "mean.onnx"), tmp_path)
    noise = np.random.default_rng(1).integers(150, 256, (400, 400, 3), np.uint8)
    noise[:100] = noise[-100:] = noise[:, :100] = noise[:, -100:] = 0
    whole = encode(noise, "jpeg", 90)
    middle = len(whole) // 2
    damaged = whole[:middle] + b"\xff" * 300 + whole[middle + 300 :]
    good, bad = (engine.cut_out(decode_photo(data)) for data in (whole, damaged))
    assert not any("damaged" in reason for reason in good.reasons)
    assert "damaged" in bad.reasons[0]
    assert needs_review(bad.confidence, 0.8)


def test_hesitation_grows_into_doubt() -> None:
    shape = boxes(MIDDLE)
    confidences = []
    for doubt in (0.02, 0.05, 0.1, 0.2, 0.3):
        confidence, reason = judged(shape, np.where(shape > 0, 1.0 - doubt, 0.0).astype(np.float32))
        confidences.append(confidence)
    assert confidences == sorted(confidences, reverse=True)
    assert confidences[-1] < 0.4
    assert "uncertain" in reason


@pytest.mark.parametrize(
    ("shape", "reason"),
    [
        (boxes((slice(100, 300), slice(75, 225))), "cut off by the edge"),
        (boxes((slice(140, 155), slice(140, 155))), "very little"),
        (boxes((slice(4, 296), slice(4, 296))), "Nearly the whole"),
        (boxes((slice(100, 200), slice(20, 120)), (slice(100, 200), slice(160, 280))), "2 separate"),
    ],
)
def test_each_sign_has_its_reason(shape: Floats, reason: str) -> None:
    confidence, reasons = judged(shape)
    assert confidence < 0.9
    assert reason in reasons


def test_what_was_left_out_is_said() -> None:
    confidence, reasons = judged(boxes(MIDDLE), left_out=True)
    assert confidence < 1.0
    assert "out of focus" in reasons


def test_what_the_network_half_saw_beside_the_product_is_said() -> None:
    shape = boxes(MIDDLE)
    knob = np.where(boxes((slice(50, 75), slice(140, 165))) > 0, 0.08, shape).astype(np.float32)
    confidence, reasons = judged(shape, knob)
    assert confidence < 0.8
    assert "left out" in reasons
    edge = np.where(boxes((slice(72, 75), slice(75, 225))) > 0, 0.2, shape).astype(np.float32)
    assert judged(shape, edge)[0] > 0.95


def test_reasons_come_worst_first() -> None:
    shape = boxes((slice(100, 300), slice(20, 120)), (slice(100, 200), slice(160, 280)))
    _, reasons = judge(seen(shape), Refined(shape, shape, left_out=False))
    assert "cut off" in reasons[0]
    assert len(reasons) == 2


def test_the_edge_of_a_part_is_not_the_edge_of_the_photo() -> None:
    shape = boxes((slice(100, 300), slice(75, 225)))  # leaves the part below
    refined = Refined(shape, shape, left_out=False)
    inside = judge(seen(shape, Box(100, 100, 300, 300)), refined)
    assert inside == (1.0, ())
    confidence, reasons = judge(seen(shape, Box(100, 700, 300, 300)), refined)
    assert confidence < 0.9
    assert "cut off" in reasons[0]


def test_a_product_that_fills_its_part_may_still_be_tiny_in_the_photo() -> None:
    shape = boxes((slice(10, 290), slice(10, 290)))
    _, reasons = judge(seen(shape, Box(500, 500, 40, 40)), Refined(shape, shape, left_out=False))
    assert "very little" in reasons[0]


OWN = "The file's own transparency was used."


@pytest.mark.parametrize(
    ("matte", "sure", "said"),
    [
        (boxes(MIDDLE), True, ""),
        (boxes((slice(None), slice(None)))[:40], True, ""),
        (boxes((slice(75, 300), slice(75, 225))), False, "cut off by the edge"),
        (boxes(MIDDLE, (slice(240, 299), slice(240, 299))), True, ""),
        (boxes((slice(10, 110), slice(10, 110)), (slice(150, 250), slice(150, 250))), True, "2 separate"),
        (boxes((slice(10, 20), slice(10, 20))), False, "very little"),
    ],
)
def test_a_files_own_transparency_is_judged_by_its_shape(matte: Floats, sure: bool, said: str) -> None:
    confidence, reasons = judge_own(matte)
    assert (confidence >= 0.8) == sure
    assert said in reasons[0]
    assert reasons[-1] == OWN


def test_a_cut_out_trimmed_to_its_product_is_not_taken_for_cut_off() -> None:
    rows, columns = np.mgrid[-1:1:200j, -1:1:200j]
    disc = (rows**2 + columns**2 <= 1.0).astype(np.float32)
    assert judge_own(disc) == (1.0, (OWN,))

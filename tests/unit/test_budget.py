"""A byte budget is met at the highest quality that fits, and what gave way is said."""

import numpy as np
import pytest
from numpy.typing import NDArray

from opal.images.budget import Budget, encode_within
from opal.images.encode import OutputFormat, encode


@pytest.fixture(scope="module")
def textured() -> NDArray[np.uint8]:
    """Colours that a JPEG finds hard: 150 × 200 of smooth noise."""
    noise = np.random.default_rng(7).integers(0, 256, (30, 40, 3), np.uint8)
    return np.repeat(np.repeat(noise, 5, axis=0), 5, axis=1)


def test_without_a_budget_it_is_what_encode_makes(textured: NDArray[np.uint8]) -> None:
    made = encode_within(textured, "jpeg", Budget(quality=90, lowest_quality=70))
    assert made.data == encode(textured, "jpeg", 90)
    assert made.done == ()


def test_a_little_too_large_costs_effort_before_quality(textured: NDArray[np.uint8]) -> None:
    most = len(encode(textured, "jpeg", 90, effort="small"))
    assert most < len(encode(textured, "jpeg", 90))
    made = encode_within(textured, "jpeg", Budget(quality=90, lowest_quality=70, max_bytes=most))
    assert (len(made.data), made.quality) == (most, 90)
    assert made.done == ("compressed with more effort",)
    asked = encode_within(textured, "jpeg", Budget(quality=90, lowest_quality=70, effort="small"))
    assert (asked.data, asked.done) == (made.data, ())


def test_greys_are_stored_with_half_the_colour_and_nothing_is_said(textured: NDArray[np.uint8]) -> None:
    grey = np.repeat(textured[..., :1], 3, axis=2)
    made = encode_within(grey, "jpeg", Budget(quality=90, lowest_quality=70))
    assert (made.chroma, made.done) == ("4:2:0", ())
    asked = encode_within(grey, "jpeg", Budget(quality=90, lowest_quality=70, chroma="4:4:4"))
    assert asked.chroma == "4:4:4"


@pytest.mark.parametrize("format_", ["jpeg", "webp", "avif"])
def test_the_highest_quality_that_fits_is_found(textured: NDArray[np.uint8], format_: OutputFormat) -> None:
    most = len(encode(textured, format_, 80, effort="small"))
    budget = Budget(quality=95, lowest_quality=50, max_bytes=most)
    made = encode_within(textured, format_, budget)
    assert len(made.data) <= most
    assert made.quality >= 80
    assert len(encode(textured, format_, made.quality + 1, effort="small")) > most
    assert made.done == (f"quality lowered from 95 to {made.quality}",)


def test_colour_gives_way_before_the_budget_does(textured: NDArray[np.uint8]) -> None:
    full, half = (
        len(encode(textured, "jpeg", 70, chroma=chroma, effort="small")) for chroma in ("4:4:4", "4:2:0")
    )
    assert half < full - 1
    budget = Budget(quality=95, lowest_quality=70, max_bytes=full - 1)
    made = encode_within(textured, "jpeg", budget)
    assert len(made.data) < full
    assert made.chroma == "4:2:0"
    assert "colour stored at half resolution" in made.done
    # Unless the preset insists.
    insisting = Budget(quality=95, lowest_quality=70, max_bytes=full - 1, chroma="4:4:4")
    assert len(encode_within(textured, "jpeg", insisting).data) == full


def test_a_budget_that_cannot_be_met_gets_the_smallest_file_there_is(textured: NDArray[np.uint8]) -> None:
    made = encode_within(textured, "jpeg", Budget(quality=95, lowest_quality=70, max_bytes=100))
    assert (made.quality, made.chroma) == (70, "4:2:0")
    webp = encode_within(textured, "webp", Budget(quality=95, lowest_quality=70, max_bytes=100))
    assert webp.done == ("quality lowered from 95 to 70",)
    png = encode_within(textured, "png", Budget(quality=95, lowest_quality=70, max_bytes=100))
    assert png.data == encode(textured, "png")


def test_a_file_that_is_too_small_for_the_channel_gets_more_quality(textured: NDArray[np.uint8]) -> None:
    least = len(encode(textured, "jpeg", 90))
    budget = Budget(quality=75, lowest_quality=70, min_bytes=least)
    made = encode_within(textured, "jpeg", budget)
    assert len(made.data) >= least
    assert len(encode(textured, "jpeg", made.quality - 1)) < least
    assert made.done == (f"quality raised from 75 to {made.quality}",)
    best = encode_within(textured, "jpeg", Budget(quality=75, lowest_quality=70, min_bytes=10**8))
    assert best.quality == 100
    held = Budget(quality=75, lowest_quality=70, min_bytes=10**8, max_bytes=len(best.data) - 1)
    assert encode_within(textured, "jpeg", held).quality == 75

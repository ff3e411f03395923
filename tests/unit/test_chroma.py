"""Colour is halved only where nobody can tell."""

import numpy as np
import pytest
from numpy.typing import NDArray

from opal.images.chroma import subsampling_shows
from opal.images.encode import encode
from opal.images.finished import read_finished

HEIGHT, WIDTH = 300, 400
Codes = NDArray[np.uint8]


def ground(red: int, green: int, blue: int) -> Codes:
    return np.full((HEIGHT, WIDTH, 3), (red, green, blue), np.uint8)


def with_patch(top: int, left: int, side: int, colour: tuple[int, int, int]) -> Codes:
    codes = ground(255, 255, 255)
    codes[top : top + side, left : left + side] = colour
    return codes


def grey_noise() -> Codes:
    return np.repeat(np.random.default_rng(3).integers(0, 256, (HEIGHT, WIDTH, 1), np.uint8), 3, axis=2)


def gentle() -> Codes:
    """From grey to a pale blue over the whole width."""
    codes = ground(200, 200, 200)
    codes[..., 2] = np.linspace(200, 230, WIDTH).round()
    return codes


@pytest.mark.parametrize(
    ("codes", "shows"),
    [
        (ground(255, 255, 255), False),
        (grey_noise(), False),
        (gentle(), False),
        (with_patch(100, 150, 80, (40, 40, 40)), False),
        (with_patch(100, 150, 80, (200, 20, 30)), True),
        (with_patch(100, 150, 80, (250, 235, 235)), True),
        # Even where its edges lie between blocks: decoders lay a block's colour out over its neighbours.
        (with_patch(128, 128, 64, (200, 20, 30)), True),
        # Small and in a corner, where the search ends.
        (with_patch(4, 4, 32, (20, 60, 200)), True),
        (with_patch(HEIGHT - 40, WIDTH - 40, 32, (20, 160, 60)), True),
        (np.dstack([with_patch(100, 150, 80, (200, 20, 30)), grey_noise()[..., 0]]), True),
        (ground(9, 9, 9)[:3, :9], True),
    ],
)
def test_edges_in_colour_show_and_greys_do_not(codes: Codes, shows: bool) -> None:
    assert subsampling_shows(codes) is shows


@pytest.mark.parametrize("codes", [grey_noise(), gentle(), with_patch(100, 150, 80, (40, 40, 40))])
def test_what_does_not_show_is_decoded_alike(codes: Codes) -> None:
    full, half = (
        read_finished(encode(codes, "jpeg", 95, chroma=chroma)).pixels.astype(int)
        for chroma in ("4:4:4", "4:2:0")
    )
    # Two steps of blue are one of Cb, the least that is stored.
    assert np.abs(full - half).max() <= 2

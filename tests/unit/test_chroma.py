"""Colour is halved only where nobody can tell."""

import numpy as np
import pytest
from numpy.typing import NDArray

from opal.images.budget import Budget, encode_within
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
        (np.full((3, 9, 3), 9, np.uint8), False),
        (np.pad(np.full((1, 1, 3), (200, 20, 30), np.uint8), ((2, 0), (2, 0), (0, 0))), True),
    ],
)
def test_edges_in_colour_show_and_greys_do_not(codes: Codes, shows: bool) -> None:
    assert subsampling_shows(codes) is shows


RED, PINK = (200, 20, 30), (255, 240, 240)


@pytest.mark.parametrize("thickness", range(1, 9))
def test_a_line_in_colour_shows_wherever_it_lies(thickness: int) -> None:
    """Across and down, at every phase of blocks and windows, and at borders of an odd picture."""
    for at in [*range(140, 140 + 16), HEIGHT - 1 - thickness]:
        codes = ground(255, 255, 255)[: HEIGHT - 1]
        codes[at : at + thickness] = RED
        assert subsampling_shows(codes), f"row {at}"
        assert subsampling_shows(np.ascontiguousarray(codes.swapaxes(0, 1))), f"column {at}"


@pytest.mark.parametrize("colour", [RED, PINK])
@pytest.mark.parametrize(("height", "width"), [(130, 131), (131, 130)])
def test_no_dot_of_three_by_three_is_missed(colour: tuple[int, int, int], height: int, width: int) -> None:
    """However windows divide it; 64 across and 8 down is where they meet."""
    for y in [*range(16), *range(height - 10, height - 2)]:
        for x in [*range(3), *range(60, 66), *range(width - 5, width - 2)]:
            codes = ground(255, 255, 255)[:height, :width].copy()
            codes[y : y + 3, x : x + 3] = colour
            assert subsampling_shows(codes), (y, x)


def test_stripes_of_print_keep_their_colour_in_a_jpeg() -> None:
    """Six of sixteen lines red, where looking at some lines only may find none of them."""
    codes = ground(255, 255, 255)
    for top in range(6, HEIGHT - 8, 16):
        codes[top : top + 6, 40:-40] = RED
    made = encode_within(codes, "jpeg", Budget(quality=95, lowest_quality=70))
    assert made.chroma == "4:4:4"
    moved = np.abs(read_finished(made.data).pixels.astype(int) - codes).max(axis=2)
    assert np.count_nonzero(moved > 20) < codes[..., 0].size // 1000


@pytest.mark.parametrize("codes", [grey_noise(), gentle(), with_patch(100, 150, 80, (40, 40, 40))])
def test_what_does_not_show_is_decoded_alike(codes: Codes) -> None:
    full, half = (
        read_finished(encode(codes, "jpeg", 95, chroma=chroma)).pixels.astype(int)
        for chroma in ("4:4:4", "4:2:0")
    )
    # Two steps of blue are one of Cb, the least that is stored.
    assert np.abs(full - half).max() <= 2

"""Mattes survive their PNG, and nothing else is taken for one."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from tests.unit.photo_files import codes, file_of, image

from opal.errors import InvalidPhoto, PhotoCorrupt, PhotoEmpty, PhotoTruncated
from opal.images.limits import probe
from opal.images.matte import Matte, encode_matte, read_matte

MATTES = arrays.arrays(
    np.float32, st.tuples(st.integers(1, 40), st.integers(1, 40)), elements=st.floats(0, 1, width=32)
)


@settings(deadline=None, max_examples=50)
@given(MATTES, st.sampled_from([8, 16]))
def test_a_matte_comes_back_to_the_nearest_code(matte: Matte, bits: int) -> None:
    back = read_matte(encode_matte(matte, 16 if bits == 16 else 8))
    assert back.dtype == np.float32
    assert back.shape == matte.shape
    assert np.abs(back - matte).max() <= 0.501 / (2**bits - 1)


def test_clear_and_solid_are_exact_and_excess_is_clipped() -> None:
    matte = np.array([[0.0, 1.0, -0.25, 1.75]], np.float32)
    for bits in (8, 16):
        assert read_matte(encode_matte(matte, 16 if bits == 16 else 8)).tolist() == [[0.0, 1.0, 0.0, 1.0]]


def test_the_file_is_a_one_band_png_of_the_asked_depth() -> None:
    matte = np.random.default_rng(1).random((80, 90), dtype=np.float32)
    for bits in (8, 16):
        header = probe(encode_matte(matte, 16 if bits == 16 else 8))
        assert (header.format.value, header.bands, header.bits) == ("png", 1, bits)


@pytest.mark.parametrize("kind", ["jpeg", "png"])
def test_a_photo_is_no_matte(kind: str) -> None:
    with pytest.raises(PhotoCorrupt, match="single-band PNG"):
        read_matte(file_of(kind))
    with pytest.raises(PhotoCorrupt, match="single-band PNG"):
        read_matte(image(codes()[..., 0], "b-w").jpegsave_buffer())


def test_a_damaged_matte_is_refused() -> None:
    data = encode_matte(np.random.default_rng(1).random((80, 90), dtype=np.float32))
    with pytest.raises(PhotoTruncated):
        read_matte(data[: len(data) // 2])
    with pytest.raises(PhotoEmpty):
        read_matte(b"")
    flipped = bytearray(data)
    flipped[len(data) // 2] ^= 0xFF
    with pytest.raises(InvalidPhoto):
        read_matte(bytes(flipped))

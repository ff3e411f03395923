"""ICC profiles: their names, and which of them are sRGB in all but name."""

import pytest
import pyvips
from hypothesis import given
from hypothesis import strategies as st
from tests.unit.photo_files import (
    ADOBE_GAMMA,
    ADOBE_RGB,
    DISPLAY_P3,
    SRGB,
    codes,
    grey_profile,
    image,
    rgb_profile,
    with_profile,
)

from opal.images.profile import embedded_profile, equals_srgb, profile_name

P3 = rgb_profile(DISPLAY_P3, None, "Display P3")


@pytest.mark.parametrize("version", [2, 4])
def test_a_profile_tells_its_name(version: int) -> None:
    assert profile_name(rgb_profile(ADOBE_RGB, ADOBE_GAMMA, "Adobe RGB (1998)", version=version)) == (
        "Adobe RGB (1998)"
    )


def test_a_name_of_control_characters_is_cleaned() -> None:
    assert profile_name(rgb_profile(SRGB, None, "My\x07 screen\n")) == "My screen"


@pytest.mark.parametrize("profile", [None, b"", b"junk" * 40, P3[:131], P3[:140]])
def test_what_has_no_readable_name_has_none(profile: bytes | None) -> None:
    assert profile_name(profile) is None


@given(st.binary(min_size=120, max_size=400), st.integers(0, 400))
def test_damaged_profiles_never_raise(noise: bytes, at: int) -> None:
    for profile in (noise, P3[:at] + noise, P3[:at] + noise + P3[at + len(noise) :]):
        name = profile_name(profile)
        assert name is None or (name.isprintable() and 0 < len(name) <= 120)


@pytest.mark.parametrize("version", [2, 4])
def test_somebodys_own_srgb_is_srgb(version: int) -> None:
    assert equals_srgb(rgb_profile(SRGB, None, "Vendor IEC61966", version=version))
    assert equals_srgb(pyvips.Operation.call("profile_load", "srgb"))


@pytest.mark.parametrize(
    "profile",
    [
        P3,
        rgb_profile(ADOBE_RGB, ADOBE_GAMMA, "sRGB"),  # a name is no proof
        rgb_profile(SRGB, 1.8, "sRGB"),
        rgb_profile(SRGB, 2.2, "sRGB"),  # 2.2 differs from the sRGB curve in the shadows
        grey_profile(2.2),
        pyvips.Operation.call("profile_load", "cmyk"),
        b"no profile at all",
    ],
)
def test_anything_else_is_not(profile: bytes) -> None:
    assert not equals_srgb(profile)


def test_the_embedded_profile_is_found() -> None:
    assert embedded_profile(image(codes())) is None
    assert embedded_profile(with_profile(image(codes()), P3)) == P3

"""Where crop, margin, scale and position put the subject, and how a limit reduces it all."""

import pytest

from opal.cutout_pictures.layout import Layout, lay_out
from opal.images.geometry import Box
from opal.messages.cutout_contract import Region
from opal.web_api.removebg_errors import Refused
from opal.web_api.removebg_region import region_of
from opal.web_api.removebg_request import read_wanted
from opal.web_api.removebg_values import read_corners

SUBJECT = Box(40, 30, 80, 60)


def laid(limit: float = 10**7, /, **fields: str) -> Layout:
    return lay_out(read_wanted(fields), 200, 160, SUBJECT, limit)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({}, (200, 160, 40, 30, 80, 60)),
        ({"crop": "true"}, (80, 60, 0, 0, 80, 60)),
        ({"crop": "true", "crop_margin": "10px"}, (100, 80, 10, 10, 80, 60)),
        ({"crop": "true", "crop_margin": "10%"}, (96, 72, 8, 6, 80, 60)),
        ({"crop": "true", "crop_margin": "10px 20px"}, (120, 80, 20, 10, 80, 60)),
        ({"crop": "true", "crop_margin": "1px 2px 3px 4px"}, (86, 64, 4, 1, 80, 60)),
        ({"crop": "true", "crop_margin": "90%"}, (160, 120, 40, 30, 80, 60)),
        ({"crop": "true", "crop_margin": "900px"}, (160, 120, 40, 30, 80, 60)),
        ({"crop_margin": "10px"}, (200, 160, 40, 30, 80, 60)),
        ({"scale": "100%"}, (200, 160, 0, 5, 200, 150)),
        ({"scale": "50%"}, (200, 160, 50, 42, 100, 75)),
        ({"scale": "50%", "position": "original"}, (200, 160, 30, 22, 100, 75)),
        ({"scale": "50%", "position": "0% 100%"}, (200, 160, 0, 85, 100, 75)),
        ({"position": "center"}, (200, 160, 60, 50, 80, 60)),
        ({"position": "0%"}, (200, 160, 0, 0, 80, 60)),
        ({"position": "100%"}, (200, 160, 120, 100, 80, 60)),
    ],
)
def test_the_subject_goes_where_it_was_asked_for(
    fields: dict[str, str], expected: tuple[int, int, int, int, int, int]
) -> None:
    found = laid(**fields)
    box = found.subject
    assert (found.width, found.height, box.left, box.top, box.width, box.height) == expected


def test_five_hundred_pixels_are_the_widest_margin() -> None:
    wanted = read_wanted({"crop": "true", "crop_margin": "50%"})
    found = lay_out(wanted, 4000, 4000, Box(0, 0, 4000, 1000), 10**9)
    assert (found.width, found.height) == (5000, 2000)


@pytest.mark.parametrize("limit", [1, 50, 999, 8000, 31_999])
def test_a_limit_is_never_exceeded_and_the_subject_stays_inside(limit: int) -> None:
    for fields in (dict[str, str](), {"crop": "true"}, {"scale": "90%"}):
        found = laid(limit, **fields)
        assert found.width * found.height <= max(limit, 1)
        assert found.subject.inside(found.width, found.height)


def test_nothing_is_enlarged_to_reach_a_limit() -> None:
    assert laid(10**9).width == 200


def test_no_side_is_longer_than_the_format_can_hold() -> None:
    wanted = read_wanted({"format": "webp", "crop": "true", "crop_margin": "50%"})
    found = lay_out(wanted, 16_384, 100, Box(0, 0, 16_384, 100), 10**8)
    assert max(found.width, found.height) <= 16_383


@pytest.mark.parametrize(
    ("roi", "region"),
    [
        ("0% 0% 100% 100%", None),
        ("0px 0px 200px 160px", None),
        ("10px 20px 110px 60px", Region(left=10, top=20, width=100, height=40)),
        ("25% 25% 75% 75%", Region(left=50, top=40, width=100, height=80)),
    ],
)
def test_a_region_of_interest_is_whole_pixels(roi: str, region: Region | None) -> None:
    assert region_of(read_corners(roi), 200, 160) == region


@pytest.mark.parametrize(
    ("roi", "code"),
    [
        ("0px 0px 201px 160px", "roi_exceeds_bounds"),
        ("0% 0% 100% 101%", "roi_exceeds_bounds"),
        ("300px 0px 400px 160px", "roi_exceeds_bounds"),
        ("50% 50% 50% 100%", "roi_region_empty"),
        ("75% 75% 25% 25%", "roi_region_empty"),
    ],
)
def test_a_region_that_is_outside_or_empty_is_refused(roi: str, code: str) -> None:
    with pytest.raises(Refused) as refused:
        region_of(read_corners(roi), 200, 160)
    assert refused.value.code == code

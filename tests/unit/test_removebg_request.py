"""remove.bg's fields as text: the contract's values are read, all else is refused by its own code."""

from typing import Any

import pytest

from opal.cutout_pictures.wanted import Length
from opal.errors import (
    InsufficientCredits,
    InvalidPhoto,
    OpalError,
    PhotoRefused,
    ScoringBusy,
    UnsupportedFormat,
    walk,
)
from opal.web_api.removebg_errors import TITLES, translate
from opal.web_api.removebg_errors import Refused as RefusedRequest
from opal.web_api.removebg_request import read_wanted
from opal.web_api.removebg_values import read_colour, read_corners, read_margins, read_position

VALID: list[tuple[str, str, str, Any]] = [
    *(
        ("size", name, "size", name.lower())
        for name in ("preview", "small", "regular", "medium", "hd", "full")
    ),
    *(("size", name, "size", name.lower()) for name in ("4k", "50MP", "auto")),
    *(("type", name, "type_name", name) for name in ("person", "product", "car", "animal", "transportation")),
    ("type", "auto", "type_name", "product"),
    ("type", "graphic", "type_name", "graphics"),
    ("type", "other", "type_name", "other"),
    ("type_level", "none", "type_name", None),
    *(("type_level", name, "type_name", "product") for name in ("1", "2", "latest")),
    *(("format", name, "format", name) for name in ("auto", "png", "jpg", "webp", "zip")),
    ("channels", "rgba", "channels", "rgba"),
    ("channels", "alpha", "channels", "alpha"),
    ("crop", "true", "crop", True),
    ("crop", "1", "crop", True),
    ("crop", "false", "crop", False),
    ("scale", "original", "scale", None),
    ("scale", "10%", "scale", 0.1),
    ("scale", "100%", "scale", 1.0),
    ("scale", "80%", "position", (0.5, 0.5)),
    ("position", "original", "position", None),
    ("position", "center", "position", (0.5, 0.5)),
    ("position", "30%", "position", (0.3, 0.3)),
    ("position", "0% 100%", "position", (0.0, 1.0)),
    ("add_shadow", "true", "shadow", "contact"),
    ("add_shadow", "false", "shadow", "none"),
    *(("shadow_type", name, "shadow", "contact") for name in ("auto", "car", "drop")),
    ("shadow_type", "3D", "shadow", "soft"),
    ("shadow_type", "none", "shadow", "none"),
    ("shadow_opacity", "40", "shadow_opacity", 0.4),
    ("semitransparency", "false", "shadow", "none"),
    ("bg_color", "f00", "bg_color", (255, 0, 0, 255)),
    ("bg_color", "#81d4fa77", "bg_color", (0x81, 0xD4, 0xFA, 0x77)),
    ("bg_color", "Green", "bg_color", (0, 128, 0, 255)),
    ("image_colour", "whatever", "size", "preview"),
    ("size", "", "size", "preview"),
    ("size", " hd ", "size", "hd"),
]
INVALID = [
    ("size", "huge"),
    ("type", "boat"),
    ("type_level", "3"),
    ("format", "gif"),
    ("channels", "rgb"),
    ("crop", "maybe"),
    ("crop_margin", "10"),
    ("crop_margin", "1px 2px 3px"),
    ("crop_margin", "-5px"),
    ("scale", "9%"),
    ("scale", "101%"),
    ("scale", "0.5"),
    ("position", "left"),
    ("position", "101%"),
    ("position", "1% 2% 3%"),
    ("roi", "0% 0% 100%"),
    ("roi", "0 0 10 10"),
    ("roi", "a b c d"),
    ("add_shadow", "dark"),
    ("shadow_type", "long"),
    ("shadow_opacity", "101"),
    ("shadow_opacity", "²"),
    ("semitransparency", "half"),
    ("bg_color", "12345"),
    ("bg_color", "blurple"),
]


@pytest.mark.parametrize(("name", "text", "what", "expected"), VALID)
def test_every_value_of_the_contract_is_read(name: str, text: str, what: str, expected: object) -> None:
    assert getattr(read_wanted({name: text}), what) == expected


@pytest.mark.parametrize(("name", "text"), INVALID)
def test_every_other_value_is_refused_by_the_fields_own_code(name: str, text: str) -> None:
    with pytest.raises(RefusedRequest) as refused:
        read_wanted({name: text})
    assert (refused.value.code, refused.value.status) == (f"invalid_{name}", 400)
    assert name in refused.value.detail


@pytest.mark.parametrize(
    ("size", "most", "most_png", "quarters"),
    [
        ("preview", 250_000, 250_000, 1),
        ("small", 250_000, 250_000, 1),
        ("regular", 250_000, 250_000, 1),
        ("medium", 1_500_000, 1_500_000, 4),
        ("hd", 4_000_000, 4_000_000, 4),
        ("full", 25_000_000, 10_000_000, 4),
        ("4k", 25_000_000, 10_000_000, 4),
        ("50MP", 50_000_000, 10_000_000, 4),
        ("auto", 25_000_000, 10_000_000, 4),
    ],
)
def test_every_size_has_its_limits_and_its_price(size: str, most: int, most_png: int, quarters: int) -> None:
    wanted = read_wanted({"size": size})
    assert (wanted.limit(png=False), wanted.limit(png=True), wanted.quarters) == (most, most_png, quarters)


def test_a_position_of_its_own_outranks_the_scales() -> None:
    assert read_wanted({"scale": "50%", "position": "original"}).position is None
    assert read_wanted({"scale": "50%", "position": "0%"}).position == (0.0, 0.0)


def test_lengths_are_pixels_or_shares() -> None:
    assert read_corners("10px 5% 100% 99.5px") == (
        Length(10, relative=False),
        Length(0.05, relative=True),
        Length(1.0, relative=True),
        Length(99.5, relative=False),
    )
    one, two, four = read_margins("10%"), read_margins("1px 2px"), read_margins("1px 2px 3px 4px")
    assert {length.of(200) for length in one} == {20}
    assert [length.value for length in two] == [1, 2, 1, 2]
    assert [length.value for length in four] == [1, 2, 3, 4]
    assert read_position("10% center") == (0.1, 0.5)


@pytest.mark.parametrize(
    ("text", "colour"),
    [
        ("fff", (255, 255, 255, 255)),
        ("#0008", (0, 0, 0, 0x88)),
        ("81d4fa", (0x81, 0xD4, 0xFA, 255)),
        ("transparent", (0, 0, 0, 0)),
        ("CornflowerBlue", (100, 149, 237, 255)),
    ],
)
def test_colours(text: str, colour: tuple[int, int, int, int]) -> None:
    assert read_colour(text) == colour


# What the command line has of its own is never answered to a request.
@pytest.mark.parametrize(
    "kind", [kind for kind in walk(OpalError) if not kind.__module__.startswith("opal.cli")]
)
def test_every_error_of_opals_has_words_in_the_contract(kind: type[OpalError]) -> None:
    error = kind("x", "y") if kind is PhotoRefused else kind()
    told = translate(error)
    assert told.code in TITLES
    assert told.title
    assert (told.status >= 500) is (told.code in {"internal_error", "service_unavailable"})


def test_the_endpoints_verdict_keeps_its_meaning() -> None:
    assert translate(PhotoRefused("no_product_found", "Nothing.")).code == "unknown_foreground"
    assert translate(PhotoRefused(UnsupportedFormat.code, "A film.")).code == "invalid_file_type"
    assert translate(InvalidPhoto()).code == "failed_to_read_image"
    assert translate(InsufficientCredits()).status == 402
    busy = translate(ScoringBusy("host 10.0.0.1"))
    assert (busy.status, busy.headers["Retry-After"]) == (503, "5")
    assert "10.0.0.1" not in busy.detail

"""Every rule of a channel told apart by two pictures: one that just keeps it, one that just breaks it.

The pictures are drawn from the rule itself, so a new rule of a kind that is not known here fails this test.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from opal.images.finished import FinishedPicture
from opal.marketplaces.compliance import check
from opal.marketplaces.measurements import Placed
from opal.marketplaces.presets import Preset, SafeArea, load_presets
from opal.marketplaces.rule import Rule, RuleName

WHOLE = {
    *(
        "shortest_side",
        "longest_side",
        "side_sum",
        "product_longest_side",
        "bytes",
        "dpi",
        "bits_per_channel",
    ),
    "frames",
}
"""Rules about whole numbers."""


def blank(width: int = 400, height: int = 400) -> FinishedPicture:
    """A white picture that takes no memory, whatever its size."""
    white = np.broadcast_to(np.full(3, 255, np.uint8), (height, width, 3))
    return FinishedPicture(white, "jpeg", bytes=100_000, bits=8, dpi=300, colour_space="srgb")


def square(side: int, canvas: int) -> NDArray[np.float32]:
    """A square product in the middle of a square canvas."""
    alpha = np.zeros((canvas, canvas), np.float32)
    start = (canvas - side) // 2
    alpha[start : start + side, start : start + side] = 1.0
    return alpha


def coloured(codes: str) -> FinishedPicture:
    """A white picture with one pixel of another colour in its frame."""
    pixels = np.full((400, 400, 3), 255, np.uint8)
    pixels[0, 7] = [int(code) for code in codes.split(",")]
    return replace(blank(), pixels=pixels)


PICTURE: Mapping[RuleName, Callable[[Any], FinishedPicture]] = {
    "shortest_side": lambda value: blank(int(value), 12_000),
    "longest_side": lambda value: blank(10, int(value)),
    "side_sum": lambda value: blank(int(value) - 1000, 1000),
    "megapixels": lambda value: blank(round(value * 1000), 1000),
    "aspect_ratio": lambda value: blank(round(value * 10_000), 10_000),
    "format": lambda value: replace(blank(), format=value),
    "colour_space": lambda value: replace(blank(), colour_space=value),
    "bits_per_channel": lambda value: replace(blank(), bits=int(value)),
    "bytes": lambda value: replace(blank(), bytes=int(value)),
    "dpi": lambda value: replace(blank(), dpi=int(value)),
    "frames": lambda value: replace(blank(), frames=int(value)),
    "background_border": coloured,
    "background_outside": coloured,
    "fill_share": lambda _: blank(1000, 1000),
    "product_longest_side": lambda _: blank(2000, 2000),
}
"""A picture of which a rule measures the value; a plain one for the rules that are not here."""

PLACED: Mapping[RuleName, Callable[[Any], Placed]] = {
    "fill_share": lambda value: Placed(square(round(value * 1000), 1000), 1.0),
    "product_longest_side": lambda value: Placed(square(int(value), 2000), 1.0),
    "safe_area": lambda kept: Placed(square(200 if kept else 398, 400), 1.0),
    "extension": lambda right: Placed(square(200, 400), 1.0, extension="jpg" if right else "png"),
    "ai_marking": lambda true: Placed(
        square(200, 400), 1.0, digital_source_type=None if true else "compositeSynthetic"
    ),
    "upscaling": lambda value: Placed(square(200, 400), float(value)),
}
"""The same for what a file cannot tell."""


def measured(rule: Rule, value: object) -> tuple[FinishedPicture, Placed]:
    """A picture of which `rule` measures `value`, and how its product is placed."""
    assert rule.rule in {*PICTURE, *PLACED}, f"no picture is drawn for the rule {rule.rule}"
    picture = PICTURE.get(rule.rule, lambda _: blank())(value)
    return picture, PLACED.get(rule.rule, lambda _: Placed(square(200, 400), 1.0))(value)


def beside(rule: Rule) -> Iterator[tuple[object, bool]]:
    """Values at each limit, which pass, and just beyond it, which fail."""
    step = 1.0 if rule.rule in WHOLE else 0.002
    if rule.minimum is not None:
        yield from ((rule.minimum, True), (rule.minimum - step, False))
    if rule.maximum is not None:
        yield from ((rule.maximum, True), (rule.maximum + step, False))
    if rule.one_of is not None:
        yield from ((one, True) for one in rule.one_of)
        yield next(each for each in ("avif", "heic", "lab") if each not in rule.one_of), False
    if isinstance(rule.equals, bool):
        yield from ((rule.equals, True), (not rule.equals, False))
    elif rule.equals == "255,255,255":
        yield from ((rule.equals, True), ("254,255,255", False), ("255,255,254", False))
    elif isinstance(rule.equals, str):
        yield from ((rule.equals, True), ("something else", False))
    elif rule.equals is not None:
        for sign in (-1.0, 1.0):
            edge = rule.equals + sign * rule.tolerance
            yield from ((edge - sign * rule.tolerance / 4, True), (edge + sign * step, False))


def rules() -> Iterator[tuple[Preset, Rule]]:
    """Every rule that a channel makes, from all presets."""
    for preset in load_presets().values():
        for rule in preset.rules:
            if rule.authority != "own":
                yield preset, rule


@pytest.mark.parametrize(
    ("preset", "rule"), [pytest.param(p, r, id=f"{p.name}-{r.rule}-{r.level}") for p, r in rules()]
)
def test_a_rule_tells_what_just_keeps_it_from_what_just_breaks_it(preset: Preset, rule: Rule) -> None:
    values = list(beside(rule))
    assert {passes for _, passes in values} == {True, False}
    alone = preset.model_copy(
        update={"rules": (rule,), "safe_area": preset.safe_area or SafeArea(top=0.1, bottom=0.1)}
    )
    for value, passes in values:
        picture, placed = measured(rule, value)
        (row,) = check(picture, alone, placed)
        assert row.passed is passes, (value, row)
        assert row.level == rule.level
        assert row.source


def test_every_channel_is_there() -> None:
    channels = {preset.channel for preset in load_presets().values()}
    assert channels == {
        *("amazon", "ebay", "walmart", "google-merchant", "meta", "instagram", "tiktok-shop", "pinterest"),
        *("zalando", "bol", "about-you", "shopify", "etsy", "general"),
    }


OFFICIAL = {
    "amazon": {
        *("longest_side >= 500", "longest_side <= 10000", "longest_side >= 1000", "fill_share >= 0.85"),
        *("background_border", "background_outside", "format", "frames <= 1", "colour_space", "dpi >= 72"),
    },
    "ebay": {"longest_side >= 500", "longest_side >= 1000", "format"},
    "walmart": {
        *("shortest_side >= 1500", "shortest_side >= 2200", "aspect_ratio = 1", "bytes <= 5000000"),
        *("background_border", "background_outside", "format", "colour_space", "bits_per_channel = 8"),
        "extension",
    },
    "google-merchant": {
        *("shortest_side >= 500", "shortest_side >= 1500", "fill_share >= 0.75", "fill_share <= 0.9"),
        *("megapixels <= 64", "bytes <= 16000000", "format", "extension", "ai_marking"),
    },
    "meta": {
        *("shortest_side >= 600", "longest_side >= 750", "shortest_side >= 315", "longest_side >= 600"),
        *("shortest_side >= 1080", "aspect_ratio = 1", "aspect_ratio = 0.8", "aspect_ratio = 1.91", "format"),
    },
    "pinterest": {
        *("shortest_side >= 1000", "longest_side >= 1500", "aspect_ratio = 0.6667", "bytes <= 32000000"),
        "format",
    },
    "zalando": {
        *("shortest_side >= 762", "longest_side >= 1100", "shortest_side >= 1801", "longest_side >= 2600"),
        *("aspect_ratio = 0.6944", "background_border", "format", "bytes <= 20000000"),
    },
    "bol": {
        *("product_longest_side >= 500", "product_longest_side >= 1200", "longest_side <= 6000"),
        *("background_border", "background_outside", "bytes >= 30000", "bytes <= 10000000"),
    },
    "about-you": {"background_border", "background_outside"},
}
"""What the channels' own pages ask for, as far as a picture shows it."""


def told_by(rule: Rule) -> Iterator[str]:
    """A rule's limits in the words of the table; those that are no number by name."""
    equals = (
        rule.equals if isinstance(rule.equals, float | int) and not isinstance(rule.equals, bool) else None
    )
    limits = ((">=", rule.minimum), ("<=", rule.maximum), ("=", equals))
    yield from [f"{rule.rule} {sign} {limit:.10g}" for sign, limit in limits if limit is not None] or [
        rule.rule
    ]


def test_every_number_of_the_channels_own_pages_is_a_rule() -> None:
    found: dict[str, set[str]] = {}
    for preset, rule in rules():
        if rule.authority == "official":
            found.setdefault(preset.channel, set()).update(told_by(rule))
    assert found == OFFICIAL

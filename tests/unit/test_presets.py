"""Preset files: what ships is sound, and a bad file is named with key and reason."""

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from opal.errors import InvalidPreset, UnknownPreset
from opal.marketplaces.presets import Preset, load_presets, read_presets, resolve_presets, use_presets_of
from opal.marketplaces.rule import Rule

GOOD = """
channel = "shop"
source = "https://shop.example/images"
checked = 2026-11-24
authority = "official"
[[presets]]
name = "shop-main"
title = "Shop"
description = "For the shop."
width = 800
height = 800
format = "jpeg"
ground = "white"
rules = [
  { rule = "fill_share", minimum = 0.8 },
  { rule = "bytes", maximum = 9, authority = "second-hand", source = "https://blog.example" },
  { rule = "width", equals = 800, authority = "own" },
]
"""


def test_the_shipped_presets_are_those_of_the_documentation() -> None:
    page = Path(__file__).parents[2].joinpath("docs/presets.md").read_text("utf-8")
    rows = re.findall(r"^\| `([a-z0-9-]+)` \|.*\|.*\|.*\|.*\|$", page, re.MULTILINE)
    assert sorted(rows) == sorted(load_presets())
    for preset in load_presets().values():
        for rule in preset.rules:
            assert f"`{rule.rule}`" in page


def test_the_preset_of_the_documentation_has_what_it_must_and_no_more(tmp_path: Path) -> None:
    page = Path(__file__).parents[2].joinpath("docs/presets.md").read_text("utf-8")
    (example,) = re.findall(r"^```toml\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    file = tmp_path / "shop.toml"
    file.write_text(example)
    assert list(read_presets(tmp_path)) == ["our-shop-main"]
    for line in filter(None, example.splitlines()):
        file.write_text(example.replace(f"{line}\n", ""))
        with pytest.raises(InvalidPreset):
            read_presets(tmp_path)


@pytest.mark.parametrize("preset", load_presets().values(), ids=lambda preset: preset.name)
def test_a_shipped_preset_asks_for_what_its_rules_allow(preset: Preset) -> None:
    limits: dict[str, Rule] = {rule.rule: rule for rule in preset.rules if rule.level == "required"}
    if preset.width is not None:
        # At most, where a byte budget may take pixels down to the channel's own least size.
        for rule, side in (("width", preset.width), ("height", preset.height)):
            assert side in {limits[rule].equals, limits[rule].maximum}
    if "fill_share" in limits and limits["fill_share"].minimum is not None:
        assert preset.fill is not None
        assert preset.fill >= limits["fill_share"].minimum
    assert limits["upscaling"].maximum is not None
    assert preset.upscale_limit <= limits["upscaling"].maximum
    if "bytes" in limits and preset.max_bytes is not None:
        assert limits["bytes"].maximum is not None
        assert preset.max_bytes <= limits["bytes"].maximum
    if preset.safe_area is not None:
        assert limits["safe_area"].equals is True


def test_rules_inherit_the_files_source_unless_they_name_their_own(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(GOOD)
    rules = read_presets(tmp_path)["shop-main"].rules
    assert [(rule.authority, rule.source) for rule in rules] == [
        ("official", "https://shop.example/images"),
        ("second-hand", "https://blog.example"),
        ("own", None),
        *[("own", None)] * (len(rules) - 3),
    ]
    assert rules[0].checked is not None


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        ("width = 800\n", "", r"shop.toml: presets.0: give both `width` and `height`"),
        ('ground = "white"', 'ground = "transparent"', "presets.0: JPEG has no transparency"),
        (", minimum = 0.8", "", "presets.0.rules.0: a rule needs `minimum`"),
        ('rule = "fill_share"', 'rule = "prettiness"', "presets.0.rules.0.rule: Input should be"),
        ('name = "shop-main"', 'name = "Shop Main"', "presets.0.name: Should be small letters"),
        ('ground = "white"', 'ground = "colour"', "presets.0: give `colour` where `ground` is `colour`"),
        ('ground = "white"', 'ground = "white"\nquality = 60', "presets.0: `lowest_quality` is above"),
        ('ground = "white"', 'ground = "white"\nmax_bytes = 9\nmin_bytes = 10', "`min_bytes` is above"),
        ('ground = "white"', 'ground = "white"\nwidth = 20000', "shop.toml: not valid TOML"),
        ("width = 800", "width = nan", "presets.0.width: "),
        (
            'ground = "white"',
            'ground = "white"\nmax_bytes = 0',
            "presets.0.max_bytes: Input should be greater",
        ),
        (
            'ground = "white"',
            'ground = "white"\neffort = "huge"',
            "presets.0.effort: Input should be 'quick'",
        ),
        (
            'ground = "white"',
            'ground = "white"\nchroma = "4:2:2"',
            "presets.0.chroma: Input should be '4:4:4'",
        ),
        ("minimum = 0.8", "minimum = 0.8, maximum = 0.5", "presets.0.rules.0: a rule's `minimum` is above"),
        ("minimum = 0.8", 'equals = "wide"', "presets.0.rules.0: rule `fill_share`: a number is measured"),
        ("minimum = 0.8", "equals = true", "presets.0.rules.0: rule `fill_share`: a number is measured"),
        ("minimum = 0.8", 'one_of = ["a"]', "presets.0.rules.0: rule `fill_share`: a number is measured"),
        ("minimum = 0.8", "minimum = 2.0", "`minimum` is 2, and what is measured is 0 to 1"),
        ('rule = "fill_share"', 'rule = "format"', "presets.0.rules.0: rule `format`: a word is measured"),
        ('rule = "fill_share"', 'rule = "ai_marking"', "rule `ai_marking`: `equals` is true or false"),
        ('rule = "fill_share", minimum = 0.8', 'rule = "bytes", maximum = -5', "`maximum` is -5"),
        (
            'rule = "fill_share", minimum = 0.8',
            'rule = "background_border", equals = "white"',
            "'white' is never",
        ),
        ("minimum = 0.8", 'minimum = "0.8"', "presets.0.rules.0.minimum: Input should be a valid number"),
        ("width = 800", "width = true", "presets.0.width: Input should be a valid integer"),
        ("width = 800", 'width = "800"', "presets.0.width: Input should be a valid integer"),
        ("[[presets]]", "[[presets", "shop.toml: not valid TOML"),
        ('source = "https://shop.example/images"\n', "", "needs `source` and `checked`"),
    ],
)
def test_a_bad_file_is_named_with_key_and_reason(tmp_path: Path, old: str, new: str, reason: str) -> None:
    assert old in GOOD
    (tmp_path / "shop.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InvalidPreset, match=reason) as caught:
        read_presets(tmp_path)
    assert caught.value.message.startswith("shop.toml: ")


def test_what_a_preset_promises_is_a_rule_unless_it_states_its_own(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(GOOD)
    rules = read_presets(tmp_path)["shop-main"].rules
    assert [rule.rule for rule in rules] == [
        *("fill_share", "bytes", "width"),
        *(
            "height",
            "format",
            "extension",
            "colour_space",
            "has_alpha",
            "clearance",
            "upscaling",
            "ai_marking",
        ),
    ]
    assert {rule.rule: rule.equals for rule in rules}["height"] == 800
    assert {rule.rule: rule.maximum for rule in rules}["upscaling"] == 1.0


def test_a_byte_budget_leaves_the_size_open_down_to_a_stated_least(tmp_path: Path) -> None:
    for rule, limits in (
        ('rule = "width", minimum = 500, equals = 800, authority = "own"', {"width": 800, "height": None}),
        ('rule = "shortest_side", minimum = 500', {"width": None, "height": None}),
        ('rule = "shortest_side", minimum = 500, level = "advised"', {"width": 800, "height": 800}),
    ):
        budget = 'format = "jpeg"\nmax_bytes = 9'
        stated = GOOD.replace('rule = "width", equals = 800, authority = "own"', rule)
        (tmp_path / "shop.toml").write_text(stated.replace('format = "jpeg"', budget))
        rules: dict[str, Rule] = {each.rule: each for each in read_presets(tmp_path)["shop-main"].rules}
        assert {side: rules[side].equals for side in ("width", "height")} == limits
        for side, exact in limits.items():
            assert exact is not None or rules[side].maximum == 800


def test_two_files_cannot_define_one_preset(tmp_path: Path) -> None:
    (tmp_path / "a.toml").write_text(GOOD)
    (tmp_path / "b.toml").write_text(GOOD)
    with pytest.raises(InvalidPreset, match=r"b.toml: presets: 'shop-main' is defined twice"):
        read_presets(tmp_path)


def test_names_resolve_in_order_without_repeats() -> None:
    names = ["story-9x16", "amazon-main", "story-9x16"]
    assert [preset.name for preset in resolve_presets(names)] == ["story-9x16", "amazon-main"]
    with pytest.raises(UnknownPreset, match=r"'ebay' is not known. Known: about-you"):
        resolve_presets(["square-1x1", "ebay"])


@pytest.mark.parametrize(
    ("old", "new", "reason"),
    [
        (
            "equals = 800",
            "equals = 900",
            r"shop-main: its rule `width` can never be kept, as the picture is made with 800",
        ),
        ('ground = "white"', 'ground = "white"\nfill = 0.7', "its rule `fill_share` can never be kept"),
        ('ground = "white"', 'ground = "white"\nfill = 0.9\nsafe_area = { top = 0.2 }', "`fill` reaches out"),
        ('ground = "white"', 'ground = "white"\nfill = 0.01', "a product would be 8 pixels long"),
        (
            'ground = "white"',
            'ground = "white"\nmargin = 0.45\nsafe_area = { top = 0.45, bottom = 0.45 }',
            "a product would be 8 pixels long",
        ),
    ],
)
def test_a_preset_that_cannot_work_is_refused_with_its_reason(
    tmp_path: Path, old: str, new: str, reason: str
) -> None:
    assert old in GOOD
    (tmp_path / "shop.toml").write_text(GOOD.replace(old, new, 1))
    with pytest.raises(InvalidPreset, match=reason):
        read_presets(tmp_path)


def test_advice_may_differ_from_the_preset(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(GOOD.replace("equals = 800", 'equals = 900, level = "advised"'))
    assert list(read_presets(tmp_path)) == ["shop-main"]


@pytest.fixture
def shipped_again() -> Iterator[None]:
    """Leave the process with shipped presets alone."""
    yield
    use_presets_of(None)


@pytest.mark.usefixtures("shipped_again")
def test_presets_of_the_users_folder_stand_beside_the_shipped_ones(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(GOOD)
    use_presets_of(tmp_path)
    assert [preset.name for preset in resolve_presets(["shop-main", "square-1x1"])] == [
        "shop-main",
        "square-1x1",
    ]
    use_presets_of(None)
    with pytest.raises(UnknownPreset):
        resolve_presets(["shop-main"])


@pytest.mark.usefixtures("shipped_again")
def test_the_users_folder_cannot_redefine_a_shipped_preset_and_must_be_there(tmp_path: Path) -> None:
    (tmp_path / "shop.toml").write_text(GOOD.replace("shop-main", "amazon-main"))
    with pytest.raises(InvalidPreset, match="'amazon-main' is the name of a preset of Opal's own"):
        use_presets_of(tmp_path)
    with pytest.raises(InvalidPreset, match="cannot be read"):
        use_presets_of(tmp_path / "absent")
    assert "amazon-main" in load_presets()

"""A byte budget takes pixels only as far as the channel's own least size."""

import pytest

from opal.marketplaces.presets import Preset, load_presets
from opal.marketplaces.rule import Rule
from opal.marketplaces.smaller import smaller

LEAST_400 = Rule(rule="shortest_side", minimum=400)
SQUARE = Rule(rule="aspect_ratio", equals=1.25, tolerance=0.002)


def preset(*rules: Rule, max_bytes: int | None = 10_000, **changes: object) -> Preset:
    shown = load_presets()["square-1x1"]
    update = {"width": 1000, "height": 800, "max_bytes": max_bytes, "rules": rules}
    return shown.model_copy(update=update | changes)


@pytest.mark.parametrize(
    ("preset", "width", "size", "expected"),
    [
        # As many pixels as there should be bytes, and a little fewer.
        (preset(LEAST_400), 1000, 20_000, (685, 548)),
        (preset(LEAST_400), 685, 10_050, (616, 493)),
        # The channel's least size, however small the budget, in the preset's aspect; then no more.
        (preset(LEAST_400), 1000, 90_000, (500, 400)),
        (preset(LEAST_400, SQUARE), 1000, 90_000, (500, 400)),
        (preset(LEAST_400), 500, 20_000, None),
        # Advice is no least size, and neither is silence; a size that is prescribed stays.
        (preset(LEAST_400.model_copy(update={"level": "advised"})), 1000, 20_000, None),
        (preset(), 1000, 20_000, None),
        (preset(LEAST_400, Rule(rule="width", equals=1000)), 1000, 20_000, None),
        (preset(LEAST_400, max_bytes=None), 1000, 20_000, None),
        # A product is never made a dot.
        (preset(Rule(rule="shortest_side", minimum=1)), 1000, 10**9, (40, 32)),
    ],
)
def test_pixels_are_lost_down_to_the_least_size(
    preset: Preset, width: int, size: int, expected: tuple[int, int] | None
) -> None:
    found = smaller(preset, width, size)
    assert (None if found is None else (found.width, found.height)) == expected


def test_every_shipped_preset_can_only_shrink_within_its_required_rules() -> None:
    for shipped in load_presets().values():
        if shipped.width is None:
            continue
        found = smaller(shipped, shipped.width, 10**9)
        if found is None:
            continue
        assert found.width is not None
        assert found.height is not None
        sides = {"shortest_side": min(found.width, found.height), "width": found.width}
        for rule in shipped.rules:
            if rule.level == "required" and rule.rule in sides:
                assert rule.allows(sides[rule.rule]), (shipped.name, rule.rule)

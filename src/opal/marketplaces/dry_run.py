"""Tries a preset's geometry before any photo comes: can the rules that no photo changes be kept?

Called by `presets.py` for every preset it reads, shipped or the user's own.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from opal.images.geometry import Box, fit, scale_for_fill, scale_for_margin

if TYPE_CHECKING:  # presets.py calls this module
    from opal.marketplaces.presets import Preset
    from opal.marketplaces.rule import Limit

_SMALLEST_ON_CANVAS = 24
"""Pixels of a product's longer side below which a preset is nonsense."""


def dry_run(preset: Preset) -> str | None:
    """Lay products of three shapes through the preset's geometry: why its own rules refuse the outcome.

    None: the preset can be kept. Advice (`level` advised) may be at odds with a preset, as its text is the
    channel's and the choice ours. A native-size preset has no geometry of its own.
    """
    if preset.width is None or preset.height is None:
        return None
    outcome = _outcome(preset, preset.width, preset.height)
    if isinstance(outcome, str):
        return outcome
    for rule in preset.rules:
        value = outcome.get(rule.rule)
        if value is not None and rule.level == "required" and not rule.allows(value):
            return f"its rule `{rule.rule}` can never be kept, as the picture is made with {value}"
    return None


def _outcome(preset: Preset, width: int, height: int) -> dict[str, Limit] | str:
    """What is certain of every picture of the preset, or why there is none; the rest depends on the photo."""
    clear = preset.clear_box(width, height)
    outcome: dict[str, Limit] = {
        "width": width,
        "height": height,
        "longest_side": max(width, height),
        "shortest_side": min(width, height),
        "side_sum": width + height,
        "megapixels": round(width * height / 1e6, 4),
        "aspect_ratio": round(width / height, 4),
        "format": preset.format,
        "dpi": preset.dpi,
        "has_alpha": preset.ground == "transparent",
        "colour_space": "srgb",
        "bits_per_channel": 8,
        "frames": 1,
        "extension": True,
        "ai_marking": True,
    }
    for product in (Box(0, 0, 400, 100), Box(0, 0, 100, 400), Box(0, 0, 200, 200)):
        if preset.fill is not None:
            scale = scale_for_fill(product, width, height, preset.fill)
        else:
            scale = scale_for_margin(product, clear.width, clear.height, preset.margin or 0.0)
        longest = max(product.width, product.height) * scale
        if longest < _SMALLEST_ON_CANVAS:
            return f"a product would be {longest:.0f} pixels long; leave it {_SMALLEST_ON_CANVAS} or more"
        box = fit(product, width, height, scale=scale, upscale_limit=1e6, alignment="center").box
        if box.width > clear.width or box.height > clear.height:
            return "`fill` reaches out of the `safe_area`"
    if preset.fill is not None:
        outcome["fill_share"] = preset.fill
    return outcome

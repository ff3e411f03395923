"""How a picture may lose pixels so that its file fits a byte budget.

Called by `create_variants` once the lowest quality has not been enough.
"""

import math

from opal.marketplaces.dry_run import dry_run
from opal.marketplaces.presets import Preset

_STEP = 0.9
"""A new canvas has at most this share of the last one's width, so that a few of them end the search."""
_AIM = 0.97
"""Files shrink a little less than their pixels do."""


def smaller(preset: Preset, width: int, size: int) -> Preset | None:
    """The preset at a canvas on which its `max_bytes` may be met; None where there is none.

    `width` is that of the last picture, whose file has `size` bytes. The aspect is kept, and so is every size
    that a rule requires; a preset that states no least size is not made smaller.
    """
    if preset.max_bytes is None or not preset.may_lose_pixels:
        return None
    wanted = max(1, int(width * min(_STEP, _AIM * math.sqrt(preset.max_bytes / size))))
    if _allowed(preset, wanted):
        return _at(preset, wanted)
    refused, least = wanted, width
    while least - refused > 1:
        middle = (refused + least) // 2
        if _allowed(preset, middle):
            least = middle
        else:
            refused = middle
    return _at(preset, least) if least < width else None


def _allowed(preset: Preset, width: int) -> bool:
    return dry_run(_at(preset, width)) is None


def _at(preset: Preset, width: int) -> Preset:
    assert preset.width is not None, "a preset of native size states no least size"
    assert preset.height is not None
    height = max(1, round(width * preset.height / preset.width))
    return preset.model_copy(update={"width": width, "height": height})

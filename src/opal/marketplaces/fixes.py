"""What Opal did by itself for a rule: the photo, uploaded as it is, would break it, and the picture keeps it.

Called by `create_variants` for every picture. The photo is measured by the very rules, as `opal check` would
measure it, so that nothing is called mended that was whole.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from opal.images.finished import FinishedPicture
from opal.images.matte import Matte
from opal.images.photo import Photo
from opal.marketplaces.compliance import RuleResult
from opal.marketplaces.measurements import MEASUREMENTS, Look, Measured, NotJudged, Placed
from opal.marketplaces.presets import Preset
from opal.marketplaces.rule import Limit, Rule, RuleName

UNTOLD = frozenset({"upscaling", "safe_area"})
"""Rules that say nothing of a photo as it is: it was not enlarged, and nothing covers it."""

_SIDES: Mapping[RuleName, Callable[[int, int], float]] = {
    "width": lambda width, _height: width,
    "height": lambda _width, height: height,
    "aspect_ratio": lambda width, height: round(width / height, 4),
}
"""Rules that tell upright from lying, by width and height."""


@dataclass(frozen=True)
class AsPhotographed:
    """A photo that is held against rules as if it were the picture to hand in; measured once per rule."""

    photo: Photo
    matte: Matte
    """(H, W), 0..1."""
    name: str = ""
    """Of the photo's file; empty where it is not known, and then it is not judged."""
    _found: dict[RuleName, Measured] = field(default_factory=dict, init=False)

    @cached_property
    def picture(self) -> FinishedPicture:
        """The photo as a file would be that nobody touched, upright as people see it."""
        info = self.photo.source
        pixels = self.photo.pixels
        codes: NDArray[np.uint8] = (
            pixels if pixels.format == "uchar" else pixels.colourspace("srgb")
        ).numpy()
        return FinishedPicture(
            pixels=codes,
            format=info.format.value,
            bytes=info.bytes,
            bits=info.bits,
            dpi=info.dpi,
            colour_space=info.colour_space,
            digital_source_type=info.digital_source_type,
            has_alpha=self.photo.alpha is not None,
            see_through=self.photo.alpha is not None,
        )

    def breaks(self, rule: Rule, preset: Preset, source_type: str | None) -> Limit | None:
        """What the photo is measured to be where that breaks `rule`; None where it does not, or nobody knows.

        `source_type` is what the picture has to say of its making.
        """
        if rule.rule in UNTOLD or (rule.rule == "extension" and not self.name):
            return None
        if rule.rule == "ai_marking":
            told = self.photo.source.digital_source_type
            return False if source_type is not None and told != source_type else None
        if rule.rule == "background_outside":
            # The border is part of it, and a hundred times quicker looked at.
            border = self._measured("background_border", preset)
            if isinstance(border, str) and not rule.allows(border):
                return border
        found = self._measured(rule.rule, preset)
        return None if found is None or isinstance(found, NotJudged) or rule.allows(found) else found

    def lies_wrong(self, rule: Rule) -> bool:
        """Whether the photo keeps a rule about its sides only once it is turned as its EXIF says."""
        info = self.photo.source
        if info.orientation < 5 or rule.rule not in _SIDES:
            return False
        lying, upright = (
            _SIDES[rule.rule](info.width, info.height),
            _SIDES[rule.rule](info.height, info.width),
        )
        return rule.allows(upright) and not rule.allows(lying)

    def _measured(self, rule: RuleName, preset: Preset) -> Measured:
        if rule not in self._found:
            extension = self.name.rpartition(".")[2].lower()
            placed = Placed(self.matte, scale=1.0, extension=extension)
            self._found[rule] = MEASUREMENTS[rule](Look(self.picture, placed, preset))
        return self._found[rule]


@dataclass(frozen=True, slots=True)
class Made:
    """What a picture became."""

    width: int
    height: int
    digital_source_type: str | None
    done_for_bytes: Sequence[str] = ()
    """What gave way to a byte budget, in words; told whether or not it was enough."""


def with_fixes(
    rows: Sequence[RuleResult], preset: Preset, source: AsPhotographed, made: Made
) -> tuple[RuleResult, ...]:
    """The rows of `preset`'s rules, in its order, each with what was done by itself to keep it."""
    return tuple(
        row.model_copy(update={"fixed": _fixed(row, rule, preset, source, made)})
        for row, rule in zip(rows, preset.rules, strict=True)
    )


def _fixed(row: RuleResult, rule: Rule, preset: Preset, source: AsPhotographed, made: Made) -> str | None:
    if rule.rule == "bytes" and made.done_for_bytes:
        return ", ".join(made.done_for_bytes)
    if not row.passed:
        return None
    if source.lies_wrong(rule):
        return "turned upright, as the photo's EXIF says"
    before = source.breaks(rule, preset, made.digital_source_type)
    if before is None:
        return None
    return WORDS[rule.rule](_Change(before, row.measured, source, preset, made))


@dataclass(frozen=True, slots=True)
class _Change:
    """One rule's measure of the photo and of the picture, and whose they are."""

    before: Limit
    after: Limit | None
    source: AsPhotographed
    preset: Preset
    made: Made

    @property
    def photo_size(self) -> str:
        info = self.source.photo.source
        width, height = (info.height, info.width) if info.orientation >= 5 else (info.width, info.height)
        return f"{width} × {height}"


def _size(change: _Change) -> str:
    return f"placed on {change.made.width} × {change.made.height}; the photo has {change.photo_size}"


def _ground(change: _Change) -> str:
    what = {"white": "by pure white", "colour": f"by {change.preset.colour}"}.get(
        change.preset.ground, "by the scene"
    )
    return f"background replaced {what}; in the photo it is {change.before}"


def _alpha(change: _Change) -> str:
    return "background removed" if change.after else "transparency laid on the ground"


def _colour_space(change: _Change) -> str:
    model = {"b-w": "grey", "grey16": "grey", "cmyk": "CMYK"}.get(str(change.before), change.before)
    return f"converted to sRGB from {model}"


def _place(change: _Change) -> str:
    return f"product placed anew; in the photo it is {change.before}"


_Words: TypeAlias = Callable[[_Change], str]

WORDS: Mapping[RuleName, _Words] = {
    "width": _size,
    "height": _size,
    "longest_side": _size,
    "shortest_side": _size,
    "side_sum": _size,
    "megapixels": _size,
    "aspect_ratio": lambda change: f"ground laid around the product; the photo has {change.photo_size}",
    "format": lambda change: f"converted from {change.before}",
    "extension": lambda change: f"named .{change.preset.extension}; the photo is {change.source.name}",
    "bytes": lambda change: f"encoded anew; the photo's file has {change.before:,} bytes",
    "colour_space": _colour_space,
    "bits_per_channel": lambda change: f"stored anew; the photo has {change.before} bits",
    "frames": lambda change: f"one picture of {change.before}",
    "has_alpha": _alpha,
    "dpi": lambda change: f"set anew; the photo says {change.before}",
    "background_border": _ground,
    "background_outside": _ground,
    "fill_share": _place,
    "product_longest_side": _place,
    "clearance": _place,
    "margin_share": _place,
    "ai_marking": lambda change: f"marked as {change.made.digital_source_type}",
}
"""What was done, in words, for every rule but those that are `UNTOLD`."""

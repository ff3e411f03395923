"""One rule of a preset: which measurement, and what it may be.

Read by `presets.py`; `measurements.py` measures, `compliance.py` judges.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date
from typing import Literal, Protocol, Self, TypeAlias

from pydantic import BaseModel, ConfigDict, Field, model_validator

RuleName: TypeAlias = Literal[
    "width",
    "height",
    "longest_side",
    "shortest_side",
    "aspect_ratio",
    "format",
    "bytes",
    "colour_space",
    "bits_per_channel",
    "has_alpha",
    "dpi",
    "megapixels",
    "side_sum",
    "frames",
    "extension",
    "background_border",
    "background_outside",
    "fill_share",
    "product_longest_side",
    "clearance",
    "margin_share",
    "safe_area",
    "upscaling",
    "ai_marking",
]
"""What can be measured on a finished file; `measurements.py` says how."""

Authority: TypeAlias = Literal["official", "second-hand", "own"]
Limit: TypeAlias = int | float | str | bool

Level: TypeAlias = Literal["required", "advised"]
"""Whether a channel refuses a picture that breaks the rule, or only recommends otherwise."""


SIZES = frozenset({"width", "height", "longest_side", "shortest_side", "side_sum", "megapixels"})
"""Rules about how many pixels a picture has."""


class PresetModel(BaseModel):
    """What is read from a preset's file; unknown keys are faults."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


class _Value(Protocol):
    """What a measurement can be."""

    def fault(self, rule: "Rule") -> str | None:
        """Why a rule can ask no such thing of it; None where it can."""
        ...


@dataclass(frozen=True, slots=True)
class _Number:
    lowest: float = 0.0
    highest: float | None = None

    def fault(self, rule: "Rule") -> str | None:
        if rule.one_of is not None or isinstance(rule.equals, str | bool):
            return "a number is measured; give `minimum`, `maximum` or a number that it `equals`"
        for key in ("minimum", "maximum", "equals"):
            limit: float | None = getattr(rule, key)
            if limit is not None and not self._possible(limit):
                above = "" if self.highest is None else f" to {self.highest:g}"
                return f"`{key}` is {limit:g}, and what is measured is {self.lowest:g}{above or ' or more'}"
        return None

    def _possible(self, limit: float) -> bool:
        return limit >= self.lowest and (self.highest is None or limit <= self.highest)


@dataclass(frozen=True, slots=True)
class _Word:
    form: str
    """Regular expression of what is measured."""
    example: str

    def fault(self, rule: "Rule") -> str | None:
        wanted = [*([] if rule.equals is None else [rule.equals]), *(rule.one_of or ())]
        if rule.minimum is not None or rule.maximum is not None or not wanted:
            return f"a word is measured, such as {self.example!r}; give `equals` or `one_of`"
        for word in wanted:
            if not isinstance(word, str) or not re.fullmatch(self.form, word):
                return f"{word!r} is never measured; a value looks like {self.example!r}"
        return None


@dataclass(frozen=True, slots=True)
class _Truth:
    def fault(self, rule: "Rule") -> str | None:
        others = (rule.minimum, rule.maximum, rule.one_of)
        if not isinstance(rule.equals, bool) or any(each is not None for each in others):
            return "`equals` is true or false, and nothing else is asked"
        return None


_COLOUR = _Word(r"\d{1,3},\d{1,3},\d{1,3}", "255,255,255")

VALUES: Mapping[RuleName, _Value] = {
    "width": _Number(),
    "height": _Number(),
    "longest_side": _Number(),
    "shortest_side": _Number(),
    "aspect_ratio": _Number(),
    "format": _Word(r"[a-z0-9]+", "jpeg"),
    "bytes": _Number(),
    "colour_space": _Word(r"[a-z0-9-]+", "srgb"),
    "bits_per_channel": _Number(1, 32),
    "has_alpha": _Truth(),
    "dpi": _Number(),
    "megapixels": _Number(),
    "side_sum": _Number(),
    "frames": _Number(),
    "extension": _Truth(),
    "background_border": _COLOUR,
    "background_outside": _COLOUR,
    "fill_share": _Number(0.0, 1.0),
    "product_longest_side": _Number(),
    "clearance": _Number(),
    "margin_share": _Number(0.0, 0.5),
    "safe_area": _Truth(),
    "upscaling": _Number(),
    "ai_marking": _Truth(),
}
"""What every rule's measurement can be."""


class Rule(PresetModel):
    """One limit on one measurement; bounds are inclusive."""

    rule: RuleName
    minimum: float | None = Field(default=None, strict=True)
    maximum: float | None = Field(default=None, strict=True)
    equals: Limit | None = None
    one_of: tuple[str, ...] | None = None
    tolerance: float = Field(default=0.0, strict=True, ge=0.0, description="Allowed distance to `equals`.")
    unit: str = ""
    level: Level = "required"
    authority: Authority = "own"
    source: str | None = Field(default=None, description="Web address of the rule's text.")
    checked: date | None = Field(default=None, description="Day the source was last read.")

    def allows(self, measured: Limit) -> bool:
        """Whether a measured value keeps this rule."""
        if self.one_of is not None and measured not in self.one_of:
            return False
        if isinstance(measured, str | bool) or isinstance(self.equals, str | bool):
            return self.equals is None or measured == self.equals
        if self.equals is not None and abs(measured - self.equals) > self.tolerance:
            return False
        low = self.minimum is None or measured >= self.minimum
        high = self.maximum is None or measured <= self.maximum
        return low and high

    @model_validator(mode="after")
    def _has_limit_and_source(self) -> Self:
        limits = (self.minimum, self.maximum, self.equals, self.one_of)
        if all(limit is None for limit in limits):
            raise ValueError("a rule needs `minimum`, `maximum`, `equals` or `one_of`")
        if self.minimum is not None and self.maximum is not None and self.minimum > self.maximum:
            raise ValueError("a rule's `minimum` is above its `maximum`")
        if self.authority != "own" and (self.source is None or self.checked is None):
            raise ValueError("a rule that is not our own needs `source` and `checked`")
        fault = VALUES[self.rule].fault(self)
        if fault is not None:
            raise ValueError(f"rule `{self.rule}`: {fault}")
        return self
